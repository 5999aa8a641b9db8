// Plays a recording, whole or a segment of it, with a playhead over the pictures.
import { get, state } from "/page/state.js";
import { placeAt, timeAt } from "/page/pictures.js";

const audio = get("audio");
let until = null; // where a segment ends

export function load(blob) {
  unload();
  audio.src = URL.createObjectURL(blob);
  get("player").hidden = false;
}

export function unload() {
  until = null;
  audio.pause();
  if (audio.src) {
    URL.revokeObjectURL(audio.src);
    audio.removeAttribute("src");
    audio.load();
  }
  get("player").hidden = true;
  get("playhead").hidden = true;
}

export function playSegment({ start, end }) {
  if (!audio.src) return;
  until = end;
  audio.currentTime = start;
  audio.play().catch(() => {}); // another was chosen before this one began
}

function follow() {
  if (until !== null && audio.currentTime >= until) {
    until = null;
    audio.pause();
  }
  movePlayhead();
  if (!audio.paused) requestAnimationFrame(follow);
}

export function movePlayhead() {
  const head = get("playhead");
  head.hidden = !audio.src || Boolean(state.live);
  head.style.left = `${placeAt(audio.currentTime)}px`;
}

audio.addEventListener("play", follow);
audio.addEventListener("seeked", movePlayhead);
audio.addEventListener("loadedmetadata", movePlayhead);
audio.addEventListener("pause", () => { until = null; });

// A click on the pictures plays from there; one on the timeline plays the segment it hits.
get("stage").addEventListener("click", ({ target, clientX }) => {
  if (!audio.src || state.live) return;
  const time = timeAt(clientX - get("stage").getBoundingClientRect().left);
  if (time === null) return;
  const hit = state.segments.find(({ start, end }) => start <= time && time < end);
  if (target === get("timeline") && hit) playSegment(hit);
  else playSegment({ start: time, end: null });
});
