// Requests to the server, and what to tell a visitor when one fails.
import { get, setProblem, setStatus, state } from "/page/state.js";

let token = "";
let watching = false;
let whenBack = () => {};

export const setToken = (text) => { token = text; };
export const getToken = () => token;
export const isWatching = () => watching;
export const onReturn = (action) => { whenBack = action; };

const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// A request, which may be an upload; `onSent` hears which share of it has left.
export function request(path, { form = null, onSent = () => {}, type = "json", anyStatus = false } = {}) {
  return new Promise((done, fail) => {
    const asked = new XMLHttpRequest(); // fetch does not say how much it has sent
    asked.open(form ? "POST" : "GET", path);
    if (token) asked.setRequestHeader("Authorization", `Bearer ${token}`);
    asked.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
    asked.responseType = type;
    asked.onerror = () => {
      watchForReturn();
      fail(new Error("The server does not answer."));
    };
    asked.onload = async () => {
      if (anyStatus || asked.status < 400) return done(asked.response);
      const body = type === "json" ? asked.response : {};
      if (asked.status === 401) askForToken();
      return fail(new Error(explain(asked.status, body && body.detail)));
    };
    asked.send(form);
  });
}

function explain(status, detail) {
  const said = typeof detail === "string" ? detail : `Error ${status}.`;
  if (status === 401) return explainToken(said);
  if (status === 413) return `${said} Save it as MP3 or FLAC, or send a shorter recording.`;
  if (status === 429 || status === 503) return "The server is busy. Try again in a moment.";
  return said[0].toUpperCase() + said.slice(1);
}

export function explainToken(said) {
  const what = /wrong/i.test(said) ? "The token is wrong" : "A token is needed";
  return `${what}: ask whoever runs this server for it.`;
}

export function askForToken() {
  get("token-form").hidden = false;
  get("token").focus();
}

async function watchForReturn() {
  if (watching) return;
  watching = true;
  setStatus("The server is gone; waiting for it…");
  for (;;) {
    await sleep(1);
    try {
      if ((await fetch("/health")).ok) break;
    } catch { /* still gone */ }
  }
  watching = false;
  setProblem("");
  setStatus("The server is back.");
  if (!state.card) whenBack();
}
