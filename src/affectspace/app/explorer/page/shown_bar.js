// How many items are shown, and why not all: each reason can be taken away.

import { el, fill, icon } from "./dom.js";
import { FIRST, withFilter } from "./state.js";
import { count, counted, oneLine, short } from "./text.js";

/** The line above the maps. app: {items, store, views}. */
export function makeShownBar(app, place) {
  const { items, store, views } = app;
  const chip = (label, off) => el("span", { class: "chip" }, el("bdi", { title: label }, label), el("button", { type: "button", "aria-label": `Take away: ${label}`, onclick: off }, icon("close")));

  views.listen((view, state) => {
    const { n } = items;
    const all = view.shownCount === n;
    const chips = Object.entries(state.filters).map(([name, filter]) =>
      chip(`${oneLine(name)}: ${told(filter)}`, () => store.set({ filters: withFilter(store.get().filters, name, null) })),
    );
    if (state.words) chips.push(chip(`“${oneLine(state.words)}”`, () => store.set({ words: "" })));
    if (state.pick) {
      const what = state.pick.kind === "lasso" ? "lasso" : `nearest ${state.pick.n}`;
      chips.push(chip(`${counted(view.pickedCount, "item")} picked by ${what}`, () => store.set({ pick: null })));
    }
    fill(place, [
      el("p", { class: "shown-count" }, all ? counted(n, "item") : [el("strong", {}, count(view.shownCount)), ` of ${counted(n, "item")}`]),
      chips,
      chips.length > 1 && el("button", { type: "button", class: "more", onclick: () => store.set({ filters: FIRST.filters, words: "", pick: null }) }, "Show all"),
      view.says.map((each) => el("p", { class: "fault" }, oneLine(each))),
    ]);
  });
}

function told(filter) {
  if (!filter.values) {
    if (filter.low === null) return `at most ${short(filter.high)}`;
    return filter.high === null ? `at least ${short(filter.low)}` : `${short(filter.low)} to ${short(filter.high)}`;
  }
  const names = [...filter.values.map(oneLine), ...(filter.missing ? ["none"] : []), ...(filter.others ? ["others"] : [])];
  if (!names.length) return "nothing";
  return names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", ");
}
