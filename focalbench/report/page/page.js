"use strict";
// Sorting, filtering and copying of the page's tables. Without it the page is complete, but for its buttons.
document.documentElement.classList.add("js");

function shownRows(table) {
  return [...table.tBodies[0].rows].filter((row) => !row.hidden);
}

function say(place, text) {
  place.textContent = "";
  window.setTimeout(() => { place.textContent = text; }, 30); // the same words twice are read out twice
}

function ordered(cell) {
  const text = cell.dataset.order;
  if (text === undefined) return null;
  return cell.dataset.kind === "number" ? Number(text) : text;
}

function compare(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null); // what has none comes last
  return sign * (typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true }));
}

function sortBy(table, head) {
  const place = head.cellIndex;
  const up = head.getAttribute("aria-sort") !== "ascending" && !(head.dataset.first === "down" && head.getAttribute("aria-sort") === "none");
  for (const each of table.tHead.rows[0].cells) if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compare(ordered(a.cells[place]), ordered(b.cells[place]), up ? 1 : -1));
  table.tBodies[0].append(...rows);
}

function number(text, whole) { // as people write it: 0.2%, 0,002, 1,200, 1 200
  const plain = text.trim().replace("%", "").trim();
  const written = whole ? plain.replace(/[\s.,'\u00a0\u202f](?=\d{3}(\D|$))/g, "") : plain.replace(",", ".");
  const value = written === "" ? NaN : Number(written) / (text.includes("%") ? 100 : 1);
  return value > 0 && (whole || value < 1) ? value : NaN;
}

function orderByNearness(board) { // a ratio of 2 either way is as far, of rates and of positives
  const table = board.querySelector("table");
  const given = [...board.querySelectorAll("[data-near]")].filter((each) => each.value.trim());
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) row.classList.remove("nearest");
  const own = given.map((each) => ({ place: Number(each.dataset.near), value: number(each.value, "whole" in each.dataset) }));
  const status = board.querySelector("[role=status]");
  if (own.some((each) => Number.isNaN(each.value))) return say(status, "Give a rate such as 0.002 or 0.2%, and a number of positives such as 1,200.");
  if (!own.length) return say(status, "");
  const far = (row) => own.reduce((sum, each) => sum + Math.abs(Math.log(ordered(row.cells[each.place]) / each.value)), 0);
  rows.sort((a, b) => far(a) - far(b));
  table.tBodies[0].append(...rows);
  for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
  const nearest = shownRows(table)[0];
  if (!nearest) return say(status, "No line is shown.");
  nearest.classList.add("nearest");
  say(status, `Most like it: ${nearest.cells[0].textContent}`);
}

function filter(board) {
  const table = board.querySelector("table");
  const rows = [...table.tBodies[0].rows];
  const asked = [...board.querySelectorAll("[data-filter]")].filter((each) => each.value);
  const passes = (row, each) => each.dataset.filter === "text"
    ? row.textContent.toLowerCase().includes(each.value.toLowerCase())
    : row.dataset[each.dataset.filter] === each.value;
  for (const row of rows) row.hidden = !asked.every((each) => passes(row, each));
  say(board.querySelector("[role=status]"), `${shownRows(table).length} of ${rows.length} rows`);
}

function written(board, kind) {
  const all = JSON.parse(board.querySelector("script[type='application/json']").textContent)[kind];
  const rows = shownRows(board.querySelector("table")).map((row) => all.lines[Number(row.dataset.row)]);
  return [all.head, ...rows, ...(all.tail ? [all.tail] : [])].join("\n") + "\n";
}

function byHand(text) { // where a browser keeps its clipboard from pages that came as files
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(text, status, button) {
  let done = true;
  try { await navigator.clipboard.writeText(text); } catch { done = byHand(text); }
  button.focus();
  say(status, done ? "Copied." : "This browser does not let the page copy; select the text instead.");
}

for (const board of document.querySelectorAll(".board")) {
  const table = board.querySelector("table");
  const status = board.querySelector("[role=status]");
  for (const head of table.tHead.rows[0].cells) {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sortBy(table, head));
  }
  for (const each of board.querySelectorAll("[data-filter]")) each.addEventListener("input", () => filter(board));
  for (const each of board.querySelectorAll("[data-near]")) each.addEventListener("input", () => orderByNearness(board));
  for (const each of board.querySelectorAll("[data-copy]")) {
    each.addEventListener("click", () => copy(written(board, each.dataset.copy), status, each));
  }
}

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => {
    const text = document.getElementById(button.dataset.copies).textContent;
    copy(text, button.parentElement.querySelector("[role=status]"), button);
  });
}

for (const figure of document.querySelectorAll("figure")) { // a finger has no tooltip: what it touches is told below
  figure.addEventListener("click", (event) => {
    const group = event.target.closest("g:has(> title)");
    if (group) figure.querySelector("output").textContent = group.querySelector("title").textContent;
  });
}

window.addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details.told:not([open])")) { each.open = true; each.dataset.shut = ""; }
});
window.addEventListener("afterprint", () => {
  for (const each of document.querySelectorAll("details[data-shut]")) { each.open = false; delete each.dataset.shut; }
});
