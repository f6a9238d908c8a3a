// A list as long as the items are: only the lines in view are elements.

import { el, fill } from "./dom.js";

const BEYOND = 8; // lines above and below those in view

/**
 * A listbox: {element, heading, show(count, current), focus}.
 *
 * line(at) gives the children of a line; chosen(at) is called when one is struck or walked to; height is that of a line;
 * heading, which says what stands in a line, is put above by whoever asks for it.
 */
export function makeList({ label, height, line, chosen, heading = null, named = () => "" }) {
  const inner = el("div", { class: "lines", role: "presentation" });
  const element = el("div", { class: "list", role: "listbox", tabindex: 0, "aria-label": label }, inner);
  let count = 0;
  let current = -1;
  let drawn = "";
  const prefix = `line-${label.toLowerCase().replace(/\W+/g, "-")}`;
  if (heading) {
    heading.id = `${prefix}-heading`;
    element.setAttribute("aria-describedby", heading.id);
  }

  const draw = () => {
    const first = Math.max(0, Math.floor(element.scrollTop / height) - BEYOND);
    const last = Math.min(count, Math.ceil((element.scrollTop + element.clientHeight) / height) + BEYOND);
    const key = `${first} ${last} ${count} ${current}`;
    if (key === drawn) return;
    drawn = key;
    inner.style.height = `${count * height}px`;
    const lines = [];
    for (let at = first; at < last; at++) {
      lines.push(
        el(
          "div",
          { class: "line", role: "option", id: `${prefix}-${at}`, "aria-selected": String(at === current), "aria-setsize": count,
            "aria-posinset": at + 1, style: { transform: `translateY(${at * height}px)`, height: `${height}px` },
            onclick: () => go(at), title: named(at) || null },
          line(at),
        ), // prettier-ignore
      );
    }
    fill(inner, lines);
    if (current >= first && current < last) element.setAttribute("aria-activedescendant", `${prefix}-${current}`);
    else element.removeAttribute("aria-activedescendant");
  };

  const reveal = () => {
    if (current < 0 || !element.clientHeight) return;
    const [top, bottom] = [current * height, (current + 1) * height];
    if (top < element.scrollTop) element.scrollTop = Math.max(0, top - height);
    else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight + height;
  };

  const go = (at) => {
    if (!count) return;
    current = Math.min(count - 1, Math.max(0, at));
    reveal();
    draw();
    chosen(current);
  };

  element.addEventListener("scroll", () => requestAnimationFrame(draw));
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(element.clientHeight / height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count }[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(current < 0 ? 0 : current + steps);
  });
  new ResizeObserver(() => {
    drawn = "";
    draw();
  }).observe(element);

  return {
    element,
    heading,
    /** Show so many lines, of which one is current; every line is made anew. */
    show(newCount, newCurrent) {
      const walked = newCurrent !== current;
      [count, current, drawn] = [newCount, newCurrent, ""];
      inner.style.height = `${count * height}px`;
      if (walked) reveal();
      draw();
    },
    reveal,
    focus: () => element.focus({ preventScroll: true }),
  };
}
