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
  return sign * (typeof one === "number" ? one - other : compareTexts(one, other));
}

function compareTexts(one, other) { // numbers within names as numbers: alpha=0.25 before alpha=0.9
  const [ones, others] = [one, other].map((text) => text.split(/(\d+(?:\.\d+)?)/));
  for (let place = 0; place < Math.min(ones.length, others.length); place += 1) {
    const found = place % 2 ? ones[place] - others[place] : ones[place].localeCompare(others[place], "en");
    if (found) return found;
  }
  return ones.length - others.length;
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

function number(text, whole) { // as people write it: 0.2%, 0,002, 1/500, 1,200, 1 200
  const plain = text.trim().replace("%", "").trim();
  const parts = plain.split(/[:/]/);
  const read = (part) => Number(whole ? part.replace(/[\s.,'\u2019\u00a0\u202f](?=\d{3}(\D|$))/g, "") : part.replace(",", ".")) || NaN;
  const value = (parts.length === 2 && !whole ? read(parts[0]) / read(parts[1]) : read(plain)) / (text.includes("%") ? 100 : 1);
  return value > 0 && (whole || value < 1) ? value : NaN;
}

const TOO_FAR = 4; // times as rare, or as many

function nearness(board) { // what is asked for; a ratio of 2 either way is as far, of rates and of positives
  const asked = [...board.querySelectorAll("[data-near]")].filter((each) => each.value.trim()).map((input) => {
    const whole = "whole" in input.dataset;
    return { input, whole, place: Number(input.dataset.near), value: number(input.value, whole) };
  });
  for (const each of board.querySelectorAll("[data-near]")) each.removeAttribute("aria-invalid");
  for (const each of asked) if (Number.isNaN(each.value)) each.input.setAttribute("aria-invalid", "true");
  return asked;
}

function inWords(asked, value) {
  return asked.whole ? `${value.toLocaleString("en")} positives` : `${Number((100 * value).toPrecision(3))}%`;
}

function orderByNearness(board) {
  const table = board.querySelector("table");
  const asked = nearness(board);
  const status = board.querySelector("[data-near-said]");
  const rows = [...table.tBodies[0].rows].sort((a, b) => a.dataset.place - b.dataset.place);
  for (const row of rows) row.classList.remove("nearest");
  const wrong = asked.find((each) => Number.isNaN(each.value));
  const ratio = (row, each) => Math.abs(Math.log(ordered(row.cells[each.place]) / each.value));
  const far = (row) => asked.reduce((sum, each) => sum + ratio(row, each), 0);
  if (asked.length && !wrong) rows.sort((a, b) => far(a) - far(b));
  table.tBodies[0].append(...rows);
  for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
  if (wrong) return say(status, wrong.whole ? "Give a number of positives such as 1,200." : "Give a rate below 1 such as 0.002, 0.2% or 1/500.");
  if (!asked.length) return say(status, "");
  const nearest = shownRows(table)[0];
  const read = `Read as ${asked.map((each) => inWords(each, each.value)).join(" and ")}.`;
  if (!nearest) return say(status, `${read} No line is shown.`);
  nearest.classList.add("nearest");
  const close = asked.every((each) => ratio(nearest, each) <= Math.log(TOO_FAR));
  const its = asked.map((each) => inWords(each, ordered(nearest.cells[each.place]))).join(", ");
  say(status, `${read} ${close ? "Most like it" : "Nothing here is close; the nearest"}: ${nearest.cells[0].textContent} (${its}): ${nearest.cells[1].textContent}.`);
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
  if (board.querySelector("[data-near]")) orderByNearness(board);
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
  [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
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

const REACH = 14; // pixels from a mark at which it is still meant

function markAt(svg, event) { // what is hit, else the nearest mark or bar; a curve fills a whole box, so it has to be hit
  const hit = event.target.closest("g:has(> title)");
  if (hit) return hit;
  const [x, y] = [event.clientX, event.clientY];
  const marks = [...svg.querySelectorAll("g:has(> title)")].map((group) => {
    const box = group.getBoundingClientRect();
    const [right, down] = [Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom)];
    return { group, far: Math.hypot(right, down), thin: Math.min(box.width, box.height) <= REACH };
  }).filter((mark) => mark.thin && mark.far <= REACH);
  return marks.length ? marks.reduce((a, b) => (a.far <= b.far ? a : b)).group : null;
}

function tell(event) { // a finger has no tooltip: what it touches, or the mouse points at, is told below
  const group = markAt(event.currentTarget, event);
  event.currentTarget.closest("figure").querySelector("output").textContent = group ? group.querySelector("title").textContent : "";
}

for (const svg of document.querySelectorAll("figure svg")) {
  svg.addEventListener("click", tell);
  svg.addEventListener("mousemove", tell);
}

window.addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details.told:not([open])")) { each.open = true; each.dataset.shut = ""; }
});
window.addEventListener("afterprint", () => {
  for (const each of document.querySelectorAll("details[data-shut]")) { each.open = false; delete each.dataset.shut; }
});
