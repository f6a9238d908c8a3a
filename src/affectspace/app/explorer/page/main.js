// The page: its parts are made here, and told of each other.

import { makeCorrections } from "./corrections.js";
import { makeDecisions } from "./decisions.js";
import { byId, el, fill, icon } from "./dom.js";
import { makeDoubts } from "./doubts.js";
import { makeFilterPanel } from "./filter_panel.js";
import { makeGalleries } from "./galleries.js";
import { makeItemPanel } from "./item.js";
import { makeItems } from "./items.js";
import { makeItemsList } from "./items_list.js";
import { makeJudge } from "./judge.js";
import { listenToKeys } from "./keys.js";
import { makeLegend } from "./legend.js";
import { keepAddress } from "./permalink.js";
import { pollCorrections } from "./polling.js";
import { getJson, onReachable, postJson, Unreachable } from "./server.js";
import { makeShared } from "./shared.js";
import { makeShownBar } from "./shown_bar.js";
import { keepMaps, makeSpaceChoices } from "./spaces.js";
import { firstOf, fromHash, makeStore } from "./state.js";
import { makeTabs } from "./tabs.js";
import { counted, decided, oneLine } from "./text.js";
import { makeTheme } from "./theme.js";
import { makeUnsaved } from "./unsaved.js";
import { makeViews } from "./view.js";

const SAID = 4000; // milliseconds that a remark stays

async function begin() {
  const about = await getJson("/api/about");
  const items = makeItems(about);
  const first = firstOf(about.spaces.length);
  const store = makeStore(legal(fromHash(location.hash, first), about));
  const theme = makeTheme(byId("theme"));
  const app = { items, store, theme, say, hover: makeShared(-1), near: makeShared([]), corrected: makeShared(0) };
  app.views = makeViews(items, store, theme.get);
  app.corrections = makeCorrections({
    post: ({ name, old, new: now, why, undo }) => postJson("/api/corrections", { item: name, old, new: now, why, undo }),
    storage: keptHere(),
    key: about.title,
    by: about.by,
    outdated(entry, history) {
      for (const each of history) heard.add(nameOf(entry.row, each));
      polling.now(); // what others have said stands everywhere then, while one chooses
    },
    agreed: (entry, other) => say(`${other.by}: ${decided(other)}, ${entry.name}, as you said`),
    saved: (told, answer) => {
      if (!answer.before) mine.add(`${told.row} ${told.new}`);
      const shown = app.panel.current();
      // The next stroke may come before the item.
      if (shown?.row === told.row) Object.assign(shown, { label: told.new === "" ? null : told.new, history: told.undo ? [] : shown.history });
      polling.now();
    },
  });
  const mine = new Set(); // what this page has said, which is no news
  const heard = new Set(); // nor what it was told of by others where it has said otherwise
  const nameOf = (row, each) => [row, each.by, each.at, each.new].join(" ");
  app.judge = makeJudge(app);
  app.decisions = makeDecisions(app);

  byId("title").textContent = oneLine(about.title);
  document.title = `${oneLine(about.title)} · affectspace`;
  makeSpaceChoices(app, byId("spaces"));
  makeLegend(app, byId("colour"), byId("legend"));
  makeFilterPanel(app, byId("filters"));
  makeShownBar(app, byId("shown"));
  keepMaps(app, byId("maps"));
  const has = (name) => name === "items" || about.spaces.some((each) => each.has[name === "doubts" ? "doubts" : "subclasses"]);
  makeTabs(app, byId("tabs"), { items: byId("panel-items"), doubts: byId("panel-doubts"), groups: byId("panel-groups") }, has);
  app.list = makeItemsList(app, byId("panel-items"));
  app.panel = makeItemPanel(app, byId("item"));
  app.doubts = makeDoubts(app, byId("panel-doubts"), byId("progress"));
  app.galleries = makeGalleries(app, byId("panel-groups"));
  app.unsaved = makeUnsaved(app, byId("unsaved"));
  listenToKeys(app, byId("help"), byId("help-button"), byId("words"));
  keepAddress(store, first, (state) => legal(state, about));
  keepWords(app);
  keepLayout();

  const news = async (entries) => {
    items.forgetCorrected();
    app.views.again();
    await app.decisions.again();
    app.corrected.set(app.corrected.get() + 1);
    if (entries.some((each) => each.row === store.get().item)) app.panel.again();
    const others = entries.filter((each) => !mine.delete(`${each.row} ${each.new}`) && !heard.has(nameOf(each.row, each)));
    if (others.length === 1) {
      const [each] = others;
      say(`${each.by}: ${decided(each)}, ${each.item}`);
    } else if (others.length) say(`${counted(others.length, "correction")} by others came in`);
  };
  const polling = pollCorrections(about.corrections.version, news, app.corrections.goOn);
  app.corrections.listen(() => app.panel.again());
  theme.listen(() => {
    app.views.again();
    app.galleries.again();
    app.panel.again();
  });
  onReachable((reachable) => {
    tell(reachable ? "" : "The explorer’s server does not answer. What you see stays; corrections wait until it is back …");
    if (reachable) {
      app.corrections.goOn();
      say("The server is back.");
    }
  });
  app.decisions.again();
  app.corrections.goOn(); // what an earlier page could not send
  app.views.again();
}

