// Which items are shown: each filter says yes or no of each item, and an item is shown where all say yes.

/**
 * What one filter says of each item, as Uint8Array of 0 and 1.
 *
 * column: {kind: "category", values, codes} with -1 for missing and values.length for values that have no name of their
 * own; or {kind: "number", numbers} with NaN for missing.
 */
export function passes(column, filter) {
  if (column.kind === "number") {
    const { numbers } = column;
    const low = filter.low ?? -Infinity;
    const high = filter.high ?? Infinity;
    const passed = new Uint8Array(numbers.length);
    for (let row = 0; row < numbers.length; row++) passed[row] = numbers[row] >= low && numbers[row] <= high ? 1 : 0;
    return passed;
  }
  const wanted = new Uint8Array(column.values.length + 2); // missing stands first
  const named = new Set(filter.values);
  column.values.forEach((value, code) => (wanted[code + 1] = named.has(value) ? 1 : 0));
  wanted[0] = filter.missing ? 1 : 0;
  wanted[column.values.length + 1] = filter.others ? 1 : 0;
  const passed = new Uint8Array(column.codes.length);
  for (let row = 0; row < passed.length; row++) passed[row] = wanted[column.codes[row] + 1];
  return passed;
}

/** A Uint8Array of which rows are 1. */
export function only(rows, n) {
  const passed = new Uint8Array(n);
  for (const row of rows) passed[row] = 1;
  return passed;
}

/** Where all of several say yes; of none, everywhere. */
export function all(several, n) {
  const passed = new Uint8Array(n).fill(1);
  for (const each of several) for (let row = 0; row < n; row++) passed[row] &= each[row];
  return passed;
}

/** How many say yes. */
export function howMany(passed) {
  let found = 0;
  for (let row = 0; row < passed.length; row++) found += passed[row];
  return found;
}

/** The rows that say yes, in their order. */
export function rowsOf(passed) {
  const rows = new Int32Array(howMany(passed));
  for (let row = 0, at = 0; row < passed.length; row++) if (passed[row]) rows[at++] = row;
  return rows;
}

/** How many of the items that say yes have each value: [each value ..., others, missing]. */
export function countValues(column, passed) {
  const counts = new Int32Array(column.values.length + 2);
  const { codes } = column;
  for (let row = 0; row < codes.length; row++) {
    if (passed[row]) counts[codes[row] < 0 ? counts.length - 1 : codes[row]]++;
  }
  return counts;
}

/** How many of the items that say yes lie in each of so many equal parts from low to high. */
export function histogram(numbers, passed, low, high, parts) {
  const counts = new Int32Array(parts);
  const scale = parts / (high - low || 1);
  for (let row = 0; row < numbers.length; row++) {
    if (passed[row] && numbers[row] >= low && numbers[row] <= high) {
      counts[Math.min(parts - 1, Math.floor((numbers[row] - low) * scale))]++;
    }
  }
  return counts;
}

/** The filter after one value was ticked or unticked; null where nothing is left out any more. */
export function toggled(column, filter, value) {
  const before = filter ?? { values: column.values, missing: true, others: true };
  const values = new Set(before.values);
  let { missing, others } = before;
  if (value.missing) missing = !missing;
  else if (value.others) others = !others;
  else if (values.has(value.name)) values.delete(value.name);
  else values.add(value.name);
  if (missing && others && values.size >= column.values.length) return null;
  return { values: column.values.filter((each) => values.has(each)), missing, others };
}

/** The filter that shows one value alone; null where it already does, so that the same stroke takes it back. */
export function alone(filter, value) {
  const wanted = {
    values: value.missing || value.others ? [] : [value.name],
    missing: Boolean(value.missing),
    others: Boolean(value.others),
  };
  const same =
    filter?.values &&
    filter.values.length === wanted.values.length &&
    filter.values[0] === wanted.values[0] &&
    Boolean(filter.missing) === wanted.missing &&
    Boolean(filter.others) === wanted.others;
  return same ? null : wanted;
}
