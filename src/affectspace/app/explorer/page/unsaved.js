// Corrections that the server has not written, and what can be done about each.

import { el, fill } from "./dom.js";
import { counted, oneLine, when } from "./text.js";

/** The notice at the bottom. app: {items, corrections, store}. */
export function makeUnsaved(app, place) {
  const { corrections, store } = app;
  const word = (name) => (name === "" ? "left out" : oneLine(name));
  const name = (entry) => el("button", { type: "button", class: "more", onclick: () => store.set({ item: entry.row }) }, oneLine(entry.name ?? `item ${entry.row}`));
  const act = (label, does) => el("button", { type: "button", class: "button", onclick: does }, label);

  const outdated = (entry) => {
    const { latest, says } = entry.fault;
    const by = latest ? `${oneLine(latest.by)} has changed it to ${word(latest.new)} (${when(latest.at)}); you said ${word(entry.new)}.` : oneLine(says);
    return el("li", {}, el("p", {}, name(entry), " ", by), el("div", { class: "acts" }, act("Keep theirs", () => corrections.drop(entry)), act(`Make it ${word(entry.new)}`, () => corrections.insist(entry))));
  };
  const refused = (entry) =>
    el("li", {}, el("p", {}, name(entry), ` → ${word(entry.new)}: ${oneLine(entry.fault.says)}`), el("div", { class: "acts" }, act("Try again", () => corrections.again()), act("Forget it", () => corrections.drop(entry))));

  const show = () => {
    const waiting = corrections.waiting();
    const faults = waiting.filter((each) => each.fault);
    const silent = waiting.filter((each) => !each.fault && each.stuck);
    place.hidden = !faults.length && !silent.length;
    fill(place, [
      silent.length > 0 && el("p", {}, `${counted(silent.length, "correction")} will be sent when the server answers again; nothing is lost.`),
      faults.length > 0 && el("h2", {}, `${counted(faults.length, "correction")} could not be saved`),
      faults.length > 0 && el("ul", {}, faults.map((each) => (each.fault.status === 409 ? outdated(each) : refused(each)))),
    ]);
  };
  corrections.listen(show);
  show();
}
