// What the page shows. Nothing of it outlives the next file or recording.
export const WINDOW = 2, HOP = 0.5; // seconds
export const state = {
  card: null,
  emotions: [],
  limits: { megabytes: Infinity, seconds: Infinity, others: true }, // of an upload
  name: "", // of the file or recording
  sketch: null, // its waveform and spectrum
  windows: [], // as the server gives them
  segments: [], // of one emotion each
  whole: null, // the prediction of all of it
  wav: null, // what was recorded or decoded here, as a file
  live: null, // the microphone, while it is open
  newest: 0, // number of the newest file or recording; what belongs to an older one is dropped
};

export const get = (id) => document.getElementById(id);
export const setStatus = (text) => { get("status").textContent = text; };
export const setProblem = (text) => { get("problem").textContent = text; };
