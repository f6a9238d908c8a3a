// Filters on every column: values to be ticked, ranges to be typed.

import { el, fill } from "./dom.js";
import { countValues, histogram, toggled } from "./filters.js";
import { withFilter } from "./state.js";
import { count, oneLine, short } from "./text.js";
import { without } from "./view.js";

const FIRST = 14; // values shown of a column, before one looks for others
const MOST = 200;

/** A part for each column, which is asked for when it is opened. app: {items, store, views}. */
export function makeFilterPanel(app, place) {
  fill(place, app.items.about.columns.map((told) => part(app, told)));
}

function part(app, told) {
  const { items, store, views } = app;
  const active = el("span", { class: "active", hidden: true }, el("span", { class: "unseen" }, "filtered"));
  const body = el("div", { class: "filter-body" });
  const details = el("details", { class: "filter" }, el("summary", {}, el("span", {}, oneLine(told.name)), active), body);
  let showing = null; // what brings the body up to date

  const set = (filter) => store.set({ filters: withFilter(store.get().filters, told.name, filter) });
  const open = async () => {
    if (!details.open) return;
    try {
      const column = await items.column(told.name, store.get().space, () => fill(body, el("p", { class: "faint" }, "Being made …")));
      showing = (column.kind === "number" ? range : ticks)(body, column, set, () => store.get().filters[told.name]);
      if (views.get()) showing(views.get());
    } catch (error) {
      fill(body, el("p", { class: "fault" }, oneLine(error.message)));
    }
  };
  details.addEventListener("toggle", open);
  if (store.get().filters[told.name]) details.open = true;
  views.listen((view) => {
    active.hidden = !store.get().filters[told.name];
    if (details.open && showing) showing(view);
  });
  store.listen((state, changed) => {
    if (changed.has("space") && told.of_space) open();
  });
  app.corrected.listen(() => ["label", "corrected"].includes(told.name) && open());
  return details;
}

function ticks(body, column, set, filterNow) {
  const held = countValues(column, new Uint8Array(column.codes.length).fill(1));
  const there = column.values.map((_, code) => code).filter((code) => held[code]); // a value that no item has sorts none out
  const find = there.length > FIRST ? el("input", { type: "search", class: "find-value", placeholder: `Find among ${count(there.length)}`, "aria-label": `Find a value of ${oneLine(column.name)}` }) : null;
  const lines = el("ul", { class: "ticks" });
  const more = el("button", { type: "button", class: "more", onclick: () => ((all = true), draw(last)) });
  fill(body, find, lines, more);
  let all = false;
  let last = null;
  let drawn = "";
  let made = [];
  find?.addEventListener("input", () => draw(last));

  function draw(view) {
    last = view;
    const words = find?.value.trim().toLowerCase() ?? "";
    const counts = countValues(column, without(view, column.name));
    let codes = there.filter((code) => column.values[code].toLowerCase().includes(words));
    const many = codes.length;
    codes = codes.slice(0, all || words ? MOST : FIRST);
    more.hidden = codes.length === many || words !== "";
    more.textContent = `Show ${count(Math.min(many, MOST))} of ${count(many)}`;
    const values = codes.map((code) => ({ name: column.values[code], code }));
    if (counts[column.values.length] && !words) values.push({ others: true, name: "others", code: column.values.length });
    if (counts.at(-1) && !words) values.push({ missing: true, name: column.none, code: column.values.length + 1 });
    const key = JSON.stringify(values.map((each) => each.code));
    if (key !== drawn) {
      drawn = key;
      made = values.map((value) => {
        const box = el("input", { type: "checkbox", onchange: () => set(toggled(column, filterNow(), value)) });
        const n = el("span", { class: "count" });
        return { value, box, n, element: el("li", {}, el("label", {}, box, el("bdi", { class: "key-name", title: oneLine(value.name) }, oneLine(value.name)), n)) };
      });
      fill(lines, made.map((each) => each.element));
    }
    const filter = filterNow();
    for (const { value, box, n } of made) {
      box.checked = !filter || (value.missing ? filter.missing : value.others ? filter.others : filter.values.includes(value.name));
      n.textContent = count(counts[value.code]);
    }
  }
  return draw;
}

function range(body, column, set, filterNow) {
  const step = 10 ** Math.floor(Math.log10((column.high - column.low || 1) / 100));
  const end = (label, name) => {
    const field = el("input", { type: "number", step: "any", "aria-label": `${oneLine(column.name)} ${label}`, placeholder: short(column[name]) });
    field.addEventListener("change", () => {
      const typed = field.value === "" || !Number.isFinite(Number(field.value)) ? null : Number(field.value);
      const filter = { low: null, high: null, ...filterNow(), [name]: typed };
      set(filter.low === null && filter.high === null ? null : filter);
    });
    return field;
  };
  const slide = (label, name) => {
    const field = el("input", { type: "range", min: column.low, max: column.high, step, "aria-label": `${oneLine(column.name)} ${label}` });
    field.addEventListener("change", () => {
      const at = Number(field.value);
      const outmost = name === "low" ? at <= column.low : at >= column.high - step;
      const filter = { low: null, high: null, ...filterNow(), [name]: outmost ? null : at };
      set(filter.low === null && filter.high === null ? null : filter);
    });
    return field;
  };
  const [low, high, slideLow, slideHigh] = [end("at least", "low"), end("at most", "high"), slide("lower end", "low"), slide("upper end", "high")];
  const bars = el("div", { class: "bars", "aria-hidden": "true" });
  fill(body, bars, el("div", { class: "slides" }, slideLow, slideHigh), el("div", { class: "range" }, low, el("span", {}, "to"), high));
  return (view) => {
    const filter = filterNow() ?? {};
    const counts = histogram(column.numbers, without(view, column.name), column.low, column.high, 32);
    const most = Math.max(1, ...counts);
    const width = (column.high - column.low) / 32;
    const within = (at) => column.low + (at + 1) * width >= (filter.low ?? -Infinity) && column.low + at * width <= (filter.high ?? Infinity);
    fill(bars, [...counts].map((n, at) => el("i", { class: within(at) ? null : "off", style: { height: `${n ? Math.max(4, (100 * n) / most) : 0}%` } })));
    [low.value, high.value] = [filter.low ?? "", filter.high ?? ""];
    [slideLow.value, slideHigh.value] = [filter.low ?? column.low, filter.high ?? column.high];
  };
}
