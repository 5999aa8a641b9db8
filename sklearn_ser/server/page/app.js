// The page: a file or a microphone in; bars, a waveform and a timeline out.
const get = (id) => document.getElementById(id);
const WINDOW = 2, HOP = 0.5; // seconds
const ONE_CLIP = 3; // seconds: a file up to this length is predicted as one clip
const NO_SPEECH = "No speech";
// The palette is that of the reports: palette.css. What is not in it takes a spare colour.
const paint = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const colour = (emotion) => {
  const strange = emotions.filter((name) => !paint(`emotion-${name}`)).sort();
  return paint(`emotion-${emotion}`) || paint(`spare-${strange.indexOf(emotion) + 1}`) || paint("other");
};

// "100 %" is said of certainty alone.
function percent(value, over = "over ") {
  return value >= 0.995 && value < 1 ? `${over}99 %` : `${Math.round(100 * value)} %`;
}

let token = "";
let emotions = [];
let segments = []; // {start, end, emotion, confidence}
let peaks = []; // [low, high], each PEAK seconds
const PEAK = 0.02;
const GUTTER = 76; // pixels left of the timeline, for names
let live = null; // the microphone, while it is open
let newest = 0; // number of the newest file or recording; what belongs to an older one is dropped

const setStatus = (text) => { get("status").textContent = text; };
const setProblem = (text) => { get("problem").textContent = text; };
const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});
const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: headers() });
  } catch {
    watchForReturn();
    throw new Error("The server does not answer.");
  }
  if (response.status === 401) {
    get("token-form").hidden = false;
    get("token").focus();
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const detail = typeof body.detail === "string" ? body.detail : `error ${response.status}`;
    throw new Error(detail[0].toUpperCase() + detail.slice(1));
  }
  return body;
}

let watching = false;
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
  if (!emotions.length) loadCard();
}

async function loadCard() {
  try {
    const card = await request("/card");
    emotions = card.classes;
    get("model").textContent = `${card.classifier.split("(")[0]}. ${describeTest(card)}`;
    get("token-form").hidden = true;
    setProblem("");
    makeBars();
  } catch (error) {
    setProblem(error.message);
  }
}

// How well it did, and on whose voices: an accuracy without that promises too much.
function describeTest({ scores, split, audit, data }) {
  if (!scores || !split || !data) return "Its card does not say how it was tested.";
  const speakers = audit && audit.speaker;
  const whose = !speakers ? "whose speakers may be in its training set"
    : speakers.n_shared ? "of the speakers of its training set" : "of unseen speakers";
  const right = scores.accuracy === 1 ? "all" : percent(scores.accuracy);
  const guessing = scores.chance ? ` (guessing: ${percent(scores.chance.accuracy)})` : "";
  const caution = speakers && !speakers.n_shared ? "" : " Expect fewer for other speakers.";
  return `Tested on ${split.n_test} clips of ${data.name}, ${whose}: ${right} right${guessing}.${caution}`;
}

function makeBars() {
  get("bars").replaceChildren(...emotions.map((emotion) => {
    const item = document.createElement("li");
    item.dataset.emotion = emotion;
    const name = document.createElement("span");
    name.textContent = emotion;
    const track = document.createElement("div");
    track.className = "track";
    track.setAttribute("aria-hidden", "true");
    const fill = document.createElement("div");
    fill.className = "fill";
    fill.style.background = colour(emotion);
    track.append(fill);
    const figure = document.createElement("span");
    figure.className = "figure";
    figure.textContent = "–";
    item.append(name, track, figure);
    return item;
  }));
}

// The result

// A prediction as the server gives it: without a confidence there is no speech, and the
// probabilities mean nothing.
function show({ emotion, confidence, probabilities, warning }) {
  const silent = confidence === null;
  const headline = silent ? `${NO_SPEECH}: there is nothing to predict an emotion from.`
    : `${emotion}, ${percent(confidence)}`;
  setResult(headline, silent ? NO_SPEECH : emotion, silent || !warning ? "" : `Take care: ${warning}.`);
  setBars(silent ? {} : probabilities, emotion);
}

function setResult(headline, announced = "", warning = "") {
  get("answer").textContent = headline;
  // Read aloud when it changes only: figures that flicker would be a torrent of words.
  if (get("announcement").textContent !== announced) get("announcement").textContent = announced;
  get("warning").textContent = warning;
}

function setBars(probabilities, best) {
  for (const item of get("bars").children) {
    const value = probabilities[item.dataset.emotion];
    const known = value !== undefined && value !== null;
    item.querySelector(".fill").style.width = `${100 * (value || 0)}%`;
    item.querySelector(".figure").textContent = known ? percent(value, ">") : "–";
    item.classList.toggle("best", item.dataset.emotion === best);
  }
}

