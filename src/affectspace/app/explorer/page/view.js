// What follows from the state and the items: which items are shown and picked, and in which colours.

import { categoryColours, itemColours } from "./colours.js";
import { all, howMany, only, passes } from "./filters.js";
import { inside } from "./lasso.js";
import { makeListeners } from "./listeners.js";
import { nearestOf } from "./nearest.js";

/**
 * Work out views as the state changes, and tell those who listen, until they call what listen has returned.
 *
 * A view is {shown, shownCount, picked (null: nothing is), pickedCount, by: Map of what each filter says, colour: name of
 * a column, columns and colours by place of a space, says: sentences about what could not be done}.
 */
export function makeViews(items, store, themeOf) {
  const { listen, tell } = makeListeners();
  let view = null;
  let turn = 0;
  let working = null;

  const again = () => (working = work());

  async function work() {
    const mine = ++turn;
    const state = store.get();
    const made = await makeView(items, state, themeOf());
    if (mine !== turn) return; // the state has changed meanwhile
    view = made;
    tell(view, state);
  }

  const moving = new Set(["cameras", "item", "tab"]); // which change nothing here
  store.listen((state, changed) => {
    if ([...changed].some((name) => !moving.has(name))) again();
  });
  return {
    get: () => view,
    listen,
    again,
    /** Once what the state says now is shown. */
    async settled() {
      for (let last = null; last !== working; ) await (last = working);
    },
  };
}

/** The places of the spaces that are looked at. */
export function spacesOf(state) {
  return state.beside === null ? [state.space] : [state.space, state.beside];
}

/** The column that points are coloured by. */
export function colourOf(items, state) {
  return items.told(state.colour) ? state.colour : items.about.colour_first;
}

/** What all filters but one say together: what that one may choose among. */
export function without(view, name) {
  const others = [...view.by].filter(([each]) => each !== name).map(([, passed]) => passed);
  return all(others, view.shown.length);
}

async function makeView(items, state, theme) {
  const { n } = items;
  const by = new Map();
  const says = [];
  const filters = Object.entries(state.filters);
  const columns = await Promise.all(filters.map(([name]) => tried(items.column(name, state.space), says)));
  filters.forEach(([name, filter], at) => {
    const column = columns[at];
    if (column && (column.kind === "number") === !filter.values) by.set(name, passes(column, filter));
    else says.push(`there is no column ${name} to filter by`);
  });
  if (state.words) {
    const found = await tried(items.find(state.words), says);
    if (found) {
      by.set("", only(found.rows, n));
      if (found.total > found.rows.length) {
        says.push(`${found.total.toLocaleString("en")} items hold these words; the first ${found.rows.length} are shown`);
      }
    }
  }
  const shown = all([...by.values()], n);
  const picked = state.pick ? await pickedOf(items, state.pick, shown, says) : null;
  const name = colourOf(items, state);
  const made = { shown, shownCount: howMany(shown), picked, pickedCount: picked ? howMany(picked) : 0, by, colour: name };
  made.columns = {};
  made.colours = {};
  made.colourings = {};
  for (const space of spacesOf(state)) {
    const column = name === null ? null : await tried(items.column(name, space), says);
    made.columns[space] = column;
    made.colourings[space] = colouring(items, column, space, theme);
    made.colours[space] = column ? itemColours(column, made.colourings[space], theme) : new Uint8Array(3 * n).fill(128);
  }
  made.says = says;
  return made;
}

function colouring(items, column, space, theme) {
  if (!column || column.kind === "number") return null;
  const counts = new Int32Array(column.values.length);
  for (const code of column.codes) if (code >= 0 && code < counts.length) counts[code]++;
  const { classes, ordered } = items.about.spaces[space];
  return categoryColours(column.values, counts, classes, items.otherLabels(space), ordered, theme);
}

async function pickedOf(items, pick, shown, says) {
  const points = await tried(items.points(pick.space), says);
  if (!points) return null;
  const picked = pick.kind === "lasso" ? inside(points, pick.points) : nearestOf(points, pick.row, pick.n, shown);
  for (let row = 0; row < picked.length; row++) picked[row] &= shown[row];
  return picked;
}

async function tried(asked, says) {
  try {
    return await asked;
  } catch (error) {
    says.push(error.message);
    return null;
  }
}
