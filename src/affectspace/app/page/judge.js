// One stroke says what a label should be; the list of doubts goes on to the next that nobody has looked at.

import { oneLine } from "./text.js";

/** {label(name), accept(), confirm(), leaveOut(), undo()}, of the current item. app: {items, corrections, say}. */
export function makeJudge(app) {
  const add = (change, said) => {
    const told = app.panel.current();
    if (!told) return app.say("Choose an item first.");
    if (!app.items.about.corrections.writable) return app.say(`Labels cannot be corrected here: ${app.items.about.corrections.why_not}.`);
    app.say(`${said}: ${oneLine(told.id)}`);
    app.corrections.add({ row: told.row, old: told.label ?? "", ...change, name: told.id });
    return app.doubts.goOn(told.row);
  };
  return {
    label: (name) => add({ new: name }, oneLine(name)),
    accept() {
      const suggested = app.doubts.suggested(app.store.get().item) ?? app.panel.current()?.outlook?.suggested;
      if (suggested) add({ new: suggested }, oneLine(suggested));
      else app.say("Nothing is suggested for this item.");
    },
    confirm() {
      const told = app.panel.current();
      if (told && told.label === null) app.say("This item has no label that could be confirmed.");
      else add({ new: told?.label ?? "" }, "Right as it is");
    },
    leaveOut() {
      const told = app.panel.current();
      if (told && told.label === null) app.say("This item has no label, and is left out already.");
      else add({ new: "" }, "Left out");
    },
    undo() {
      const last = app.corrections.newest();
      if (!last) return app.say("There is nothing to be undone: what was corrected before this page was opened stays.");
      app.say("Undone");
      app.store.set({ item: last.row }, "replace");
      return app.corrections.undo();
    },
  };
}