// Nothing of one file or recording stays under the next.
function clear(headline) {
  segments = [];
  peaks = [];
  setProblem("");
  setResult(headline);
  setBars({}, null);
  listSegments();
  draw();
}

// Pictures

const isEmotion = ({ emotion, confidence }) => emotion && confidence !== null;

function prepare(id, height) {
  const element = get(id);
  const ratio = window.devicePixelRatio || 1, width = element.clientWidth;
  element.style.height = `${height}px`;
  element.width = Math.max(1, Math.round(width * ratio));
  element.height = Math.round(height * ratio);
  const context = element.getContext("2d");
  context.scale(ratio, ratio);
  return [context, width, height];
}

function span() {
  const end = Math.max(peaks.length * PEAK, segments.length ? segments.at(-1).end : 0, 1);
  return live ? [Math.max(0, end - 20), Math.max(20, end)] : [0, end];
}

let drawn = false;
function draw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    const [from, to] = span();
    const ink = getComputedStyle(document.body).color;
    const [wave, width, height] = prepare("wave", 96);
    const x = (time) => GUTTER + (width - GUTTER) * (time - from) / (to - from);
    wave.fillStyle = ink;
    const first = Math.max(0, Math.floor(from / PEAK));
    const at = (pixel) => Math.floor((from + (to - from) * (pixel - GUTTER) / (width - GUTTER)) / PEAK);
    for (let pixel = GUTTER; pixel < width; pixel++) {
      const a = at(pixel), b = Math.max(a + 1, at(pixel + 1));
      let low = 0, high = 0;
      for (let i = Math.max(first, a); i < Math.min(b, peaks.length); i++) {
        low = Math.min(low, peaks[i][0]);
        high = Math.max(high, peaks[i][1]);
      }
      if (a < peaks.length) {
        wave.fillRect(pixel, height / 2 * (1 - high), 1, Math.max(1, height / 2 * (high - low)));
      }
    }
    const names = [...new Set(segments.filter(isEmotion).map((s) => s.emotion))].sort();
    const lane = 22;
    const [line, , tall] = prepare("timeline", Math.max(60, lane * names.length + 22));
    line.font = "13px system-ui, sans-serif";
    line.textBaseline = "middle";
    names.forEach((name, i) => {
      line.fillStyle = colour(name);
      for (const s of segments) {
        if (s.emotion !== name || s.end < from) continue;
        line.fillRect(x(s.start), i * lane + 3, Math.max(2, x(s.end) - x(s.start)), lane - 6);
      }
    });
    line.fillStyle = ink;
    names.forEach((name, i) => line.fillText(name, 4, i * lane + lane / 2));
    for (let i = 0; i <= 4; i++) {
      const time = from + (to - from) * i / 4;
      line.textAlign = i === 0 ? "left" : i === 4 ? "right" : "center";
      line.fillText(`${time.toFixed(1)} s`, x(time), tall - 9);
    }
    line.textAlign = "left";
  });
}

function listSegments() {
  get("rows").replaceChildren(...segments.slice(-200).map((s) => {
    const row = document.createElement("tr");
    const known = s.confidence !== null;
    const emotion = s.error || (known ? s.emotion : NO_SPEECH.toLowerCase());
    for (const text of [s.start.toFixed(2), s.end.toFixed(2), emotion, known ? percent(s.confidence) : "–"]) {
      row.append(Object.assign(document.createElement("td"), { textContent: text }));
    }
    return row;
  }));
  const listed = segments.slice(-12).filter(isEmotion)
    .map((s) => `${s.emotion} from ${s.start.toFixed(1)} to ${s.end.toFixed(1)} s`);
  get("timeline").setAttribute("aria-label", `Timeline of emotions: ${listed.join(", ") || "empty"}`);
}

let open = { n: 0, low: 0, high: 0 };
function addPeaks(samples, rate) {
  const size = Math.round(PEAK * rate);
  for (const value of samples) {
    if (value < open.low) open.low = value;
    if (value > open.high) open.high = value;
    if (++open.n === size) {
      peaks.push([open.low, open.high]);
      open = { n: 0, low: 0, high: 0 };
    }
  }
}

// A file

