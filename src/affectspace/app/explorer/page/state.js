// What is being looked at: one object, and the same thing as the part of an address behind "#".

import { makeListeners } from "./listeners.js";

/** What a page shows at first. Filters have no prototype: a column may be named like one of its parts. */
export const FIRST = Object.freeze({
  space: 0, // place of the space on the left, or of the only one
  beside: null, // place of the space on the right; null: the one on the left stands alone
  colour: null, // name of the column that points are coloured by; null: the one the server suggests
  filters: Object.freeze(Object.create(null)), // by name of a column: {values: [...], missing, others} or {low, high}
  words: "", // that an id or a text must hold
  item: null, // row of the current item
  tab: "items",
  pick: null, // {kind: "lasso", space, points: [x, y, ...]} or {kind: "near", space, row, n}
  cameras: {}, // by place of a space: {x, y, zoom}; one that is missing shows all points
});

export const TABS = ["items", "doubts", "groups"];
const ALONE = "alone";
const MISSING = "!none";
const OTHERS = "!others";

/** What a page with so many spaces shows at first: two of them side by side, where there are two. */
export function firstOf(spaces) {
  return { ...FIRST, beside: spaces > 1 ? 1 : null };
}

/** The part of an address, without "#", that tells a state; a state as at first is the empty text. */
export function toHash(state, first = FIRST) {
  const parts = [];
  const put = (name, value) => parts.push(`${name}=${value}`);
  if (state.space) put("s", state.space);
  if (state.beside !== first.beside) put("b", state.beside ?? ALONE);
  if (state.colour !== null) put("c", quote(state.colour));
  for (const name of Object.keys(state.filters).sort()) put(`f.${quote(name)}`, filterText(state.filters[name]));
  if (state.words) put("q", quote(state.words));
  if (state.item !== null) put("i", state.item);
  if (state.tab !== FIRST.tab) put("t", state.tab);
  if (state.pick) put("p", pickText(state.pick));
  for (const [space, camera] of Object.entries(state.cameras)) {
    put(`v${space}`, [camera.x, camera.y, camera.zoom].map((each) => Number(each.toFixed(4))).join(","));
  }
  return parts.join("&");
}

/** The state that such a part tells; what cannot be read is as at first, since addresses are typed and cut. */
export function fromHash(text, first = FIRST) {
  const state = { ...first, filters: Object.create(null), cameras: {} };
  for (const part of text.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at < 1) continue;
    const name = part.slice(0, at);
    const value = part.slice(at + 1);
    if (name === "s") state.space = whole(value) ?? FIRST.space;
    else if (name === "b") state.beside = whole(value);
    else if (name === "c") state.colour = unquote(value);
    else if (name === "q") state.words = unquote(value) ?? "";
    else if (name === "i") state.item = whole(value);
    else if (name === "t") state.tab = TABS.includes(value) ? value : FIRST.tab;
    else if (name === "p") state.pick = pickOf(value);
    else if (name.startsWith("f.")) {
      const column = unquote(name.slice(2));
      const filter = filterOf(value);
      if (column && filter) state.filters[column] = filter;
    } else if (/^v\d+$/.test(name)) {
      const [x, y, zoom] = value.split(",").map(Number);
      if ([x, y, zoom].every(Number.isFinite)) state.cameras[Number(name.slice(1))] = { x, y, zoom };
    }
  }
  if (state.beside === state.space) state.beside = null;
  return state;
}

/** Filters with another one on a column; null takes it away. */
export function withFilter(filters, name, filter) {
  const next = Object.assign(Object.create(null), filters);
  delete next[name];
  if (filter) next[name] = filter;
  return next;
}

/** A state that tells those who listen what has changed. */
export function makeStore(initial) {
  let state = initial;
  const { listen, tell } = makeListeners();
  return {
    get: () => state,
    /** Call with the new state, the names of what has changed, and how: "push", "replace" or "address"; returns what ends it. */
    listen,
    set(change, how = "push") {
      const changed = new Set(Object.keys(change).filter((name) => !same(state[name], change[name])));
      if (!changed.size) return;
      state = { ...state, ...change };
      tell(state, changed, how);
    },
  };
}

function filterText(filter) {
  if (filter.values) {
    const told = filter.values.map(quote);
    if (filter.missing) told.push(MISSING);
    if (filter.others) told.push(OTHERS);
    return told.join(",");
  }
  return `${filter.low ?? ""}..${filter.high ?? ""}`;
}

function filterOf(text) {
  const range = /^([^,]*)\.\.([^,]*)$/.exec(text);
  if (range) {
    const [low, high] = [range[1], range[2]].map((each) => (each === "" ? null : Number(each)));
    const legal = [low, high].every((each) => each === null || Number.isFinite(each));
    if (legal && (low !== null || high !== null)) return { low, high };
    if (legal) return null;
  }
  const told = text.split(",");
  const values = told.filter((each) => each !== MISSING && each !== OTHERS).map(unquote);
  if (values.some((each) => each === null)) return null;
  const named = text === "" ? [] : values;
  return { values: named, missing: told.includes(MISSING), others: told.includes(OTHERS) };
}

function pickText(pick) {
  if (pick.kind === "near") return ["near", pick.space, pick.row, pick.n].join(",");
  return ["lasso", pick.space, ...pick.points.map((each) => Number(each.toFixed(4)))].join(",");
}

function pickOf(text) {
  const [kind, ...told] = text.split(",");
  const numbers = told.map(Number);
  if (!numbers.length || !numbers.every(Number.isFinite)) return null;
  const [space, ...rest] = numbers;
  if (kind === "near" && rest.length === 2) return { kind, space, row: rest[0], n: rest[1] };
  if (kind === "lasso" && rest.length >= 6 && rest.length % 2 === 0) return { kind, space, points: rest };
  return null;
}

// Commas part values, "!" marks what is no value, and ".." a range: none of them may stand in a quoted value.
function quote(text) {
  return encodeURIComponent(text).replace(/[!.'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unquote(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function whole(text) {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function same(a, b) {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
