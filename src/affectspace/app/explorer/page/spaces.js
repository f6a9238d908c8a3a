// Which space is looked at, and which beside it.

import { el, fill } from "./dom.js";
import { makeMap } from "./map.js";
import { oneLine } from "./text.js";
import { spacesOf } from "./view.js";

/** The choices of spaces in the header, where there are several. app: {items, store}. */
export function makeSpaceChoices(app, place) {
  const { items, store } = app;
  const { spaces } = items.about;
  if (spaces.length < 2) return;
  const options = () => spaces.map((each, at) => el("option", { value: at }, oneLine(each.name)));
  const left = el("select", { id: "space-left" }, options());
  const right = el("select", { id: "space-right" }, el("option", { value: "" }, "alone"), options());
  left.addEventListener("change", () => {
    const space = Number(left.value);
    const { beside } = store.get();
    store.set({ space, beside: beside === space ? null : beside });
  });
  right.addEventListener("change", () => store.set({ beside: right.value === "" ? null : Number(right.value) }));
  fill(place, [["Space", left], ["Beside it", right]].map(([name, select]) => el("div", {}, el("label", { for: select.id }, name), select))); // prettier-ignore
  const show = () => {
    const { space, beside } = store.get();
    left.value = String(space);
    right.value = beside === null ? "" : String(beside);
    for (const option of right.options) option.disabled = option.value === String(space);
  };
  store.listen((state, changed) => (changed.has("space") || changed.has("beside")) && show());
  show();
}

/** The maps of the spaces that are looked at, side by side. */
export function keepMaps(app, place) {
  let maps = [];
  const show = () => {
    const wanted = spacesOf(app.store.get());
    const named = app.items.about.spaces.length > 1;
    for (const each of maps) if (!wanted.includes(each.space)) each.remove();
    const kept = new Map(maps.filter((each) => wanted.includes(each.space)).map((each) => [each.space, each]));
    maps = wanted.map((space) => kept.get(space) ?? makeMap(app, space, named));
    maps.forEach((each, at) => {
      if (place.children[at] !== each.element) place.insertBefore(each.element, place.children[at] ?? null);
    });
    place.classList.toggle("two", maps.length > 1);
  };
  app.store.listen((state, changed) => (changed.has("space") || changed.has("beside")) && show());
  show();
}
