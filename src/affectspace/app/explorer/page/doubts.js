// Labels that the others contradict, the most surely wrong first, to be gone through by keys.

import { el, fill, icon, idParts } from "./dom.js";
import { classColour } from "./item.js";
import { makeList } from "./list.js";
import { count, counted, oneLine } from "./text.js";

const STATES = ["corrected", "confirmed", "left out"];

/** The tab of doubts. app: {items, store, views, corrections, say}; progress: the element that counts. */
export function makeDoubts(app, place, progress) {
  const { items, store, views } = app;
  let found = null; // {space, rows} as the server has told them
  let rows = []; // those that are shown
  let states = null; // the column of what people have done
  const just = new Map(); // what was said here and is not in that column yet: row to state
  let asked = null;

  const list = makeList({
    label: "Labels in doubt",
    height: 38,
    chosen: (at) => store.set({ item: rows[at].row }, "replace"),
    line: (at) => {
      const each = rows[at];
      const state = stateOf(each.row);
      return [
        el("span", { class: "mark-state" }, state ? [icon(state === "left out" ? "close" : "check"), el("span", { class: "unseen" }, state)] : null),
        el("bdi", { class: "line-id" }, idParts(oneLine(each.id))),
        el("span", { class: "change" }, [
          el("i", { class: "dot", style: { background: classColour(app, each.label) } }),
          el("span", {}, oneLine(each.label ?? "no label")),
          el("span", { class: "arrow", "aria-label": "rather" }, "→"),
          el("i", { class: "dot", style: { background: classColour(app, each.suggested) } }),
          el("strong", {}, oneLine(each.suggested)),
        ]),
        el("span", { class: "score" }, el("span", { class: "bar", style: { width: `${Math.round(100 * each.score)}%` } }), el("span", { class: "percent" }, each.score.toFixed(2))),
        el("span", { class: "line-reasons" }, oneLine(each.reasons)),
      ];
    },
    named: (at) => oneLine(rows[at].reasons),
  });
  const keys = el("p", { class: "keys-hint" }, [
    [["j", "k"], "next, back"], [["1", "–", "9"], "class"], [["Enter"], "as suggested"], [["c"], "right"],
    [["0"], "leave out"], [["u"], "undo"], [["Space"], "play"],
  ].map(([names, does]) => el("span", {}, names.map((each) => (each === "–" ? "–" : el("kbd", {}, each))), ` ${does}`))); // prettier-ignore
  const message = el("div", { class: "empty", hidden: true });
  fill(place, keys, message, list.element);

  const stateOf = (row) => just.get(row) ?? (states && states.codes[row] >= 0 ? STATES[states.codes[row]] : null);
  const open = () => store.get().tab === "doubts";

  async function load() {
    const { space } = store.get();
    if (found?.space === space || asked === space) return;
    asked = space;
    tell("Looking for labels in doubt …");
    try {
      states = await items.column("corrected", space);
      const told = await items.doubts(space, (state) => tell(`${state.says ?? "looking for labels in doubt"} …`));
      if (store.get().space === space) found = { space, rows: told };
    } catch (error) {
      tell(error.message);
    }
    asked = null;
    show();
  }

  function tell(says) {
    message.hidden = !says;
    list.element.hidden = Boolean(says);
    fill(message, el("p", {}, says ? oneLine(says) : ""));
  }

  function show() {
    if (!found) return;
    const view = views.get();
    rows = view ? found.rows.filter((each) => view.shown[each.row] && (!view.picked || view.picked[each.row])) : found.rows;
    if (!rows.length) tell(found.rows.length ? "None of the labels in doubt is among what is shown." : "No label is contradicted by the others.");
    else tell("");
    list.show(rows.length, rows.findIndex((each) => each.row === store.get().item));
    progressed();
  }

  function progressed() {
    const done = rows.filter((each) => stateOf(each.row)).length;
    progress.hidden = !open() || !rows.length;
    fill(progress, el("span", { class: "track", "aria-hidden": "true" }, el("span", { style: { width: `${rows.length ? (100 * done) / rows.length : 0}%` } })), `${count(done)} of ${count(rows.length)} looked at`);
  }

  store.listen((state, changed) => {
    if (open()) load();
    if (changed.has("tab")) list.reveal();
    if (changed.has("space")) found = null;
    if (["tab", "item"].some((each) => changed.has(each))) show();
    progressed();
  });
  views.listen(show);
  if (open()) load();

  return {
    rows: () => rows,
    focus: list.focus,
    /** How many there are, where that is known. */
    total: () => found?.rows.length ?? null,
    /** What the list tells of an item that nobody has looked at: {row, id, label}, as the panel would; else undefined. */
    untouched(row) {
      const each = stateOf(row) ? undefined : rows.find((one) => one.row === row);
      return each && { row, id: each.id, label: items.about.classes.includes(each.label) ? each.label : null };
    },
    suggested: (row) => rows.find((each) => each.row === row)?.suggested,
    /** To the next or the previous one. */
    step(by) {
      if (!rows.length) return;
      const at = rows.findIndex((each) => each.row === store.get().item);
      const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
      if (next === at) app.say(by > 0 ? "This is the last one." : "This is the first one.");
      store.set({ item: rows[next].row }, "replace");
    },
    /** From an item that was just judged to the next that nobody has looked at. */
    goOn(row) {
      const at = rows.findIndex((each) => each.row === row);
      if (!open() || at < 0) return;
      const waiting = app.corrections.waiting().findLast((each) => each.row === row);
      if (waiting && !waiting.undo) just.set(row, waiting.new === "" ? "left out" : waiting.new === waiting.old ? "confirmed" : "corrected");
      const next = [...rows.slice(at + 1), ...rows.slice(0, at)].find((each) => !stateOf(each.row));
      show();
      if (next) store.set({ item: next.row }, "replace");
      else app.say(`All ${counted(rows.length, "label")} in doubt are looked at.`);
    },
    /** What people have done is to be asked for again. */
    async again() {
      try {
        states = await items.column("corrected", store.get().space);
        just.clear();
        for (const each of app.corrections.waiting()) if (!each.undo) just.set(each.row, each.new === each.old ? "confirmed" : each.new === "" ? "left out" : "corrected");
      } catch {
        return; // what is known stays
      }
      show();
    },
  };
}
