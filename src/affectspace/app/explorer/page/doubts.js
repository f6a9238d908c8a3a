// Labels that the space contradicts, the most surely wrong first, to be gone through by keys.

import { clipped, el, fill, icon, idParts } from "./dom.js";
import { classColour } from "./item.js";
import { makeList } from "./list.js";
import { count, counted, oneLine } from "./text.js";

/** The tab of doubts. app: {items, store, views, decisions, panel, say}; progress: the element that counts. */
export function makeDoubts(app, place, progress) {
  const { items, store, views } = app;
  let found = null; // {space, rows} as the server has told them
  let rows = []; // those that are shown
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
      const done = app.decisions.of(each.row);
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
  const named = (name) => [el("i", { class: "dot", style: { background: classColour(app, name) } }), clipped(oneLine(name))];
  const decision = ({ state, label }) => (label === null ? el("span", {}, state) : [el("i", { class: "dot", style: { background: classColour(app, label) } }), clipped(state === "confirmed" ? `stays ${oneLine(label)}` : oneLine(label))]);
  const keys = el("p", { class: "keys-hint" }, [
    [["j", "k"], "next, back"], [["1", "–", "9"], "class"], [["Enter"], "as suggested"], [["c"], "right"],
    [["0"], "leave out"], [["u"], "undo"], [["Space"], "play"],
  ].map(([names, does]) => el("span", {}, names.map((each) => (each === "–" ? "–" : el("kbd", {}, each))), ` ${does}`))); // prettier-ignore
  const message = el("div", { class: "empty", hidden: true });
  fill(place, keys, message, list.heading, list.element);

  const open = () => store.get().tab === "doubts";
  // The panel tells what the space suggests for the item that is chosen: looked for once the maps are there, which come first.
  let drawn = false;
  const wanted = () => open() || (drawn && store.get().item !== null);

  async function load() {
    const { space } = store.get();
    if (found?.space === space || asked === space) return;
    asked = space;
    tell("Looking for labels in doubt …");
    try {
      await app.decisions.known();
      const told = await items.doubts(space, (state) => tell(`${state.says ?? "looking for labels in doubt"} …`));
      if (store.get().space === space) found = { space, rows: told };
      const { item } = store.get();
      if (found?.rows.some((each) => each.row === item) && !app.panel.current()?.outlook) app.panel.again();
    } catch (error) {
      tell(error.message);
    }
    asked = null;
    show();
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
    const done = rows.filter((each) => app.decisions.of(each.row)).length;
    progress.hidden = !open() || !rows.length;
    fill(progress, el("span", { class: "track", "aria-hidden": "true" }, el("span", { style: { width: `${rows.length ? (100 * done) / rows.length : 0}%` } })), `${count(done)} of ${count(rows.length)} looked at`);
  }

  store.listen((state, changed) => {
    if (wanted()) load();
    if (changed.has("tab")) list.reveal();
    if (changed.has("space")) found = null;
    if (["tab", "item"].some((each) => changed.has(each))) show();
    progressed();
  });
  views.listen(show);
  app.decisions.listen(show);
  if (open()) load();
  items.points(store.get().space).then(
    () => {
      drawn = true;
      if (wanted()) load();
    },
    () => {}, // told where the map would be
  );

  return {
    rows: () => rows,
    focus: list.focus,
    /** How many there are, where that is known. */
    total: () => found?.rows.length ?? null,
    /** What the list tells of an item that nobody has looked at: {row, id, label}, as the panel would; else undefined. */
    untouched(row) {
      const label = app.decisions.label(row); // that of a doubt names all classes between which raters are tied
      const each = app.decisions.of(row) || label === undefined ? undefined : rows.find((one) => one.row === row);
      return each && { row, id: each.id, label };
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
      if (at < 0 || !open()) return;
      const next = [...rows.slice(at + 1), ...rows.slice(0, at)].find((each) => !app.decisions.of(each.row));
      if (next) store.set({ item: next.row }, "replace");
      else app.say(`All ${counted(rows.length, "label")} in doubt are looked at.`);
    },
  };
}
