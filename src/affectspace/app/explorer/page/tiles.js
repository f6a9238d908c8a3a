// Items as tiles: a picture, a sound to be played, or words.

import { el, fill } from "./dom.js";
import { playButton } from "./player.js";
import { oneLine, visible } from "./text.js";

/** A tile that opens an item. app: {items, store, say}; told: {row, id, media, colour, note}; media: which of audio, image and text it has. */
export function makeTile(app, told) {
  const { store } = app;
  const has = (kind) => told.media.includes(kind);
  const name = told.id ? oneLine(told.id) : `item ${told.row}`;
  const sight = el("div", { class: "sight" });
  const caption = el("span", { class: "tile-name" }, [
    told.colour && el("i", { class: "dot", style: { background: told.colour } }),
    el("span", { class: "tile-id" }, shortName(name)),
  ]);
  const line = has("audio") && has("text") ? el("span", { class: "tile-words" }) : null; // what is said, beside what plays it
  const open = el("button", { type: "button", class: "tile-open", title: name, "aria-label": `Open ${name}${told.note ? `, ${told.note}` : ""}`, onclick: () => store.set({ item: told.row }) }, [
    sight,
    caption,
    line,
    told.note && el("span", { class: "tile-note", title: told.note }, told.note),
  ]);
  const tile = el("li", { class: "tile", "data-row": told.row }, open);
  const other = () => {
    tile.classList.add(has("text") && !has("audio") ? "worded" : "bare");
    if (has("text")) words(app, told.row, line ?? sight);
  };
  const gone = () => (fill(sight), other());
  if (has("image")) sight.append(el("img", { src: `/api/image/${told.row}`, alt: "", loading: "lazy", decoding: "async", onerror: gone }));
  else other();
  if (has("audio")) tile.append(playButton(told.row, name, app.say));
  return tile;
}

// Words are asked for when a tile comes into view: a page of sub-classes has hundreds.
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    entry.target.dispatchEvent(new Event("seen"));
  }
});

function words(app, row, place) {
  place.addEventListener("seen", async () => {
    try {
      const told = await app.items.item(row, app.store.get().space);
      fill(place, told.text === null ? el("span", { class: "faint" }, "no words") : el("bdi", { class: "words" }, visible(told.text)));
    } catch (error) {
      fill(place, el("span", { class: "faint" }, oneLine(error.message)));
    }
  });
  seen.observe(place);
}

/** The end of a name, which tells items of one corpus apart. */
function shortName(name) {
  const end = name.split("/").at(-1);
  return end.length > 26 ? `…${end.slice(-25)}` : end;
}
