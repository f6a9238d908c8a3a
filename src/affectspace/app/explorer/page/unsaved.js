// Corrections that the server has not written, and what can be done about each.

import { clipped, el, fill } from "./dom.js";
import { classWord, counted, decided, oneLine, when } from "./text.js";

/**
 * The notice at the bottom. app: {items, corrections, store, say}.
 *
 * keepTheirs() and writeMine() settle what others have decided otherwise, the newest first: the one that was told of last,
 * which stands above the others. They are false where there is none.
 */
export function makeUnsaved(app, place) {
  const { corrections, store } = app;
  const name = (entry) => el("button", { type: "button", class: "more", onclick: () => store.set({ item: entry.row }) }, oneLine(entry.name ?? `item ${entry.row}`));
  const act = (label, key, does) => el("button", { type: "button", class: "button", onclick: does }, clipped(label), key && el("kbd", {}, key));
  const conflicts = () => corrections.waiting().filter((each) => each.fault?.status === 409).reverse().sort((a, b) => b.fault.at - a.fault.at);
  let told = null; // of the conflict that was read out last

  const keep = (entry) => {
    app.say(`${classWord(entry.fault.label ?? "")} stays: ${entry.name}`);
    corrections.drop(entry);
  };
  const write = (entry) => {
    app.say(`${classWord(entry.new)}: ${entry.name}`);
    return corrections.insist(entry);
  };
  const outdated = (entry, at) => {
    const { history, label, says } = entry.fault;
    const others = since(entry, history).map((each) => el("li", { class: "clamped", title: decided(each) }, el("strong", {}, oneLine(each.by)), ` ${decided(each)} `, el("span", { class: "faint" }, when(each.at))));
    return el("li", {}, [
      el("p", {}, name(entry)),
      others.length ? el("ul", { class: "since" }, others) : el("p", {}, oneLine(says)),
      el("p", { class: "clamped", title: decided(entry) }, el("strong", {}, "You"), ` ${decided(entry)}`, el("span", { class: "faint" }, " not written yet")),
      el("div", { class: "acts" }, act(`Keep ${classWord(label ?? "")}`, at === 0 && "t", () => keep(entry)), act(`Write ${classWord(entry.new)}`, at === 0 && "y", () => write(entry))),
    ]);
  };
  const refused = (entry) =>
    el("li", {}, el("p", {}, name(entry), ` → ${classWord(entry.new)}: ${oneLine(entry.fault.says)}`), el("div", { class: "acts" }, act("Try again", null, () => corrections.again()), act("Forget it", null, () => corrections.drop(entry))));

  const show = () => {
    const waiting = corrections.waiting();
    const otherwise = conflicts();
    const faults = waiting.filter((each) => each.fault && each.fault.status !== 409);
    const silent = waiting.filter((each) => !each.fault && each.stuck);
    const focused = place.contains(document.activeElement);
    place.hidden = !otherwise.length && !faults.length && !silent.length;
    fill(place, [
      silent.length > 0 && el("p", {}, `${counted(silent.length, "correction")} will be sent when the server answers again; nothing is lost.`),
      otherwise.length > 0 && el("h2", {}, "Others have decided otherwise meanwhile"),
      otherwise.length > 0 && el("ul", {}, otherwise.map(outdated)),
      faults.length > 0 && el("h2", {}, `${counted(faults.length, "correction")} could not be saved`),
      faults.length > 0 && el("ul", {}, faults.map(refused)),
    ]);
    if (focused) (place.querySelector(".acts button") ?? app.panel.element).focus({ preventScroll: true });
    const [entry] = otherwise;
    if (entry && entry.fault !== told) {
      const [last] = since(entry, entry.fault.history).slice(-1);
      const keys = document.documentElement.dataset.keys === "off" ? "" : " t keeps that, y writes yours.";
      app.say(`${last ? `${last.by}: ${decided(last)}` : entry.fault.says}, ${entry.name}.${keys}`);
    }
    told = entry?.fault ?? null;
  };
  corrections.listen(show);
  show();
  const first = (settle) => {
    const [entry] = conflicts();
    if (entry) settle(entry);
    return Boolean(entry);
  };
  return { keepTheirs: () => first(keep), writeMine: () => first(write) };
}

/** What others have said since the label was seen that a judgement is of; at least the last that was said at all. */
function since(entry, history) {
  const seen = history.findLastIndex((each) => each.new === entry.old);
  return history.slice(seen + 1).length ? history.slice(seen + 1) : history.slice(-1);
}
