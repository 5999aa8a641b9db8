// The page: a file or a microphone in; bars, pictures over time and a player out.
import { onReturn, setToken } from "/page/api.js";
import { upload } from "/page/file.js";
import { speak, stop } from "/page/live.js";
import { loadCard } from "/page/model.js";
import { draw } from "/page/pictures.js";
import { movePlayhead } from "/page/player.js";
import { listenForSaving } from "/page/save.js";
import { get, state } from "/page/state.js";

get("file").addEventListener("change", ({ target }) => {
  if (target.files.length) upload(target.files[0]);
  target.value = "";
});
get("speak").addEventListener("click", () => (state.live && !state.live.ending ? stop() : speak()));
get("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(get("token").value);
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
window.addEventListener("resize", () => { draw(); movePlayhead(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
onReturn(loadCard);
listenForSaving();
loadCard();
draw();
