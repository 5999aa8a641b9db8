// Clips of the model's corpus, to try.
import { request } from "/page/api.js";
import { upload } from "/page/file.js";
import { get, setProblem } from "/page/state.js";

export async function loadExamples() {
  const clips = await request("/examples");
  get("examples").hidden = !clips.length;
  if (!clips.length) return;
  get("examples-title").textContent = clips.every(({ unseen }) => unseen)
    ? "Or try a clip that the model was not fitted with, by the emotion its corpus gives it:"
    : "Or try a clip of its corpus, by the emotion it has there. The model may know it from its "
      + "training, so other voices are a harder test.";
  get("example-buttons").replaceChildren(...clips.map(({ place, emotion, suffix }) => {
    const button = Object.assign(document.createElement("button"), {
      type: "button", className: "quiet", textContent: emotion });
    button.setAttribute("aria-label", `Example ${place}: ${emotion}`);
    button.addEventListener("click", async () => {
      try {
        const sound = await request(`/examples/${place}`, { type: "blob" });
        await upload(new File([sound], `example ${place}, ${emotion}${suffix}`));
      } catch (error) {
        setProblem(error.message);
      }
    });
    return button;
  }));
}
