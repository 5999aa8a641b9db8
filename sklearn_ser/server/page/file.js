// A file: shown and played by the browser, predicted by the server.
import { isWatching, request } from "/page/api.js";
import { stop } from "/page/live.js";
import { clock, draw } from "/page/pictures.js";
import { load } from "/page/player.js";
import { clear, listSegments, show, showSaving } from "/page/result.js";
import { Sketch } from "/page/sketch.js";
import { decode, isServed, makeWav, to16bit } from "/page/sound.js";
import { HOP, WINDOW, get, setProblem, setStatus, state } from "/page/state.js";

const ONE_CLIP = 3; // seconds: a file up to this length is predicted as one clip
const STEPS = 1600; // of a picture
const RATES = [48_000, 16_000]; // of what is converted: the higher where it is small enough

export async function upload(file) {
  const mine = ++state.newest;
  await stop(false);
  const at = (share) => share < 1 ? `${Math.round(100 * share)} % sent` : "the server works on it";
  const working = (what = "") => setStatus(`Working on ${file.name}…${what && ` ${what}.`}`);
  clear(`Working on ${file.name}…`, file.name);
  working();
  setProgress(0);
  try {
    const samples = await decode(file, RATES.at(-1));
    if (mine !== state.newest) return;
    if (samples) picture(samples, RATES.at(-1));
    const served = await isServed(file);
    const sent = await choose(file, samples, served);
    if (mine !== state.newest) return;
    if (samples) load(served ? file : sent);
    const predict = (fields) => {
      const form = new FormData();
      form.append("file", sent, "audio");
      for (const [name, value] of Object.entries(fields)) form.append(name, value);
      return request("/predict", { form, onSent: (share) => {
        if (mine !== state.newest) return;
        setProgress(share);
        working(at(share));
      } });
    };
    const found = await predict({ window: WINDOW, hop: HOP });
    // A short clip is predicted as one, as `predict` does; a recording by its windows.
    const whole = found.seconds <= ONE_CLIP ? await predict({}) : found;
    if (mine !== state.newest) return;
    const { windows = [], segments = null, ...rest } = whole;
    state.whole = rest;
    state.windows = windows;
    state.segments = segments || [{ start: 0, end: whole.seconds, ...rest }];
    show(rest);
    listSegments();
    showSaving();
    draw();
    const note = samples ? "" : " This browser cannot play or draw this kind of file.";
    setStatus(`${file.name}: ${clock(whole.seconds)}.${note}`);
  } catch (error) {
    if (mine !== state.newest) return;
    if (!isWatching()) setStatus("");
    clear(`No result for ${file.name}.`);
    setProblem(error.message);
  } finally {
    if (mine === state.newest) setProgress(null);
  }
}

// The share of a file that has left; null when nothing is under way.
export function setProgress(share) {
  const bar = get("progress");
  bar.hidden = share === null;
  if (share > 0 && share < 1) bar.value = share;
  else bar.removeAttribute("value"); // how long the work takes is not known
}

function picture(samples, rate) {
  const seconds = samples.length / rate;
  state.sketch = new Sketch(rate, Math.max(0.01, seconds / STEPS));
  state.sketch.push(samples);
  draw();
}

// What is sent: the file, or as WAV what the server cannot decode or is too large for it.
async function choose(file, samples, served) {
  const { megabytes, seconds, others } = state.limits;
  if (!samples && !served && !others) {
    throw new Error("The file is not audio that this browser or the server can decode. Convert it "
      + "to WAV or FLAC.");
  }
  const fits = (blob) => blob.size <= 1e6 * megabytes - 1000;
  if (samples && samples.length / RATES.at(-1) > seconds) {
    throw new Error(`This recording lasts ${clock(samples.length / RATES.at(-1))}, and this server `
      + `takes ${clock(seconds)}. Send a shorter one.`);
  }
  if (!samples || (served && fits(file))) {
    if (fits(file)) return file;
    throw new Error(`This file has ${Math.ceil(file.size / 1e6)} MB, and this server takes `
      + `${megabytes} MB. Save it as MP3 or FLAC, or send a shorter recording.`);
  }
  for (const rate of RATES) {
    const converted = rate === RATES.at(-1) ? samples : await decode(file, rate);
    state.wav = makeWav([to16bit(converted)], rate);
    if (fits(state.wav)) return state.wav;
  }
  throw new Error(`This recording of ${clock(samples.length / RATES.at(-1))} is too long for this `
    + `server, which takes ${megabytes} MB. Send a shorter one.`);
}
