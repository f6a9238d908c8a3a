// Elements are made here and nowhere else; what people have written goes in as text, never as markup.

/**
 * An element with attributes, listeners ("onclick") and children, which are elements or texts; null and false are left
 * out. style is an object, as the server allows no style in markup.
 */
export function el(tag, given = {}, ...children) {
  const drawn = tag === "svg" || tag === "path";
  const made = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) made.style.setProperty(key, each);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...there(children));
  return made;
}

/** Words on one line, cut off where there is no room for them; whoever points at them sees them whole. */
export function clipped(words) {
  return el("span", { class: "clipped", title: words }, words);
}

/** Put children in place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...there(children));
  return element;
}

function there(children) {
  return children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false);
}

/** The element of index.html that has this id. */
export function byId(id) {
  return document.getElementById(id);
}

// Drawn here, of lines alone, so that they take the colour of the words beside them.
const SHAPES = {
  play: "M5 3.5v9l7-4.5z",
  pause: "M5 3.5v9M11 3.5v9",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  lasso: "M8 3c3.3 0 5.5 1.6 5.5 3.8S11.300 10.600 8 10.600 2.500 9 2.500 6.800 4.700 3 8 3zM5 10.200c-1 .8-.8 2.300.6 2.300.9 0 1.200-.8.6-1.500",
  hand: "M8 2v12M2 8h12M8 2 6.300 3.700M8 2l1.700 1.700M8 14l-1.700-1.700M8 14l1.700-1.700M2 8l1.700-1.700M2 8l1.700 1.700M14 8l-1.700-1.700M14 8l-1.700 1.700",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3 8.500l3.500 3.500L13 4.500",
  undo: "M6 4 3 7l3 3M3 7h6.500a3.500 3.500 0 0 1 0 7H7",
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
  up: "M3 10l5-5 5 5",
  down: "M3 6l5 5 5-5",
  sun: "M8 5.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600zM8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M3.400 12.600l1-1M11.600 4.400l1-1",
  sliders: "M2.500 5h6M11.500 5h2M10 3.500v3M2.500 11h2M7.500 11h6M6 9.500v3",
  search: "M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM10.300 10.300 13.500 13.500",
  link: "M7 9a2.500 2.500 0 0 0 3.600 0l2-2a2.500 2.500 0 0 0-3.600-3.600l-.7.700M9 7a2.500 2.500 0 0 0-3.600 0l-2 2A2.500 2.500 0 0 0 7 12.600l.7-.7",
};

/** An id of which the end, which tells items of one corpus apart, is the last to be cut off. */
export function idParts(id) {
  const at = id.lastIndexOf("/") + 1;
  return [at > 0 && el("span", { class: "id-start" }, id.slice(0, at)), el("span", { class: "id-end" }, id.slice(at))];
}

/** A small picture of lines. */
export function icon(name) {
  const drawn = el("path", { d: SHAPES[name] });
  return el("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, drawn);
}
