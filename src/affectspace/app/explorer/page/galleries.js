// Classes within classes, each by the items that stand for it: faces as pictures, speech to be played, texts to be read.

import { clipped, el, fill } from "./dom.js";
import { countValues } from "./filters.js";
import { classColour } from "./item.js";
import { withFilter } from "./state.js";
import { counted, oneLine } from "./text.js";
import { makeTile } from "./tiles.js";

const COLUMN = "subclass";

/** The tab of sub-classes, whose items are gone through in the order of the galleries. app: {items, store, views, say}. */
export function makeGalleries(app, place) {
  const { items, store, views } = app;
  let shownFor = null; // the space whose sub-classes are drawn
  let asked = null;
  let sections = []; // {group, element, count, tiles}
  let column = null;

  const open = () => store.get().tab === "groups";
  const tell = (says) => fill(place, el("div", { class: "empty" }, el("p", {}, oneLine(says))));

  async function load() {
    const { space } = store.get();
    if (shownFor === space || asked === space) return;
    asked = space;
    tell("Looking for sub-classes …");
    try {
      const groups = await items.groups(space, (state) => tell(`${state.says ?? "looking for sub-classes"} …`));
      if (store.get().space !== space) return;
      column = await items.column(COLUMN, space);
      const ids = await items.ids();
      sections = groups.map((group) => section(group, ids));
      shownFor = space;
      if (sections.length) fill(place, el("div", { class: "groups" }, sections.map((each) => each.element)));
      else tell("There are no labels, within which sub-classes could be looked for.");
      show();
    } catch (error) {
      tell(error.message);
    } finally {
      asked = null;
    }
  }

  function section(group, ids) {
    const count = el("span", { class: "faint" }, counted(group.items, "item"));
    const only = el("button", { type: "button", class: "button", "aria-pressed": "false", onclick: () => keep(group.name) }, "Show alone");
    const tiles = group.rows.map((row, at) => ({ row, element: makeTile(app, { row, id: ids[row], media: group.media[at] }) }));
    const element = el("section", { class: "group", "aria-label": oneLine(group.name) }, [
      el("div", { class: "group-head" }, el("i", { class: "dot", style: { background: classColour(app, group.label) } }), el("h3", {}, clipped(oneLine(group.name))), count, only),
      el("ul", { class: "tiles" }, tiles.map((each) => each.element)),
    ]);
    return { group, element, count, only, tiles };
  }

  function keep(name) {
    const { filters } = store.get();
    const before = filters[COLUMN];
    const alone = before?.values?.length === 1 && before.values[0] === name;
    store.set({ filters: withFilter(filters, COLUMN, alone ? null : { values: [name], missing: false, others: false }) });
  }

  function show() {
    const view = views.get();
    if (!view || !sections.length || store.get().space !== shownFor) return;
    const passed = view.picked ?? view.shown;
    const counts = column ? countValues(column, passed) : null;
    const filter = store.get().filters[COLUMN];
    for (const { group, element, count, only, tiles } of sections) {
      const left = counts ? counts[column.values.indexOf(group.name)] : group.items;
      count.textContent = left === group.items ? counted(left, "item") : `${left} of ${counted(group.items, "item")}`;
      element.hidden = left === 0;
      for (const tile of tiles) tile.element.hidden = !passed[tile.row];
      only.setAttribute("aria-pressed", String(filter?.values?.length === 1 && filter.values[0] === group.name));
    }
    mark();
  }

  const shown = () => sections.filter((each) => !each.element.hidden).flatMap((each) => each.tiles.filter((tile) => !tile.element.hidden));

  function mark() {
    const { item } = store.get();
    for (const { tiles } of sections) {
      for (const { row, element } of tiles) {
        element.classList.toggle("current", row === item);
        const opens = element.querySelector(".tile-open");
        if (row === item) opens.setAttribute("aria-current", "true");
        else opens.removeAttribute("aria-current");
      }
    }
  }

  store.listen((state, changed) => {
    if (changed.has("space")) shownFor = null;
    if (open()) load();
    if (changed.has("item")) mark();
    if (changed.has("tab") && open()) place.querySelector(".tile.current")?.scrollIntoView({ block: "nearest" });
  });
  views.listen(show);
  if (open()) load();
  return {
    focus: () => place.focus({ preventScroll: true }),
    /** To the item of the next tile or of the previous one; to the first from an item that has none. */
    step(by) {
      const tiles = shown();
      if (!tiles.length) return;
      const at = tiles.findIndex((each) => each.row === store.get().item);
      const next = at < 0 ? 0 : Math.min(tiles.length - 1, Math.max(0, at + by));
      if (next === at) app.say(by > 0 ? "This is the last one." : "This is the first one.");
      if (place.contains(document.activeElement)) place.focus({ preventScroll: true }); // Enter would open the tile that was struck
      store.set({ item: tiles[next].row }, "replace");
      tiles[next].element.scrollIntoView({ block: "nearest" });
    },
    /** Draw it anew, as colours have changed. */
    again() {
      shownFor = null;
      if (open()) load();
    },
  };
}
