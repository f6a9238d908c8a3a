// What was decided of every item: as the server's columns tell it, and what was said here that is not in them yet.

import { el, icon } from "./dom.js";
import { makeListeners } from "./listeners.js";

/** {of(row), label(row), hear(row), takeBack(row), known(), again(), listen}. app: {items, corrections}. */
export function makeDecisions(app) {
  const { items } = app;
  const { listen, tell } = makeListeners();
  let columns = null; // {states, labels}: what people have done, and what holds since
  const just = new Map(); // what was said here and is not in those columns yet: row to {state, label}

  const labelled = (row) => (columns?.labels ? (columns.labels.codes[row] < 0 ? null : columns.labels.values[columns.labels.codes[row]]) : undefined);
  const told = (row) => {
    const state = columns?.states.codes[row] ?? -1;
    return state < 0 ? null : { state: columns.states.values[state], label: labelled(row) ?? null };
  };

  async function look() {
    const [states, labels] = await Promise.all([items.column("corrected", 0), items.column("label", 0)]);
    columns = { states, labels };
  }

  /** Take down what is on its way to the server. */
  function hear(row) {
    const said = app.corrections.waiting().findLast((each) => each.row === row && !each.fault);
    if (!said || said.undo) return;
    const before = told(row)?.state ?? "confirmed";
    const state = said.new === "" ? "left out" : said.new === said.old ? before : "corrected";
    just.set(row, { state, label: said.new === "" ? null : said.new });
  }

  app.corrections.listen(() => {
    const refused = app.corrections.waiting().filter((each) => each.fault && just.delete(each.row));
    if (refused.length) tell();
  });
  return {
    listen,
    /** What was done to an item and the label that holds since, {state, label}; null where nobody has judged it. */
    of: (row) => just.get(row) ?? told(row),
    /** The label that the columns tell: null where there is none, undefined where that is not known. */
    label: labelled,
    hear(row) {
      hear(row);
      tell();
    },
    /** What was just said of an item is taken back. */
    takeBack(row) {
      if (just.delete(row)) tell();
    },
    /** Once it is known what people have done. */
    known: () => (columns ? Promise.resolve() : look()),
    /** What people have done is to be asked for again. */
    async again() {
      try {
        await look();
      } catch {
        return; // what is known stays
      }
      just.clear();
      for (const each of app.corrections.waiting()) hear(each.row);
      tell();
    },
  };
}

/** The sign of what was done to an item. */
export function decisionMark(state) {
  return el("span", { class: "mark", title: state }, icon(state === "left out" ? "close" : "check"), el("span", { class: "unseen" }, ` ${state}`));
}