async function upload(file) {
  const mine = ++newest;
  clear(`Working on ${file.name}…`);
  await stop();
  setStatus(`Working on ${file.name}…`);
  drawFile(file, mine);
  const form = (fields) => {
    const data = new FormData();
    data.append("file", file, "audio");
    for (const [name, value] of Object.entries(fields)) data.append(name, value);
    return { method: "POST", body: data };
  };
  try {
    let found = await request("/predict", form({ window: WINDOW, hop: HOP }));
    // A short clip is predicted as one, as `predict` does; a recording by its windows.
    if (found.seconds <= ONE_CLIP) found = await request("/predict", form({}));
    if (mine !== newest) return;
    segments = found.segments || [{ start: 0, end: found.seconds, ...found }];
    show(found);
    listSegments();
    draw();
    setStatus(`${file.name}: ${found.seconds.toFixed(1)} s.`);
  } catch (error) {
    if (mine !== newest) return;
    if (!watching) setStatus("");
    clear(`No result for ${file.name}.`);
    setProblem(error.message);
  }
}

async function drawFile(file, mine) {
  try {
    const context = new OfflineAudioContext(1, 1, 8000);
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    if (mine !== newest) return;
    open = { n: 0, low: 0, high: 0 };
    addPeaks(audio.getChannelData(0), audio.sampleRate);
    draw();
  } catch { /* the browser may know fewer formats than the server */ }
}

// The microphone

async function speak() {
  const mine = ++newest;
  clear("Nothing heard yet.");
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
    if (mine !== newest) return;
    setStatus("");
    setProblem(error.name === "NotAllowedError"
      ? "The microphone may not be used: allow it in the browser's settings of this page."
      : `The microphone cannot be opened: ${error.message || error.name}.`);
    return;
  }
  if (mine !== newest) {
    media.getTracks().forEach((track) => track.stop());
    return;
  }
  const context = new AudioContext();
  live = { media, context, socket: null, offset: 0, first: 0 };
  const here = live;
  get("speak").textContent = "Stop";
  get("speak").setAttribute("aria-pressed", "true");
  await context.audioWorklet.addModule("/page/recorder.js");
  const node = new AudioWorkletNode(context, "recorder");
  open = { n: 0, low: 0, high: 0 };
  node.port.onmessage = ({ data }) => {
    if (live !== here) return;
    addPeaks(data, context.sampleRate);
    draw();
    const { socket } = here;
    if (socket && socket.ready && socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 4e6) {
      socket.send(data.buffer);
    }
  };
  context.createMediaStreamSource(media).connect(node);
  connect(here);
}

function connect(here, wait = 0.5) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/stream`);
  here.socket = socket;
  socket.onopen = () => socket.send(JSON.stringify({
    rate: here.context.sampleRate, window: WINDOW, hop: HOP, token }));
  socket.onmessage = ({ data }) => {
    if (live !== here) return;
    const message = JSON.parse(data);
    if (message.type === "ready") {
      socket.ready = true;
      wait = 0.5;
      here.offset = peaks.length * PEAK;
      here.first = segments.length;
      setProblem("");
      setStatus("Listening. Speak!");
    } else if (message.type === "event") {
      addEvent(message, here);
    }
  };
  socket.onclose = async ({ code, reason }) => {
    if (live !== here) return;
    if (code === 1008) {
      clear("No result.");
      setProblem(reason);
      if (/token/i.test(reason)) get("token-form").hidden = false;
      await stop();
      setStatus("");
      return;
    }
    setResult("Nothing heard now.");
    setBars({}, null);
    setStatus(code === 1013 ? reason : "The server is gone; trying again…");
    await sleep(wait);
    if (live === here) connect(here, Math.min(8, 2 * wait));
  };
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
  // The last segment goes on: what the server says of it now takes its place.
  if (segments.length > here.first) segments.pop();
  for (const { start, end, ...rest } of event.segments) {
    segments.push({ ...rest, start: here.offset + start, end: here.offset + end });
  }
  while (segments.length > 2000) {
    segments.shift();
    here.first = Math.max(0, here.first - 1);
  }
  listSegments();
  draw();
}

async function stop() {
  if (!live) return;
  const { media, context, socket } = live;
  live = null;
  media.getTracks().forEach((track) => track.stop());
  if (socket) socket.close();
  get("speak").textContent = "Speak";
  get("speak").setAttribute("aria-pressed", "false");
  setStatus("Stopped.");
  draw();
  await context.close();
}

get("file").addEventListener("change", ({ target }) => {
  if (target.files.length) upload(target.files[0]);
  target.value = "";
});
get("speak").addEventListener("click", () => (live ? stop() : speak()));
get("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = get("token").value;
  loadCard();
});
const drop = get("drop");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0]);
});
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
loadCard();
draw();
