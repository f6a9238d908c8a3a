// Light or dark: as the machine is set, or as a button was struck.

import { fill, icon } from "./dom.js";
import { keep, kept } from "./kept.js";

const KEPT = "affectspace theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** {get: "light" or "dark", listen}; the button goes round between the machine's setting and both. */
export function makeTheme(button) {
  const listeners = [];
  let chosen = read();
  const get = () => chosen ?? (dark.matches ? "dark" : "light");
  const apply = () => {
    document.documentElement.dataset.theme = get();
    const told = chosen === null ? `Theme: as the machine (${get()})` : `Theme: ${chosen}`;
    fill(button, icon("sun"));
    button.setAttribute("aria-label", told);
    button.title = told;
    for (const listener of listeners) listener(get());
  };
  button.addEventListener("click", () => {
    const other = dark.matches ? "light" : "dark";
    chosen = chosen === null ? other : chosen === other ? (other === "dark" ? "light" : "dark") : null;
    keep(KEPT, chosen);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
  return { get, listen: (listener) => listeners.push(listener) };
}

function read() {
  const before = kept(KEPT);
  return before === "light" || before === "dark" ? before : null;
}
