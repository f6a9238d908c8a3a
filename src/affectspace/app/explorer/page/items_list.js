// The items that are shown, or picked, one a line.

import { decisionMark } from "./decisions.js";
import { el, fill, idParts } from "./dom.js";
import { rowsOf } from "./filters.js";
import { hex } from "./colours.js";
import { makeList } from "./list.js";
import { oneLine, short } from "./text.js";

/** The tab of items. app: {items, store, views, decisions}. */
export function makeItemsList(app, place) {
  const { items, store, views } = app;
  let rows = new Int32Array(0);
  let ids = null;
  const list = makeList({
    label: "Items",
    height: 32,
    chosen: (at) => store.set({ item: rows[at] }, "replace"),
    line: (at) => {
      const row = rows[at];
      const view = views.get();
      const { space } = store.get();
      const column = view?.columns[space];
      const colour = view?.colours[space] && hex([...view.colours[space].slice(3 * row, 3 * row + 3)]);
      const value = !column ? "" : column.kind === "number" ? short(column.numbers[row]) : column.codes[row] < 0 ? column.none : (column.values[column.codes[row]] ?? "another");
      const done = app.decisions.of(row);
      return [
        el("i", { class: "dot", style: { background: colour ?? "transparent" } }),
        el("bdi", { class: "line-id" }, idParts(ids ? oneLine(ids[row]) : `item ${row}`)),
        el("span", { class: "line-value", title: oneLine(value) }, el("bdi", {}, oneLine(value))),
        el("span", { class: "line-mark" }, done && decisionMark(done.state)),
      ];
    },
  });
  const message = el("div", { class: "empty", hidden: true }, el("p", {}, "No item passes these filters."));
  fill(place, message, list.element);

  const placeOf = (row) => {
    let [low, high] = [0, rows.length - 1]; // rows stand in their order
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (rows[middle] === row) return middle;
      if (rows[middle] < row) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  };
  const show = () => {
    message.hidden = rows.length > 0;
    list.element.hidden = !rows.length;
    const { item } = store.get();
    list.show(rows.length, item === null ? -1 : placeOf(item));
  };
  views.listen((view) => {
    rows = rowsOf(view.picked ?? view.shown);
    show();
  });
  store.listen((state, changed) => {
    if (changed.has("item") || changed.has("tab")) show();
    if (changed.has("tab") && state.tab === "items") list.reveal();
  });
  app.decisions.listen(show);
  items.ids().then(
    (told) => {
      ids = told;
      show();
    },
    () => {}, // rows are told by number until the server is back
  );
  return {
    rows: () => rows,
    focus: list.focus,
    step(by) {
      if (!rows.length) return;
      const { item } = store.get();
      const at = item === null ? -1 : placeOf(item);
      store.set({ item: rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))] }, "replace");
    },
  };
}
