// All that is known of the items: asked for once, and again where people have corrected it.

import { getJson, getMade, getMadeNumbers } from "./server.js";

const CORRECTED = "corrected"; // the column of what people have done
const NOBODY = "not looked at"; // what its missing values mean

/** The items of a server whose /api/about is given. */
export function makeItems(about) {
  const asked = new Map(); // what was asked for, as promises
  const once = (key, ask) => {
    if (!asked.has(key)) {
      const made = ask();
      asked.set(key, made);
      made.catch(() => asked.delete(key)); // may be asked for again
    }
    return asked.get(key);
  };
  const known = (name) => about.columns.find((each) => each.name === name);

  async function readColumn(told, space, says) {
    const path = `/api/column?name=${encodeURIComponent(told.name)}&s=${space}`;
    if (told.kind === "number") {
      const numbers = await getMadeNumbers(path, Float32Array, says);
      return { name: told.name, kind: "number", numbers, low: told.low, high: told.high };
    }
    const codes = await getMadeNumbers(path, Int32Array, says);
    // Sub-classes are named where they are found.
    const values = told.later ? (await items.groups(space, says)).map((each) => each.name) : told.values;
    const none = told.name === CORRECTED ? NOBODY : "none";
    return { name: told.name, kind: "category", codes, values, none, ofSpace: told.of_space };
  }

  const items = {
    about,
    n: about.items,
    told: known,
    /** The labels that are none of a space's classes: a corpus may have more than its model knows. */
    otherLabels: (space) => (known("label")?.values ?? []).filter((each) => !about.spaces[space].classes.includes(each)),
    /** Where each item lies on the map of a space, x, y, x, y ... */
    points: (space, says = () => {}) =>
      once(`points ${space}`, () => getMadeNumbers(`/api/points?s=${space}`, Float32Array, says)),
    /** The cells of a column; null where there is no column of this name. */
    column(name, space, says = () => {}) {
      const told = known(name);
      if (!told) return Promise.resolve(null);
      return once(`column ${name} ${told.of_space ? space : ""}`, () => readColumn(told, space, says));
    },
    /** The name of every item. */
    ids: () => once("ids", () => getJson("/api/ids")),
    /** All of one item, in the words of one space's model. */
    item: (row, space, signal) => getJson(`/api/item?row=${row}&s=${space}`, signal),
    /** Labels that the others contradict, the most surely wrong first. */
    doubts: async (space, says = () => {}) => (await once(`doubts ${space}`, () => getMade(`/api/doubts?s=${space}`, says))).rows,
    /** Classes within classes, each with the items that stand for it. */
    groups: async (space, says = () => {}) =>
      (await once(`groups ${space}`, () => getMade(`/api/subclasses?s=${space}`, says))).groups,
    /** Items whose id or text holds the words: {rows, total}, of which rows may be the first only. */
    find: (words) => once(`find ${words}`, () => getJson(`/api/find?q=${encodeURIComponent(words)}&all=1`)),
    /** Forget what people's corrections change. */
    forgetCorrected() {
      for (const name of ["label", CORRECTED]) {
        for (const key of asked.keys()) if (key.startsWith(`column ${name} `)) asked.delete(key);
      }
    },
  };
  return items;
}
