// What colours mean, how many items have each, and by which column points are coloured.

import { el, fill } from "./dom.js";
import { hex, MISSING, onRamp, OTHERS } from "./colours.js";
import { alone, countValues, histogram } from "./filters.js";
import { withFilter } from "./state.js";
import { count, counted, oneLine, short } from "./text.js";
import { colourOf, without } from "./view.js";

/** The legend below a choice of columns. app: {items, store, views, theme}. */
export function makeLegend(app, select, place) {
  const { items, store, views, theme } = app;
  const option = (each) => el("option", { value: each.name }, oneLine(each.name));
  fill(select, items.about.columns.map(option));
  select.disabled = !items.about.columns.length;
  select.addEventListener("change", () => store.set({ colour: select.value === items.about.colour_first ? null : select.value }));

  const show = (view) => {
    select.value = colourOf(items, store.get()) ?? "";
    const { space } = store.get();
    const column = view.columns[space];
    if (!column) return fill(place);
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.value : null;
    fill(place, column.kind === "number" ? ramp(column, view) : names(column, view, space));
    if (focused !== null) [...place.querySelectorAll("button")].find((each) => each.dataset.value === focused)?.focus();
    return undefined;
  };

  function names(column, view, space) {
    const counts = countValues(column, without(view, column.name));
    const colouring = view.colourings[space];
    const filter = store.get().filters[column.name];
    const wanted = (value) => !filter || (value.missing ? filter.missing : value.others ? filter.others : filter.values.includes(value.name));
    const entry = (value, label, colour, n) =>
      el("li", {}, el("button", { type: "button", class: "key", "data-value": label, "aria-pressed": String(Boolean(filter) && wanted(value)), onclick: () => keep(column, value) , class: wanted(value) ? "key" : "key off" }, [
        el("i", { class: "dot", style: { background: colour } }),
        el("bdi", { class: "key-name", title: label }, label),
        el("span", { class: "count" }, count(n)),
      ])); // prettier-ignore
    const lines = colouring.names.map((each) => entry({ name: each.name }, oneLine(each.name), each.colour, counts[each.code]));
    const shown = new Set(colouring.names.map((each) => each.code));
    const rest = column.values.filter((_, code) => !shown.has(code));
    const others = rest.reduce((sum, name) => sum + counts[column.values.indexOf(name)], 0) + counts[column.values.length];
    if (others) lines.push(el("li", { class: "key rest" }, el("i", { class: "dot", style: { background: OTHERS[theme.get()] } }), el("span", { class: "key-name" }, `${count(colouring.more || 1)} others`), el("span", { class: "count" }, count(others))));
    if (counts.at(-1)) lines.push(entry({ missing: true }, column.none, MISSING[theme.get()], counts.at(-1)));
    return el("ul", { class: "keys", "aria-label": `Legend of ${oneLine(column.name)}` }, lines);
  }

  function keep(column, value) {
    const { filters } = store.get();
    store.set({ filters: withFilter(filters, column.name, alone(filters[column.name], value)) });
  }

  function ramp(column, view) {
    const stops = Array.from({ length: 11 }, (_, at) => hex(onRamp(at / 10, theme.get())));
    const passed = without(view, column.name);
    const bars = histogram(column.numbers, passed, column.low, column.high, 32);
    const most = Math.max(1, ...bars);
    let missing = 0;
    for (let row = 0; row < passed.length; row++) if (passed[row] && Number.isNaN(column.numbers[row])) missing++;
    return el("div", { class: "ramp" }, [
      el("div", { class: "bars", "aria-hidden": "true" }, [...bars].map((n) => el("i", { style: { height: `${n ? Math.max(4, (100 * n) / most) : 0}%` } }))),
      el("div", { class: "colours", role: "img", "aria-label": `Colours from ${short(column.low)} to ${short(column.high)}`, style: { background: `linear-gradient(to right, ${stops.join(", ")})` } }),
      el("div", { class: "ends" }, [column.low, (column.low + column.high) / 2, column.high].map((each) => el("span", {}, short(each)))),
      missing > 0 && el("p", { class: "faint" }, el("i", { class: "dot", style: { background: MISSING[theme.get()] } }), ` ${counted(missing, "item")} without a value`),
    ]);
  }

  views.listen(show);
}
