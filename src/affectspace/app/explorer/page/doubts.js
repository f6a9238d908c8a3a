// Labels that the space contradicts, the most surely wrong first, to be gone through by keys.

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
  let columns = null; // {states, labels}: what people have done, and what holds since
  const just = new Map(); // what was said here and is not in those columns yet: row to {state, label}
  let asked = null;

  const list = makeList({
    label: "Labels in doubt",
    height: 46,
    heading: el("div", { class: "line-heading" }, [
      el("span", { title: "How surely the label is wrong, from 0 to 1" }, "Score"),
      el("span", {}, "Item", el("span", { class: "and-why" }, ", and why")),
      el("span", { class: "change" }, "Label", el("span", { class: "arrow", "aria-hidden": "true" }, "→"), el("span", { class: "unseen" }, " and what "), "suggested"),
      el("span", { class: "decided" }, "Decided"),
    ]),
    chosen: (at) => store.set({ item: rows[at].row }, "replace"),
    line: (at) => {
      const each = rows[at];
      const done = doneTo(each.row);
      const taken = !done || done.label === each.suggested; // what others were given is struck out
      return [
        el("span", { class: "score" }, el("span", { class: "unseen" }, "score "), each.score.toFixed(2)),
        el("bdi", { class: "line-id" }, idParts(oneLine(each.id))),
        el("span", { class: "change" }, [
          named(each.label ?? "no label"),
          el("span", { class: "arrow" }, el("span", { "aria-hidden": "true" }, "→"), el("span", { class: "unseen" }, " suggested ")),
          el(taken ? "strong" : "s", {}, named(each.suggested)),
        ]),
        el("span", { class: "decided" }, done && [icon(done.state === "left out" ? "close" : "check"), el("span", { class: "unseen" }, " decided: "), decision(done)]),
        el("span", { class: "line-reasons" }, oneLine(each.reasons)),
      ];
    },
    named: (at) => oneLine(rows[at].reasons),
  });
  const named = (name) => [el("i", { class: "dot", style: { background: classColour(app, name) } }), el("span", {}, oneLine(name))];
  const decision = ({ state, label }) => (label === null ? el("span", {}, state) : [el("i", { class: "dot", style: { background: classColour(app, label) } }), el("span", {}, state === "confirmed" ? `stays ${oneLine(label)}` : oneLine(label))]);
  const keys = el("p", { class: "keys-hint" }, [
    [["j", "k"], "next, back"], [["1", "–", "9"], "class"], [["Enter"], "as suggested"], [["c"], "right"],
    [["0"], "leave out"], [["u"], "undo"], [["Space"], "play"],
  ].map(([names, does]) => el("span", {}, names.map((each) => (each === "–" ? "–" : el("kbd", {}, each))), ` ${does}`))); // prettier-ignore
  const message = el("div", { class: "empty", hidden: true });
  fill(place, keys, message, list.heading, list.element);

  /** What was done to an item and the label that holds since; null where nobody has judged it. */
  function doneTo(row) {
    const state = columns?.states.codes[row] ?? -1;
    return just.get(row) ?? (state < 0 ? null : { state: STATES[state], label: columns.labels?.values[columns.labels.codes[row]] ?? null });
  }
  const open = () => store.get().tab === "doubts";

  async function load() {
    const { space } = store.get();
    if (found?.space === space || asked === space) return;
    asked = space;
    tell("Looking for labels in doubt …");
    try {
      await look(space);
      const told = await items.doubts(space, (state) => tell(`${state.says ?? "looking for labels in doubt"} …`));
      if (store.get().space === space) found = { space, rows: told };
    } catch (error) {
      tell(error.message);
    }
    asked = null;
    show();
  }

  async function look(space) {
    const [states, labels] = await Promise.all([items.column("corrected", space), items.column("label", space)]);
    columns = { states, labels };
  }

  function tell(says) {
    message.hidden = !says;
    list.element.hidden = list.heading.hidden = Boolean(says);
    fill(message, el("p", {}, says ? oneLine(says) : ""));
  }

  function show() {
    if (!found) return;
    const view = views.get();
    rows = view ? found.rows.filter((each) => view.shown[each.row] && (!view.picked || view.picked[each.row])) : found.rows;
    if (!rows.length) tell(found.rows.length ? "None of the labels in doubt is among what is shown." : "The space contradicts no label.");
    else tell("");
    list.show(rows.length, rows.findIndex((each) => each.row === store.get().item));
    progressed();
  }

  function progressed() {
    const done = rows.filter((each) => doneTo(each.row)).length;
    progress.hidden = !open() || !rows.length;
    fill(progress, el("span", { class: "track", "aria-hidden": "true" }, el("span", { style: { width: `${rows.length ? (100 * done) / rows.length : 0}%` } })), `${count(done)} of ${count(rows.length)} looked at`);
  }

  /** Take down what is on its way to the server. */
  function hear(row) {
    const said = app.corrections.waiting().findLast((each) => each.row === row && !each.fault);
    const doubted = found?.rows.find((each) => each.row === row);
    if (!said || said.undo || !doubted) return;
    const state = said.new === "" ? "left out" : said.new === doubted.label ? "confirmed" : "corrected";
    just.set(row, { state, label: said.new === "" ? null : said.new });
  }

  store.listen((state, changed) => {
    if (open()) load();
    if (changed.has("tab")) list.reveal();
    if (changed.has("space")) found = null;
    if (["tab", "item"].some((each) => changed.has(each))) show();
    progressed();
  });
  views.listen(show);
  app.corrections.listen(() => {
    const refused = app.corrections.waiting().filter((each) => each.fault && just.delete(each.row));
    if (refused.length) show();
  });
  if (open()) load();

  return {
    rows: () => rows,
    focus: list.focus,
    /** How many there are, where that is known. */
    total: () => found?.rows.length ?? null,
    /** What the list tells of an item that nobody has looked at: {row, id, label}, as the panel would; else undefined. */
    untouched(row) {
      const each = doneTo(row) ? undefined : rows.find((one) => one.row === row);
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
      if (at < 0) return;
      hear(row);
      if (!open()) return;
      const next = [...rows.slice(at + 1), ...rows.slice(0, at)].find((each) => !doneTo(each.row));
      show();
      if (next) store.set({ item: next.row }, "replace");
      else app.say(`All ${counted(rows.length, "label")} in doubt are looked at.`);
    },
    /** What was just said of an item is taken back. */
    takeBack(row) {
      if (just.delete(row)) show();
    },
    /** What people have done is to be asked for again. */
    async again() {
      try {
        await look(store.get().space);
        just.clear();
        for (const each of app.corrections.waiting()) hear(each.row);
      } catch {
        return; // what is known stays
      }
      show();
    },
  };
}
