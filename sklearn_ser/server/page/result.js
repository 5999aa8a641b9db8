// The result in words, bars and rows.
import { playSegment, unload } from "/page/player.js";
import { colour, draw } from "/page/pictures.js";
import { get, setProblem, state } from "/page/state.js";

const NO_SPEECH = "No speech";
const MOST_ROWS = 2000;

// "100 %" is said of certainty alone.
export function percent(value, over = "over ") {
  return value >= 0.995 && value < 1 ? `${over}99 %` : `${Math.round(100 * value)} %`;
}

export function makeBars() {
  get("bars").replaceChildren(...state.emotions.map((emotion) => {
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

// A prediction as the server gives it: without a confidence there is no speech, and the
// probabilities mean nothing.
export function show({ emotion, confidence, probabilities, warning }) {
  const silent = confidence === null;
  const headline = silent ? `${NO_SPEECH}: there is nothing to predict an emotion from.`
    : `${emotion}, ${percent(confidence)}`;
  setResult(headline, silent ? NO_SPEECH : emotion, silent || !warning ? "" : `Take care: ${warning}.`);
  setBars(silent ? {} : probabilities, emotion);
}

export function setResult(headline, announced = "", warning = "") {
  get("answer").textContent = headline;
  // Read aloud when it changes only: figures that flicker would be a torrent of words.
  if (get("announcement").textContent !== announced) get("announcement").textContent = announced;
  get("warning").textContent = warning;
}

export function setBars(probabilities, best) {
  for (const item of get("bars").children) {
    const value = probabilities[item.dataset.emotion];
    const known = value !== undefined && value !== null;
    item.querySelector(".fill").style.width = `${100 * (value || 0)}%`;
    item.querySelector(".figure").textContent = known ? percent(value, ">") : "–";
    item.classList.toggle("best", item.dataset.emotion === best);
  }
}

// Nothing of one file or recording stays under the next.
export function clear(headline, name = "") {
  Object.assign(state, { name, sketch: null, windows: [], segments: [], whole: null, wav: null });
  unload();
  setProblem("");
  setResult(headline);
  setBars({}, null);
  listSegments();
  showSaving();
  draw();
}

export function showSaving() {
  get("saving").hidden = !state.segments.length || Boolean(state.live);
  get("save-recording").hidden = !state.wav;
}

export const isEmotion = ({ emotion, confidence }) => Boolean(emotion) && confidence !== null;

// Rows of the segments from one on; those before it stand. A live recording has its newest first.
export function listSegments(from = 0, newestFirst = false) {
  const rows = get("rows");
  const place = (i) => (newestFirst ? rows.children.length - 1 - i : i);
  if (!from) rows.replaceChildren();
  for (let i = from; i < Math.min(state.segments.length, MOST_ROWS); i++) {
    const row = makeRow(state.segments[i]);
    const old = i < rows.children.length ? rows.children[place(i)] : null;
    if (old) old.replaceWith(row);
    else if (newestFirst) rows.prepend(row);
    else rows.append(row);
  }
  const listed = state.segments.slice(-12).filter(isEmotion)
    .map((s) => `${s.emotion} from ${s.start.toFixed(1)} to ${s.end.toFixed(1)} s`);
  get("timeline").setAttribute("aria-label", `Timeline of emotions: ${listed.join(", ") || "empty"}`);
}

function makeRow(segment) {
  const row = document.createElement("tr");
  const known = segment.confidence !== null;
  const emotion = segment.error || (known ? segment.emotion : NO_SPEECH.toLowerCase());
  const next = known ? secondBest(segment) : "";
  const confidence = known ? percent(segment.confidence) : "–";
  const cells = [segment.start.toFixed(2), segment.end.toFixed(2), emotion, confidence, next];
  for (const text of cells) {
    row.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  const play = Object.assign(document.createElement("button"), { type: "button", className: "play" });
  play.setAttribute("aria-label", `Play from ${cells[0]} to ${cells[1]} seconds: ${emotion}`);
  play.addEventListener("click", () => playSegment(segment));
  const cell = document.createElement("td");
  cell.append(play);
  row.append(cell);
  if (known) {
    const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
    swatch.style.background = colour(segment.emotion);
    row.children[2].prepend(swatch);
  }
  return row;
}

function secondBest({ emotion, probabilities }) {
  const others = Object.entries(probabilities).filter(([name]) => name !== emotion);
  if (!others.length) return "";
  const [name, value] = others.reduce((best, one) => (one[1] > best[1] ? one : best));
  return `${name} ${percent(value, ">")}`;
}
