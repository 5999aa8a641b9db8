// The pictures over time: waveform, spectrogram, curves of probability and timeline of segments.
import { BANDS } from "/page/sketch.js";
import { get, state } from "/page/state.js";

const GUTTER = 76; // pixels left of the pictures, for names
const SHOWN_LIVE = 20; // seconds
const MOST_POINTS = 120; // of a curve
const RANGE = 60; // dB of the spectrogram
const LANE = 22; // pixels of an emotion in the timeline

// The palette is that of the reports: palette.css. What is not in it takes a spare colour.
const paint = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export function colour(emotion) {
  const strange = state.emotions.filter((name) => !paint(`emotion-${name}`)).sort();
  return paint(`emotion-${emotion}`) || paint(`spare-${strange.indexOf(emotion) + 1}`) || paint("other");
}

function span() {
  const seconds = state.sketch ? state.sketch.seconds : 0;
  const end = Math.max(seconds, state.segments.length ? state.segments.at(-1).end : 0, 1);
  return state.live ? [Math.max(0, end - SHOWN_LIVE), Math.max(SHOWN_LIVE, end)] : [0, end];
}

const width = () => get("wave").clientWidth;
export function placeAt(time) {
  const [from, to] = span();
  return GUTTER + (width() - GUTTER) * (time - from) / (to - from);
}
export function timeAt(x) {
  const [from, to] = span();
  return x < GUTTER ? null : from + (to - from) * (x - GUTTER) / (width() - GUTTER);
}

function prepare(id, height) {
  const element = get(id);
  const ratio = window.devicePixelRatio || 1;
  element.style.height = `${height}px`;
  element.width = Math.max(1, Math.round(element.clientWidth * ratio));
  element.height = Math.round(height * ratio);
  const context = element.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "13px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = paint("ink");
  return context;
}

let asked = false;
export function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const [from, to] = span();
    drawWave(prepare("wave", 80), from, to);
    drawSpectrum(prepare("spectrum", 96), from, to);
    const curves = state.windows.filter((w) => w.speech).length > 1;
    get("curves").hidden = !curves && !state.live;
    if (curves || state.live) drawCurves(prepare("curves", 110), from, to);
    drawTimeline(from, to);
  });
}

function drawWave(context, from, to) {
  const { sketch } = state;
  context.fillText("sound", 4, 40);
  if (!sketch) return;
  const end = width(), step = (to - from) / (end - GUTTER);
  const first = Math.floor(from / sketch.step);
  let loudest = 0.05; // noise of a quiet room stays small
  for (let i = first; i < sketch.high.length; i++) {
    loudest = Math.max(loudest, sketch.high[i], -sketch.low[i]);
  }
  for (let x = GUTTER; x < end; x++) {
    const a = Math.floor((from + step * (x - GUTTER)) / sketch.step);
    const b = Math.max(a + 1, Math.floor((from + step * (x + 1 - GUTTER)) / sketch.step));
    if (a >= sketch.low.length) break;
    let low = 0, high = 0;
    for (let i = a; i < Math.min(b, sketch.low.length); i++) {
      low = Math.min(low, sketch.low[i]);
      high = Math.max(high, sketch.high[i]);
    }
    context.fillRect(x, 40 - 38 * high / loudest, 1, Math.max(1, 38 * (high - low) / loudest));
  }
}

function drawSpectrum(context, from, to) {
  const { sketch } = state;
  const height = 96, end = width();
  if (!sketch || sketch.loudest < -75) return void context.fillText("kHz", 4, height / 2);
  const columns = Math.floor(end - GUTTER);
  const image = new ImageData(Math.max(1, columns), BANDS);
  const shades = shadesOfHeat();
  for (let x = 0; x < columns; x++) {
    const spectrum = sketch.spectra[Math.floor((from + (to - from) * x / columns) / sketch.step)];
    if (!spectrum) break;
    for (let band = 0; band < BANDS; band++) {
      const share = Math.max(0, 1 + (spectrum[band] - sketch.loudest) / RANGE);
      image.data.set(shades[Math.round(255 * Math.min(1, share))], 4 * ((BANDS - 1 - band) * columns + x));
    }
  }
  const small = new OffscreenCanvas(image.width, BANDS);
  small.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(small, GUTTER, 0, columns, height);
  context.textAlign = "right";
  for (const kilohertz of [0.5, 1, 2, 4]) {
    if (1000 * kilohertz > 0.9 * sketch.highest) continue;
    context.fillText(kilohertz, GUTTER - 6, height * (1 - sketch.height(1000 * kilohertz)));
  }
  context.textAlign = "left";
  context.fillText("kHz", 4, height / 2);
}

