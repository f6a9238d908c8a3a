// One stroke says what a label should be; the list of doubts goes on to the next that nobody has looked at.

import { oneLine } from "./text.js";

/** {label(name), accept(), confirm(), leaveOut(), undo()}, of the current item. app: {items, corrections, say}. */
export function makeJudge(app) {
  // A stroke is for the item that is chosen, whether or not the panel has it yet: fast hands are ahead of the server.
  const chosen = () => {
    const { item } = app.store.get();
    return app.panel.current() ?? (item === null ? null : app.doubts.untouched(item));
  };
  const add = (change, said) => {
    const told = chosen();
    if (!told) return app.say(app.store.get().item === null ? "Choose an item first." : "The item has not come yet; say it again.");
    if (!app.items.about.corrections.writable) return app.say(`Labels cannot be corrected here: ${app.items.about.corrections.why_not}.`);
    app.say(`${said}: ${oneLine(told.id)}`);
    const queued = app.corrections.waiting().findLast((each) => each.row === told.row && !each.fault);
    const twice = queued && !queued.undo && queued.new === change.new; // struck again as nobody answered
    if (twice) app.corrections.goOn();
    else app.corrections.add({ row: told.row, old: queued ? queued.new : (told.label ?? ""), ...change, name: told.id });
    told.label = change.new === "" ? null : change.new; // until the server tells it
    return app.doubts.goOn(told.row);
  };
  return {
    label: (name) => add({ new: name }, oneLine(name)),
    accept() {
      const told = chosen();
      const suggested = app.doubts.suggested(app.store.get().item) ?? told?.outlook?.suggested;
      if (told && !suggested) app.say("Nothing is suggested for this item.");
      else if (told && told.label === suggested) app.say(`This item is ${oneLine(suggested)} already, as the space suggests; c says that it is right.`);
      else add({ new: suggested }, oneLine(suggested));
    },
    confirm() {
      const told = chosen();
      if (told && told.label === null) app.say("This item has no label that could be confirmed.");
      else add({ new: told?.label ?? "" }, "Right as it is");
    },
    leaveOut() {
      const told = chosen();
      if (told && told.label === null) app.say("This item has no label, and is left out already.");
      else add({ new: "" }, "Left out");
    },
    undo() {
      const last = app.corrections.newest();
      if (!last) return app.say("There is nothing to be undone: what was corrected before this page was opened stays.");
      app.say("Undone");
      app.store.set({ item: last.row }, "replace");
      const told = app.panel.current();
      if (told) told.label = last.old === "" ? null : last.old; // until the server tells it
      app.doubts.takeBack(last.row);
      return app.corrections.undo();
    },
  };
}
