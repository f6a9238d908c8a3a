// Colours of points: those of the reports, which survive colour blindness, and a perceptual ramp for numbers.

// Okabe & Ito 2008, their yellow and black made readable as points on white, and two more for ten classes; the second
// list holds the same hues, lighter, for a dark ground. Class i of a space has colour i here and in every report.
export const CLASS_COLOURS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b5a800", "#4d4d4d", "#7a3e12", "#5b3fa0"],
  dark: ["#4aa3e0", "#f2803f", "#2bc198", "#e5a0c8", "#f0b840", "#93d3f7", "#dbcf3f", "#c2c7cd", "#c98f62", "#a68fee"],
};
export const MOST = CLASS_COLOURS.light.length; // values that people tell apart; the others are grey
export const OTHERS = { light: "#a9b0b8", dark: "#5d666f" };
export const MISSING = { light: "#828a93", dark: "#6d767f" }; // 3 : 1 on every ground: to be seen, and no class's

// Viridis (van der Walt & Smith 2015), every tenth part of it.
const VIRIDIS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
]; // prettier-ignore
// The ends that vanish are cut off: pale yellow on white, deep violet on black.
const ENDS = { light: [0, 0.93], dark: [0.16, 1] };

/** The colour [r, g, b] at a share in [0, 1] of the ramp. */
export function onRamp(share, theme) {
  const [low, high] = ENDS[theme];
  const at = (low + Math.min(1, Math.max(0, share)) * (high - low)) * (VIRIDIS.length - 1);
  const before = Math.min(VIRIDIS.length - 2, Math.floor(at));
  return VIRIDIS[before].map((each, i) => Math.round(each + (at - before) * (VIRIDIS[before + 1][i] - each)));
}

/** [r, g, b] of "#rrggbb". */
export function rgb(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** "#rrggbb" of [r, g, b]. */
export function hex(parts) {
  return `#${parts.map((each) => each.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * The colours of the values of a category that any item has: {names: [{code, name, colour}] with a colour of their own, in
 * the order of the legend, more: how many values have none, of: Map from code to [r, g, b], others, missing}.
 *
 * Values that are classes keep the colours of their places among the classes, in every column and every space; ordered
 * classes lie on the ramp. Labels that are none of the classes, others, come behind them, or are grey beside a ramp.
 * counts: how often each value occurs, by which the most frequent are chosen.
 */
export function categoryColours(values, counts, classes, others, ordered, theme) {
  const places = new Map([...classes, ...others].map((name, place) => [name, place]));
  const all = values.map((name, code) => ({ code, name, place: places.get(name) ?? -1 }));
  const known = all.filter((each) => counts[each.code] > 0); // a class that no item has is one that it may be given
  const asClasses = known.length > 0 && known.every((each) => each.place >= 0);
  const colours = new Map();
  let named;
  if (asClasses && ordered) {
    named = [...known].sort((a, b) => a.place - b.place);
    for (const each of named) colours.set(each.code, rgb(placeColour(each.place, classes, ordered, theme)));
  } else if (asClasses && classes.length <= MOST) {
    named = known.filter((each) => each.place < MOST).sort((a, b) => a.place - b.place);
    for (const each of named) colours.set(each.code, rgb(placeColour(each.place, classes, ordered, theme)));
  } else {
    named = [...known].sort((a, b) => counts[b.code] - counts[a.code] || a.code - b.code).slice(0, MOST);
    named.forEach((each, place) => colours.set(each.code, rgb(CLASS_COLOURS[theme][place])));
  }
  return {
    names: named.map(({ code, name }) => ({ code, name, colour: hex(colours.get(code)) })),
    more: known.length - named.length,
    of: colours,
    others: rgb(OTHERS[theme]),
    missing: rgb(MISSING[theme]),
  };
}

/** The colour of the label at a place among the classes and, behind them, the labels that are none. */
export function placeColour(place, classes, ordered, theme) {
  if (ordered && place < classes.length) return hex(onRamp(place / Math.max(1, classes.length - 1), theme));
  return ordered || place >= MOST || classes.length > MOST ? OTHERS[theme] : CLASS_COLOURS[theme][place];
}

/** A colour [r, g, b] for each item, as Uint8Array of 3 n. */
export function itemColours(column, colouring, theme) {
  if (column.kind === "number") {
    const { numbers, low, high } = column;
    const steps = Array.from({ length: 256 }, (_, step) => onRamp(step / 255, theme));
    const found = new Uint8Array(3 * numbers.length);
    const none = rgb(MISSING[theme]);
    const scale = 255 / (high - low || 1);
    for (let row = 0; row < numbers.length; row++) {
      const at = Math.round((numbers[row] - low) * scale);
      found.set(Number.isNaN(at) ? none : steps[Math.min(255, Math.max(0, at))], 3 * row);
    }
    return found;
  }
  const { codes, values } = column;
  const table = new Uint8Array(3 * (values.length + 2)).fill(0); // missing stands first
  table.set(colouring.missing, 0);
  for (let code = 0; code <= values.length; code++) table.set(colouring.of.get(code) ?? colouring.others, 3 * (code + 1));
  const found = new Uint8Array(3 * codes.length);
  for (let row = 0; row < codes.length; row++) {
    const at = 3 * (codes[row] + 1);
    found[3 * row] = table[at];
    found[3 * row + 1] = table[at + 1];
    found[3 * row + 2] = table[at + 2];
  }
  return found;
}

/** How strongly black and white, or two other colours [r, g, b], differ, in [1, 21] (WCAG 2.2). */
export function contrast(a, b) {
  const [light, dark] = [a, b].map(luminance).sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(parts) {
  const [r, g, b] = parts.map((each) => {
    const share = each / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
