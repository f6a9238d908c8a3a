// One sound at a time: what is played by small buttons stops when another is, and when the item's own player is.

import { el, fill, icon } from "./dom.js";
import { getJson, Refused } from "./server.js";

const sound = new Audio();
sound.preload = "none";
let played = null; // the row that sounds
const listeners = new Set();

/** A button that plays an item's sound, and stops it. failed is called with a sentence where it cannot be played. */
export function playButton(row, label, failed) {
  const button = el("button", { type: "button", class: "play", "aria-label": `Play ${label}`, onclick: () => toggle(row, failed) }, icon("play"));
  const tell = () => {
    if (!button.isConnected && button.dataset.seen) return listeners.delete(tell);
    if (button.isConnected) button.dataset.seen = "1";
    const sounds = played === row;
    fill(button, icon(sounds ? "pause" : "play"));
    button.setAttribute("aria-label", `${sounds ? "Stop" : "Play"} ${label}`);
    return button.classList.toggle("sounds", sounds);
  };
  listeners.add(tell);
  return button;
}

/** Stop whatever small buttons have begun. */
export function hush() {
  sound.pause();
  tell(null);
}

/** Why media at a path cannot be shown, in the server's own words. */
export async function whyNot(path) {
  try {
    await getJson(path);
  } catch (error) {
    if (error instanceof Refused) return error.message;
    if (error instanceof SyntaxError) return "this browser cannot play it"; // it came, and is no JSON
    return error.message;
  }
  return "this browser cannot play it";
}

async function toggle(row, failed) {
  if (played === row) return hush();
  for (const other of document.querySelectorAll("audio")) other.pause();
  sound.src = `/api/audio/${row}`;
  tell(row);
  try {
    await sound.play();
  } catch (error) {
    if (error.name === "AbortError") return; // another was begun
    tell(null);
    failed(await whyNot(`/api/audio/${row}`));
  }
}

function tell(row) {
  played = row;
  for (const listener of listeners) listener();
}

sound.addEventListener("ended", () => tell(null));
