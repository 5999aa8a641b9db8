// Saves the result as a table or as JSON, and what was recorded as WAV.
import { get, state } from "/page/state.js";

function save(blob, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${(state.name || "recording").replace(/\.[^.]*$/, "")}${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The columns of `predict --segments --csv`. A spreadsheet must not take a name for a formula.
function table() {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  const names = ["path", "start", "end", "emotion", "confidence", "error"];
  const rows = state.segments.map((s) => [
    state.name, s.start, s.end, s.emotion, s.confidence, s.error,
    ...state.emotions.map((emotion) => (s.probabilities || {})[emotion]), s.warning,
  ]);
  const head = [...names, ...state.emotions.map((emotion) => `p_${emotion}`), "warning"];
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function everything() {
  const { name, whole, windows, segments, card } = state;
  const model = { classifier: card.classifier, sha256: card.sha256 };
  return JSON.stringify({ file: name, model, ...whole, windows, segments }, null, 1);
}

export function listenForSaving() {
  get("save-csv").addEventListener("click", () => save(new Blob([table()], { type: "text/csv" }), ".csv"));
  get("save-json").addEventListener("click", () => (
    save(new Blob([everything()], { type: "application/json" }), ".json")));
  get("save-recording").addEventListener("click", () => save(state.wav, ".wav"));
}