/** A state that this server can show: addresses are kept longer than spaces. */
function legal(state, about) {
  const there = (space) => space !== null && space < about.spaces.length;
  return {
    ...state,
    space: there(state.space) ? state.space : 0,
    beside: there(state.beside) ? state.beside : null,
    item: state.item !== null && state.item < about.items ? state.item : null,
    pick: state.pick && there(state.pick.space) && (state.pick.row ?? 0) < about.items ? state.pick : null,
  };
}

/** The field of words that items must hold. app: {items, store, views, list, panel, say}. */
function keepWords(app) {
  const { store } = app;
  const field = byId("words");
  let timer = 0;
  const search = () => {
    clearTimeout(timer);
    store.set({ words: field.value.trim() }, "replace");
  };
  field.value = store.get().words;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 250);
  });
  field.addEventListener("keydown", async (event) => {
    if (event.key !== "Enter" || event.isComposing || !field.value.trim()) return;
    search();
    await app.views.settled();
    const [row] = app.list.rows();
    const found = app.list.rows().length;
    if (!found) return say("No item that is shown holds these words.");
    store.set({ item: row, tab: found > 1 ? "items" : store.get().tab });
    if (found > 1) app.list.focus();
    else app.panel.element.focus({ preventScroll: true });
    return say(found > 1 ? `${counted(found, "item")} found, the first is chosen: j and k go through them.` : "1 item found and chosen.");
  });
  store.listen((state, changed) => {
    if (changed.has("words") && document.activeElement !== field) field.value = state.words;
  });
}

function keepLayout() {
  const [rail, railButton, tray, size] = ["rail", "rail-button", "tray", "tray-size"].map(byId);
  railButton.prepend(icon("sliders"));
  railButton.addEventListener("click", () => {
    const open = rail.classList.toggle("open");
    railButton.setAttribute("aria-expanded", String(open));
    if (open) rail.querySelector("select, button, input")?.focus();
  });
  rail.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !rail.classList.contains("open")) return;
    railButton.click();
    railButton.focus();
  });
  fill(size, icon("up"));
  size.addEventListener("click", () => {
    const tall = tray.parentElement.classList.toggle("tall");
    size.setAttribute("aria-pressed", String(tall));
    fill(size, icon(tall ? "down" : "up"));
  });
  for (const skip of document.querySelectorAll("[data-skip]")) {
    skip.addEventListener("click", () => {
      const place = byId(skip.dataset.skip);
      (place.querySelector(".stage, [role=tab][aria-selected=true]") ?? place).focus();
    });
  }
}

let silence = 0;

/** A remark, seen for some seconds and read out. */
function say(words) {
  const place = byId("said");
  fill(place, el("p", {}, oneLine(words)));
  clearTimeout(silence);
  silence = setTimeout(() => fill(place), SAID);
}

/** What stays to be seen as long as it holds. */
function tell(words) {
  const banner = byId("banner");
  banner.hidden = !words;
  fill(banner, words);
}

function keptHere() {
  try {
    return window.localStorage;
  } catch {
    return { getItem: () => null, setItem() {}, removeItem() {} }; // a browser may keep nothing
  }
}

async function untilThere() {
  for (;;) {
    try {
      return await begin();
    } catch (error) {
      tell(oneLine(error.message));
      if (!(error instanceof Unreachable)) throw error; // it will not go otherwise another time
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

untilThere();
