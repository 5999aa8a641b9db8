// The microphone: samples go to the server as they come, and its events into the pictures.
import { askForToken, explainToken, getToken } from "/page/api.js";
import { draw } from "/page/pictures.js";
import { load } from "/page/player.js";
import { clear, listSegments, setBars, setResult, show, showSaving } from "/page/result.js";
import { Sketch } from "/page/sketch.js";
import { makeWav, to16bit } from "/page/sound.js";
import { HOP, WINDOW, get, setProblem, setStatus, state } from "/page/state.js";

const PATIENCE = 3000; // milliseconds for the last events
const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

export async function speak() {
  const mine = ++state.newest;
  await stop(false);
  clear("Nothing heard yet.", "recording");
  if (!navigator.mediaDevices) {
    setProblem("The browser gives the microphone to localhost and https pages only.");
    return;
  }
  setStatus("Asking for the microphone…");
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: {
      echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  } catch (error) {
    if (mine !== state.newest) return;
    setStatus("");
    setProblem(error.name === "NotAllowedError"
      ? "The microphone may not be used: allow it in the browser's settings of this page."
      : `The microphone cannot be opened: ${error.message || error.name}.`);
    return;
  }
  if (mine !== state.newest) {
    media.getTracks().forEach((track) => track.stop());
    return;
  }
  const context = new AudioContext();
  // first: the segment that a socket begins with; offset: its time in the recording.
  const here = { media, context, socket: null, offset: 0, first: 0, blocks: [], ending: null };
  state.live = here;
  state.sketch = new Sketch(context.sampleRate);
  setButton(true);
  await context.audioWorklet.addModule("/page/recorder.js");
  const node = new AudioWorkletNode(context, "recorder");
  node.port.onmessage = ({ data }) => take(here, to16bit(data), data);
  context.createMediaStreamSource(media).connect(node);
  connect(here);
  draw();
}

function take(here, samples, floats) {
  if (state.live !== here || here.ending) return;
  here.blocks.push(samples);
  state.sketch.push(floats);
  draw();
  const { socket } = here;
  if (socket && socket.ready && socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 4e6) {
    socket.send(samples);
  }
}

function connect(here, wait = 0.5) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/stream`);
  here.socket = socket;
  const { sampleRate } = here.context;
  socket.onopen = () => socket.send(JSON.stringify({
    rate: sampleRate, encoding: "s16le", window: WINDOW, hop: HOP, token: getToken() }));
  socket.onmessage = ({ data }) => {
    if (state.live !== here) return;
    const message = JSON.parse(data);
    if (message.type === "ready") {
      socket.ready = true;
      wait = 0.5;
      // What was said before the server was ready is sent now, unless it was away for long.
      const late = here.offset || here.first ? [] : here.blocks;
      for (const block of late) socket.send(block);
      here.offset = late.length ? 0 : state.sketch.seconds;
      here.first = state.segments.length;
      setProblem("");
      setStatus("Listening. Speak!");
    } else if (message.type === "event") {
      addEvent(message, here);
    } else if (message.type === "end" && here.ending) {
      here.ending();
    }
  };
  socket.onclose = ({ code, reason }) => whenClosed(here, code, reason, wait);
}

async function whenClosed(here, code, reason, wait) {
  if (state.live !== here) return;
  if (here.ending) {
    here.ending();
    return;
  }
  if (code === 1008) {
    const token = /token/i.test(reason);
    await stop(!token);
    if (token) clear("No result.");
    setProblem(token ? explainToken(reason) : reason);
    if (token) askForToken();
    setStatus("");
    return;
  }
  setResult("Nothing heard now.");
  setBars({}, null);
  setStatus(code === 1013 ? reason : "The server is gone; trying again…");
  await sleep(wait);
  if (state.live === here && !here.ending) connect(here, Math.min(8, 2 * wait));
}

// The headline and the bars are those of the latest windows, the rows those of whole segments.
function addEvent(event, here) {
  if (event.error) {
    setResult(event.error);
    setBars({}, null);
  } else {
    show({
      emotion: event.smoothed,
      confidence: event.smoothed_confidence,
      probabilities: event.smoothed_probabilities,
      warning: event.warning,
    });
  }
  const moved = ({ start, end, ...rest }) => ({
    ...rest, start: here.offset + start, end: here.offset + end });
  const { segments, type: _, ...window } = event;
  state.windows.push(moved(window));
  // The last segment goes on: what the server says of it now takes its place.
  if (state.segments.length > here.first) state.segments.pop();
  const from = state.segments.length;
  state.segments.push(...segments.map(moved));
  listSegments(from, true);
  draw();
}

// End a recording; one that is kept waits for its last events, and can be played.
export async function stop(kept = true) {
  const here = state.live;
  if (!here || (here.ending && kept)) return;
  here.media.getTracks().forEach((track) => track.stop());
  setButton(false);
  const { socket } = here;
  if (kept && socket && socket.ready && socket.readyState === WebSocket.OPEN) {
    await new Promise((done) => {
      here.ending = done;
      setTimeout(done, PATIENCE);
      socket.send("end");
    });
  }
  if (socket) socket.close();
  here.context.close();
  if (state.live !== here) return;
  state.live = null;
  if (!kept) return;
  if (here.blocks.length) {
    state.wav = makeWav(here.blocks, here.context.sampleRate);
    load(state.wav);
  }
  setStatus(`Stopped after ${state.sketch.seconds.toFixed(1)} s.`);
  showSaving();
  draw();
}

function setButton(pressed) {
  get("speak").textContent = pressed ? "Stop" : "Speak";
  get("speak").setAttribute("aria-pressed", String(pressed));
}
