// What the page does beyond showing itself: without this script tables keep their order, cells of
// the matrix lead to their clips, and clips have the browser's own player.
"use strict";

// Tables are sorted by a press on a heading, in the order of numbers where there are numbers.
const value = row => index => {
  const text = row.cells[index].innerText.trim();
  const number = parseFloat(text.replace(/\s/g, ""));
  const date = /^\d{4}-\d\d-/.test(text); // written so that letters sort it
  return Number.isNaN(number) || date ? text : number;
};
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a.localeCompare(b, undefined, {numeric: true});
}
function sortBy(table, head) {
  const index = head.cellIndex, body = table.tBodies[0];
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].map(row => [value(row)(index), row]);
  rows.sort(([a], [b]) => down ? compare(b, a) : compare(a, b));
  body.append(...rows.map(([, row]) => row));
}
for (const table of document.querySelectorAll("table.sortable"))
  for (const head of table.tHead.rows[0].cells) {
    if (head.tagName !== "TH") continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head));
    head.append(button);
  }

// A round button plays a clip, and stops whatever else plays.
let playing = null;
for (const audio of document.querySelectorAll(".clip audio")) {
  const name = audio.getAttribute("aria-label"), button = document.createElement("button");
  const show = () => {
    button.textContent = audio.paused ? "▶" : "❚❚";
    button.setAttribute("aria-label", `${audio.paused ? "Play" : "Pause"} ${name}`);
  };
  button.type = "button";
  button.className = "play";
  button.addEventListener("click", () => {
    if (!audio.paused) return audio.pause();
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    return audio.play();
  });
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, show);
  show();
  audio.hidden = true;
  audio.before(button);
}

// A cell of the matrix shows its clips beside it; arrow keys go from cell to cell.
for (const matrix of document.querySelectorAll("table.matrix")) {
  const links = [...matrix.querySelectorAll("a")];
  if (!links.length) continue;
  const cells = links.map(link => document.getElementById(link.hash.slice(1)));
  const focusable = link => { for (const one of links) one.tabIndex = one === link ? 0 : -1; };
  const choose = (link, go) => {
    links.forEach((one, i) => {
      cells[i].classList.toggle("chosen", one === link);
      if (one === link) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    });
    focusable(link);
    if (!go) return;
    const heading = cells[links.indexOf(link)].querySelector("h3");
    heading.focus({preventScroll: true});
    heading.scrollIntoView({block: "nearest"});
  };
  const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
  matrix.addEventListener("click", event => {
    const link = event.target.closest("a") || event.target.closest("td")?.querySelector("a");
    if (!link) return;
    event.preventDefault();
    choose(link, true);
  });
  matrix.addEventListener("keydown", event => {
    if (!(event.key in step) || event.target.tagName !== "A") return;
    event.preventDefault();
    const [down, right] = step[event.key], rows = matrix.tBodies[0].rows;
    const cell = event.target.closest("td");
    let i = cell.parentNode.sectionRowIndex + down, j = cell.cellIndex + right;
    for (; rows[i]?.cells[j]; i += down, j += right) {
      const link = rows[i].cells[j].querySelector("a");
      if (link) { focusable(link); link.focus(); return; }
    }
  });
  for (const link of document.querySelectorAll("a[href^='#cell-']"))
    if (!links.includes(link))
      link.addEventListener("click", event => {
        event.preventDefault();
        choose(links.find(one => one.hash === link.hash), true);
      });
  const start = links.find(link => link.hash === location.hash);
  choose(start || links[cells.findIndex(cell => cell.classList.contains("chosen"))], Boolean(start));
}

// Links of the contents open what is folded.
addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  target?.closest("details")?.setAttribute("open", "");
});
