// Keys, and the dialog that tells of them.

import { el, fill, icon } from "./dom.js";
import { keep, kept } from "./kept.js";

const HELP = [
  ["Everywhere", [["?", "this help"], ["/", "find by id or text"], ["Space", "play the item's sound, or stop it"], ["j  ↓", "next of the list"], ["k  ↑", "previous of the list"], ["Esc", "drop what is picked"]]],
  ["The chosen item", [["1 – 9", "give it the class of this number"], ["Enter", "accept what the space suggests"], ["c", "the label is right as it is"], ["0", "leave the item out"], ["u", "take back what you said last"], ["t", "keep what others have decided meanwhile"], ["y", "write yours over it"]]],
  ["On the map", [["arrows", "move"], ["Shift arrows", "the next item in this direction"], ["+  −", "closer, farther"], ["f", "show all"], ["s", "pick the 50 items nearest to the current one"], ["Shift drag", "lasso"]]],
]; // prettier-ignore

const KEPT = "affectspace keys"; // "off" where single keys are switched off
const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

/** Listen to keys. app: {store, judge, panel, doubts, galleries, list, items, unsaved}. */
export function listenToKeys(app, help, helpButton, words) {
  const rows = (keys) => keys.map(([key, does]) => el("div", {}, el("dt", {}, key.split("  ").map((each) => el("kbd", {}, each))), el("dd", {}, does)));
  // Whoever speaks to a machine says letters that are no commands (WCAG 2.2, 2.1.4).
  const single = el("input", { type: "checkbox", checked: kept(KEPT) !== "off" });
  const switched = () => (document.documentElement.dataset.keys = single.checked ? "on" : "off");
  single.addEventListener("change", () => {
    keep(KEPT, single.checked ? null : "off");
    switched();
  });
  switched();
  fill(help, [
    el("div", { class: "help-head" }, el("h2", { id: "help-title" }, "Keys"), el("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => help.close() }, icon("close"))),
    el("label", { class: "help-single" }, single, "Single keys", el("span", { class: "faint" }, "Without them only arrows and Esc act everywhere; the map has its keys while it has the focus.")),
    el("div", { class: "help-parts" }, HELP.map(([title, keys]) => el("section", {}, el("h3", {}, title), el("dl", {}, rows(keys))))),
  ]);
  help.addEventListener("click", (event) => event.target === help && help.close());
  helpButton.addEventListener("click", () => help.showModal());

  const settle = { t: app.unsaved.keepTheirs, y: app.unsaved.writeMine };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const { target, key } = event;
    if (!single.checked && !key.startsWith("Arrow") && key !== "Escape") return;
    if (target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
      if (key === "Escape") target.blur();
      return;
    }
    const onControl = target.closest?.("button, summary, audio, a, input"); // which have Enter and Space of their own
    const onTab = target.closest?.("[role=tablist]"); // which arrows walk through
    const { tab, pick } = app.store.get();
    const stepper = { doubts: app.doubts, groups: app.galleries, items: app.list }[tab];
    const first = !event.repeat; // a key that is held says one thing of one item
    if (key === "?") help.showModal();
    else if (key === "/") words.focus();
    else if (key === "Escape" && pick) app.store.set({ pick: null });
    else if (key === " " && !onControl) {
      if (!app.panel.togglePlay()) return;
    } else if (stepper && key in STEPS && !(onTab && key.startsWith("Arrow"))) {
      stepper.step(STEPS[key]);
      if (onTab) stepper.focus(); // Enter is for the item from here on
    } else if (first && key >= "1" && key <= "9" && app.items.about.classes[key - 1] !== undefined) app.judge.label(app.items.about.classes[key - 1]);
    else if (first && key === "Enter" && !onControl) app.judge.accept();
    else if (first && key === "c") app.judge.confirm();
    else if (first && key === "0") app.judge.leaveOut();
    else if (first && key === "u") app.judge.undo();
    else if (!first || !settle[key]?.()) return;
    event.preventDefault();
  });
}
