// The current item: what it is, what people and the model say of it, and what it lies beside.

import { placeColour } from "./colours.js";
import { decisionMark } from "./decisions.js";
import { clipped, el, fill, icon } from "./dom.js";
import { hush, whyNot } from "./player.js";
import { getJson, Unreachable } from "./server.js";
import { stateOf } from "./standing.js";
import { clock, decided, oneLine, short, visible, when } from "./text.js";
import { makeTile } from "./tiles.js";
import { makeWaveform } from "./waveform.js";

/**
 * The panel of the current item. app: {items, store, near, judge, corrections, theme, say}.
 *
 * It tells which item it shows by current(), {row, label, state, ...} as the server has told it; null while there is none, or
 * while another is still shown than the one that is chosen.
 */
export function makeItemPanel(app, place) {
  const { items, store } = app;
  let told = null;
  let audio = null;
  let asking = null;

  async function show(row, again = false) {
    asking?.abort();
    if (row === null) {
      told = null;
      app.near.set([]);
      return keepingFocus(() => fill(place, nothing(items)));
    }
    asking = new AbortController();
    const { signal } = asking;
    place.setAttribute("aria-busy", "true");
    try {
      const found = await items.item(row, store.get().space, signal);
      if (signal.aborted) return undefined;
      const scrolled = again ? place.scrollTop : 0;
      told = found;
      const said = app.corrections.waiting().findLast((each) => each.row === row && !each.fault);
      if (said) told.label = said.new === "" ? null : said.new; // it holds once the server has it
      told.state = stateOf(said ? [...told.history, said] : told.history);
      app.near.set(told.nearest.map((each) => each.row));
      const heard = again && place.dataset.row === String(row) && audio && !audio.paused;
      keepingFocus(heard ? refreshWords : render); // what is heard is not cut off
      place.scrollTop = scrolled;
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      if (again && told?.row === row && error instanceof Unreachable) {
        place.removeAttribute("aria-busy");
        return undefined; // what is seen stays, until somebody answers
      }
      told = null;
      const retry = el("button", { type: "button", class: "button", onclick: () => show(row) }, "Try again");
      keepingFocus(() => fill(place, el("div", { class: "empty" }, el("p", {}, oneLine(error.message)), retry)));
    }
    place.removeAttribute("aria-busy");
    return undefined;
  }

  /** Draw anew; the focus stays on the like control, or in the panel where there is none any more. */
  function keepingFocus(draw) {
    const before = place.contains(document.activeElement) ? document.activeElement : null;
    draw();
    if (!before || before.isConnected) return;
    const like = [...place.querySelectorAll("button:not(:disabled), audio")].find((each) => nameOf(each) === nameOf(before));
    (like ?? place).focus({ preventScroll: true });
  }

  function render() {
    hush();
    audio = null;
    place.dataset.row = told.row;
    const parts = [el("div", { class: "item-words" }), media(), el("div", { class: "item-judged" })];
    fill(place, parts);
    refreshWords();
  }

  function refreshWords() {
    fill(place.querySelector(".item-words"), heading());
    fill(place.querySelector(".item-judged"), judging(), opinions(), nearest(), fields(), history());
  }

  function heading() {
    const label = told.label === null ? el("span", { class: "faint" }, told.state === "left out" ? "left out" : "no label") : named(told.label);
    const confirmed = told.state === "confirmed" && el("span", { class: "was" }, decisionMark("confirmed"), "confirmed");
    const foreign = isForeign() && el("span", { class: "was" }, "no class of this model");
    const was = told.label_was && told.label_was !== told.label ? el("span", { class: "was" }, "was ", el("s", { title: oneLine(told.label_was) }, oneLine(told.label_was))) : null;
    return [el("p", { class: "item-id", title: oneLine(told.id) }, el("bdi", {}, oneLine(told.id))), el("h2", { class: "item-label" }, label, foreign, confirmed, was)];
  }

  function named(name) {
    return el("span", { class: "class-name", title: oneLine(name) }, el("i", { class: "dot", style: { background: classColour(app, name) } }), oneLine(name));
  }

  /** Whether the label is none that could be given here: its corpus has more than the model. */
  const isForeign = () => told.label !== null && !items.about.classes.includes(told.label);

  function media() {
    const shown = [];
    const fault = (says) => el("p", { class: "fault" }, oneLine(says));
    if (told.image) {
      const image = el("img", { class: "picture", src: told.image, alt: `Picture of ${oneLine(told.id)}` });
      image.addEventListener("error", async () => image.replaceWith(fault(await whyNot(told.image))));
      shown.push(el("div", { class: "frame" }, image));
    }
    if (told.text !== null && told.text !== "") shown.push(el("blockquote", { class: "spoken", dir: "auto" }, visible(told.text)));
    if (told.audio) shown.push(sound(fault));
    return el("div", { class: "media" }, shown);
  }

  function sound(fault) {
    const player = el("audio", { controls: true, preload: "metadata", src: told.audio, "aria-label": `Sound of ${oneLine(told.id)}` });
    const holder = el("div", { class: "sound" }, player);
    audio = player;
    const { audio: path, waveform, row } = told;
    player.addEventListener("play", hush);
    player.addEventListener("error", async () => fill(holder, fault(await whyNot(path))), { once: true });
    if (waveform) {
      getJson(waveform).then(
        (wave) => {
          if (told?.row !== row || !player.isConnected) return;
          const { element, draw } = makeWaveform(wave, player);
          holder.prepend(element);
          player.setAttribute("aria-label", `Sound of ${oneLine(told.id)}, ${clock(wave.seconds)}`);
          draw();
        },
        () => {}, // the player tells what is wrong with the sound
      );
    }
    return holder;
  }

  function judging() {
    const { corrections, classes } = items.about;
    if (!corrections.writable) {
      return corrections.why_not ? el("p", { class: "hint" }, `Labels cannot be corrected here: ${oneLine(corrections.why_not)}.`) : null;
    }
    const buttons = classes.map((name, at) =>
      el("button", { type: "button", class: "choice", "data-act": `is ${name}`, "aria-pressed": String(name === told.label), onclick: () => app.judge.label(name) }, [
        at < 9 && el("kbd", {}, at + 1),
        el("i", { class: "dot", style: { background: classColour(app, name) } }),
        clipped(oneLine(name)),
      ]),
    );
    const { outlook } = told;
    return el("section", { class: "judge", "aria-label": "Correct the label" }, [
      outlook &&
        el("div", { class: "outlook" }, [
          el("p", { class: "clamped", title: oneLine(outlook.suggested) }, [outlook.suggested === told.label ? "The space suggested " : "The space suggests ", el("strong", {}, oneLine(outlook.suggested))]),
          el("p", { class: "reasons", title: oneLine(outlook.reasons) }, `${oneLine(outlook.reasons)}. Score ${outlook.score.toFixed(2)}: from 0 to 1, how surely ${oneLine(outlook.label)} is wrong.`),
          outlook.suggested !== told.label && el("button", { type: "button", class: "button strong", "data-act": "accept", onclick: () => app.judge.accept() }, clipped(`Accept ${oneLine(outlook.suggested)}`), el("kbd", {}, "Enter")),
        ]),
      el("div", { class: "choices-of-class", role: "group", "aria-label": "The label is", style: { "--longest": Math.max(...classes.map((name) => name.length)), "--most": classes.length === 4 ? 2 : 3 } }, buttons),
      el("div", { class: "acts" }, [
        told.label !== null && !isForeign() && el("button", { type: "button", class: "button", onclick: () => app.judge.confirm() }, icon("check"), "Right", el("kbd", {}, "c")),
        told.state !== "left out" && el("button", { type: "button", class: "button", onclick: () => app.judge.leaveOut() }, icon("close"), "Leave out", el("kbd", {}, "0")),
        el("button", { type: "button", class: "button", onclick: () => app.judge.undo(), disabled: !app.judge.undoable() }, icon("undo"), "Undo", el("kbd", {}, "u")),
      ]),
    ]);
  }

  function opinions() {
    const votes = told.votes?.some(([, value]) => value > 0) ? told.votes : null; // none is for a class of this model
    if (!votes && !told.prediction) return null;
    const names = (votes ?? told.prediction).map(([name]) => name);
    for (const [name] of told.prediction ?? []) if (!names.includes(name)) names.push(name);
    const share = (shares, name) => shares?.find(([each]) => each === name)?.[1] ?? null;
    const cell = (shares, name, kind) => {
      const value = share(shares, name);
      const percent = value === null || Number.isNaN(value) ? null : Math.round(100 * value);
      return el("td", { class: kind }, percent === null ? el("span", { class: "unseen" }, "none") : [
        el("span", { class: "bar", style: { width: `${Math.max(percent, percent ? 2 : 0)}%`, "background-color": classColour(app, name) } }),
        el("span", { class: "percent" }, `${percent} %`),
      ]); // prettier-ignore
    };
    const [people, model] = [votes, told.prediction].map(Boolean);
    const divided = votes?.some(([, value]) => value > 0 && value < 1);
    const whose = divided ? "Votes" : told.label_was ? "Old label" : "Label"; // one class alone may be nobody's vote
    const head = el("tr", {}, [
      el("th", { scope: "col" }, el("span", { class: "unseen" }, "Class")),
      people && el("th", { scope: "col" }, whose),
      model && el("th", { scope: "col" }, "Model"),
    ]);
    const rows = names.map((name) =>
      el("tr", {}, [el("th", { scope: "row", title: oneLine(name) }, oneLine(name)), people && cell(votes, name, "votes"), model && cell(told.prediction, name, "model")]),
    );
    return el("section", { class: "block" }, el("h3", {}, !people ? "What the model says" : divided ? "What raters and the model say" : "The label, and what the model says"), el("table", { class: "opinions" }, el("thead", {}, head), el("tbody", {}, rows)));
  }

  function nearest() {
    if (!told.nearest.length) return null;
    const tiles = told.nearest.map((each) =>
      makeTile(app, { row: each.row, id: each.id, media: each.media, colour: each.label === null ? null : classColour(app, each.label), note: `${each.label === null ? "no label" : oneLine(each.label)} · ${short(each.distance)}` }),
    );
    return el("section", { class: "block" }, el("h3", {}, "Nearest in the space"), el("ul", { class: "tiles near" }, tiles));
  }

  function fields() {
    if (!told.fields.length) return null;
    const rows = told.fields.map(([name, value]) => el("div", {}, el("dt", {}, oneLine(name)), el("dd", {}, el("bdi", {}, visible(value)))));
    return el("section", { class: "block" }, el("h3", {}, "Fields"), el("dl", { class: "fields" }, rows));
  }

  function history() {
    if (!told.history.length) return null;
    const entries = [...told.history].reverse().map((each) => {
      return el("li", {}, el("span", { class: "clamped", title: decided(each) }, decided(each)), el("span", { class: "faint" }, `${oneLine(each.by)}, ${when(each.at)}`), each.why && el("span", { class: "why" }, visible(each.why)));
    });
    return el("section", { class: "block" }, el("h3", {}, "Corrections"), el("ol", { class: "history" }, entries));
  }

  store.listen((state, changed) => {
    if (changed.has("item") || changed.has("space")) show(state.item);
  });
  show(store.get().item);
  return {
    element: place,
    /** Null as well while it has not come: what is said then would be said of the one before. */
    current: () => (told?.row === store.get().item ? told : null),
    /** Ask for the item again, as somebody has corrected it. */
    again: () => store.get().item !== null && show(store.get().item, true),
    /** Play the sound, or stop it. */
    togglePlay() {
      if (!audio) return false;
      if (audio.paused) audio.play().catch(() => {}); // told where the player stands
      else audio.pause();
      return true;
    },
  };
}

/** What a control does, whichever item it does it to. */
function nameOf(control) {
  return control.dataset.act ?? control.getAttribute("aria-label") ?? control.textContent;
}

/** The colour of a label, which is that of its place among the classes and, behind them, the labels that are none. */
export function classColour(app, name) {
  const { space } = app.store.get();
  const { classes, ordered } = app.items.about.spaces[space];
  const place = [...classes, ...app.items.otherLabels(space)].indexOf(name);
  return place < 0 ? "var(--soft)" : placeColour(place, classes, ordered, app.theme.get());
}

function nothing(items) {
  return el("div", { class: "empty" }, [
    el("p", { class: "lead" }, "No item is chosen."),
    el("p", {}, "Click a point, or walk through the list below the map. Then you see and hear it here, with its votes, what the model says of it, and what lies near it."),
    items.about.notes.map((each) => el("p", { class: "hint" }, oneLine(each))),
  ]);
}
