// What the model is, from its card.
import { askForToken, explainToken, getToken, request } from "/page/api.js";
import { loadExamples } from "/page/examples.js";
import { makeBars, percent } from "/page/result.js";
import { get, setProblem, state } from "/page/state.js";

export async function loadCard() {
  try {
    const health = await request("/health", { anyStatus: true });
    if (!health.authorized) {
      askForToken();
      throw new Error(explainToken(getToken() ? "wrong" : ""));
    }
    const card = await request("/card");
    state.card = card;
    state.emotions = card.classes;
    state.limits = {
      megabytes: health.max_megabytes, seconds: health.max_seconds, others: health.other_formats };
    get("model").textContent = card.about
      || `${card.classifier.split("(")[0]}. ${describeTest(card)}`;
    list(card);
    get("token-form").hidden = true;
    setProblem("");
    makeBars();
    await loadExamples();
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

function list(card) {
  const { scores, data, split, created } = card;
  const uar = scores && scores.uar !== undefined
    ? `${percent(scores.uar)}${scores.uar_interval
      ? ` (95 % interval ${scores.uar_interval.map((v) => percent(v)).join(" to ")})` : ""}` : null;
  const facts = {
    Emotions: card.classes.join(", "),
    Classifier: card.classifier.split("(")[0],
    Features: (card.features || []).map((feature) => feature.split("(")[0])
      .filter((name, i, all) => all.indexOf(name) === i).join(", "),
    "Sampling rate": `${card.sampling_rate} Hz`,
    "Training data": data && `${data.name}, ${data.n_clips} clips`,
    Split: split && `${split.kind}, ${split.n_test} test clips`,
    "UAR of the test set": uar,
    Made: created && created.slice(0, 10),
    Attribution: card.attribution,
  };
  get("facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value)
    .flatMap(([name, value]) => [
      Object.assign(document.createElement("dt"), { textContent: name }),
      Object.assign(document.createElement("dd"), { textContent: value }),
    ]));
  get("about").hidden = false;
}
