// One stroke says what a label should be; the list of doubts goes on to the next that nobody has looked at.

import { standing } from "./standing.js";
import { oneLine } from "./text.js";

/** {label(name), accept(), confirm(), leaveOut(), undo(), undoable()}, of the current item. app: {items, corrections, say}. */
export function makeJudge(app) {
  // A stroke is for the item that is chosen, whether or not the panel has it yet: fast hands are ahead of the server.
  const chosen = () => {
    const { item } = app.store.get();
    return app.panel.current() ?? (item === null ? null : app.doubts.untouched(item));
  };
  const queued = (row) => app.corrections.waiting().findLast((each) => each.row === row && !each.fault);
  // What one has said last; of an earlier page, what stands last of the item that is chosen, where that is one's own.
  const last = () => app.corrections.newest() ?? ownLast();
  const ownLast = () => {
    const told = app.panel.current();
    const said = told && !queued(told.row) ? standing(told.history).at(-1) : undefined;
    return said?.by === app.items.about.by ? { row: told.row, name: told.id, old: said.old, new: said.new } : undefined;
  };
  const add = (change, said) => {
    const told = chosen();
    if (!told) return app.say(app.store.get().item === null ? "Choose an item first." : "The item has not come yet; say it again.");
    if (!app.items.about.corrections.writable) return app.say(`Labels cannot be corrected here: ${app.items.about.corrections.why_not}.`);
    app.say(`${said}: ${oneLine(told.id)}`);
    const before = queued(told.row);
    const twice = before && !before.undo && before.new === change.new; // struck again as nobody answered
    if (twice) app.corrections.goOn();
    else app.corrections.add({ row: told.row, old: before ? before.new : (told.label ?? ""), ...change, name: told.id });
    told.label = change.new === "" ? null : change.new; // until the server tells it
    told.state = change.new === "" ? "left out" : "corrected";
    app.decisions.hear(told.row);
    return app.doubts.goOn(told.row);
  };
  const nothing = () => {
    const told = app.panel.current();
    const said = told && standing(told.history).at(-1);
    if (said && said.by !== app.items.about.by) return `${said.by || "Somebody else"} has judged this item last; you can undo what you have said yourself.`;
    return "There is nothing of yours to be undone on this item.";
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
      else if (told && !app.items.about.classes.includes(told.label)) app.say(`${told.label} is no class of this model, and cannot be confirmed here.`);
      else add({ new: told?.label ?? "" }, "Right as it is");
    },
    leaveOut() {
      const told = chosen();
      if (told?.state === "left out" && !queued(told.row)) app.say("This item is left out already.");
      else add({ new: "" }, "Left out");
    },
    undo() {
      const back = last();
      if (!back) return app.say(nothing());
      app.say(`Undone: ${oneLine(back.name)}`);
      app.store.set({ item: back.row }, "replace");
      const told = app.panel.current();
      if (told) Object.assign(told, { label: back.old === "" ? null : back.old, state: null, history: [] }); // until the server tells it
      app.decisions.takeBack(back.row);
      return app.corrections.undo(back);
    },
    undoable: () => Boolean(last()),
  };
}