// From the panel's colour to the first of the palette, as the heat maps of the figures.
function shadesOfHeat() {
  const parts = (name) => [1, 3, 5].map((at) => Number.parseInt(paint(name).slice(at, at + 2), 16));
  const stops = ["panel", "heat", "first"].map(parts);
  return Array.from({ length: 256 }, (_, i) => {
    const at = i / 255 * 2, low = Math.min(1, Math.floor(at));
    return [...stops[low].map((v, k) => v + (stops[low + 1][k] - v) * (at - low)), 255];
  });
}

function drawCurves(context, from, to) {
  const height = 110, y = (value) => height - 8 - (height - 16) * value;
  context.textAlign = "right";
  for (const value of [0, 0.5, 1]) {
    context.fillText(`${100 * value} %`, GUTTER - 6, y(value));
    context.fillStyle = paint("rule");
    context.fillRect(GUTTER, y(value), width(), 1);
    context.fillStyle = paint("ink");
  }
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  context.rect(GUTTER, 0, width(), height);
  context.clip();
  for (const emotion of state.emotions) {
    context.strokeStyle = colour(emotion);
    context.beginPath();
    let down = false; // the line breaks off where nobody speaks
    for (const { time, value } of points(emotion, from)) {
      if (value !== null) context[down ? "lineTo" : "moveTo"](placeAt(time), y(value));
      down = value !== null;
    }
    context.stroke();
  }
}

// The probability over time; of a long recording the means of neighbouring windows.
function points(emotion, from) {
  const seen = state.windows.filter(({ end }) => end >= from - 1);
  const size = Math.ceil(seen.length / MOST_POINTS);
  const found = [];
  for (let i = 0; i < seen.length; i += size) {
    const some = seen.slice(i, i + size);
    const values = some.map((window) => window.smoothed_probabilities[emotion])
      .filter((value) => value !== null);
    const sum = values.reduce((a, b) => a + b, 0);
    const time = (some[0].start + some.at(-1).end) / 2;
    found.push({ time, value: values.length ? sum / values.length : null });
  }
  return found;
}

function drawTimeline(from, to) {
  const spoken = state.segments.filter((s) => s.emotion && s.confidence !== null);
  const names = [...new Set(spoken.map((s) => s.emotion))].sort();
  const tall = Math.max(60, LANE * names.length + 22);
  const context = prepare("timeline", tall);
  names.forEach((name, i) => {
    context.fillStyle = colour(name);
    for (const s of spoken) {
      if (s.emotion !== name || s.end < from) continue;
      const x = Math.max(GUTTER, placeAt(s.start));
      context.fillRect(x, i * LANE + 3, Math.max(2, placeAt(s.end) - x), LANE - 6);
    }
  });
  context.fillStyle = paint("ink");
  names.forEach((name, i) => context.fillText(name, 4, i * LANE + LANE / 2));
  const ticks = width() < 500 ? 2 : 4;
  for (let i = 0; i <= ticks; i++) {
    const time = from + (to - from) * i / ticks;
    context.textAlign = i === 0 ? "left" : i === ticks ? "right" : "center";
    context.fillText(clock(time, to), placeAt(time) + (i === ticks ? -4 : i ? 0 : 4), tall - 9);
  }
}

export function clock(time, longest = time) {
  if (longest < 100) return `${time.toFixed(1)} s`;
  const whole = Math.round(time);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}
