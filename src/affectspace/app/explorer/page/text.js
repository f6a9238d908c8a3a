// Words as they are shown: what no reader could see, or what would turn the line around, is made visible.

// Control characters but the line feed and the tab; marks, embeddings, overrides and isolates of direction; separators
// of lines; the byte order mark. Joiners (U+200C, U+200D) stay: Urdu and emoji are written with them.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** A text in which every character that steers instead of showing stands as its code, such as ⟨U+202E⟩. */
export function visible(text) {
  return String(text).replace(UNSEEN, (each) => `⟨U+${each.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** As visible, on one line. */
export function oneLine(text) {
  return visible(String(text).replace(/[\n\t]/g, " "));
}

/** A count with separators of thousands. */
export function count(number) {
  return Number(number).toLocaleString("en");
}

/** A count with its noun: counted(1, "item") is "1 item", counted(2, "item") is "2 items". */
export function counted(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A number as short as it can be told apart. */
export function short(number) {
  if (!Number.isFinite(number)) return "–";
  const size = Math.abs(number);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return number.toExponential(1);
  return String(Number(number.toPrecision(size >= 1000 ? 4 : 3)));
}

/** Seconds as minutes and seconds. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** When something was said, in the reader's own time. */
export function when(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const today = new Date().toDateString() === date.toDateString();
  return date.toLocaleString("en-GB", today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

/** A class as a judgement has it: nothing where the item is left out. */
export function classWord(name) {
  return name === "" ? "left out" : oneLine(name);
}

/** What a judgement {old, new, undo} has decided, in words. */
export function decided(entry) {
  if (entry.undo) return `took back ${classWord(entry.old)}: ${entry.new === "" ? "no label" : oneLine(entry.new)}`;
  if (entry.new === entry.old) return entry.new === "" ? "left out" : `confirmed ${oneLine(entry.new)}`;
  return `${entry.old === "" ? "no label" : oneLine(entry.old)} → ${classWord(entry.new)}`;
}
