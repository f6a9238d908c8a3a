// The tabs of the lists.

import { el, fill } from "./dom.js";
import { TABS } from "./state.js";

const NAMES = { items: "Items", doubts: "Labels in doubt", groups: "Sub-classes" };

/** Tabs that show one panel each. app: {store}; panels by name; some tabs may not be there (has). */
export function makeTabs(app, place, panels, has) {
  const { store } = app;
  const tabs = TABS.filter(has).map((name) =>
    el("button", { type: "button", role: "tab", id: `tab-${name}`, class: "tab", "aria-controls": `panel-${name}`, onclick: () => store.set({ tab: name }) }, NAMES[name]),
  );
  fill(place, tabs);
  place.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.focus();
    tab.click();
    event.preventDefault();
  });
  const show = () => {
    const { tab } = store.get();
    for (const each of tabs) {
      const chosen = each.id === `tab-${tab}`;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
    }
    for (const [name, panel] of Object.entries(panels)) panel.hidden = name !== tab;
  };
  store.listen((state, changed) => changed.has("tab") && show());
  show();
}
