// Which points of a map lie near a place on it.

const CELLS = 256; // a side

/** Points sorted into the cells of a grid; points (x, y, x, y ...) that are no numbers are never found. */
export function makeGrid(points) {
  const n = points.length / 2;
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let row = 0; row < n; row++) {
    left = Math.min(left, points[2 * row]);
    right = Math.max(right, points[2 * row]);
    low = Math.min(low, points[2 * row + 1]);
    high = Math.max(high, points[2 * row + 1]);
  }
  const side = Math.max(right - left, high - low, 1e-9) / CELLS;
  const cell = (value, from) => Math.min(CELLS - 1, Math.max(0, Math.floor((value - from) / side)));
  const cellOf = (row) => cell(points[2 * row + 1], low) * CELLS + cell(points[2 * row], left);
  const starts = new Int32Array(CELLS * CELLS + 1);
  for (let row = 0; row < n; row++) starts[cellOf(row) + 1]++;
  for (let at = 0; at < CELLS * CELLS; at++) starts[at + 1] += starts[at];
  const filled = starts.slice();
  const rows = new Int32Array(n);
  for (let row = 0; row < n; row++) rows[filled[cellOf(row)]++] = row;
  return { points, starts, rows, side, left, low, cell };
}

/** The row nearest to (x, y) within a radius among those that passed says yes to; -1 where there is none. */
export function nearestRow(grid, x, y, radius, passed) {
  const { points, starts, rows, left, low, cell } = grid;
  let found = -1;
  let best = radius * radius;
  const [c0, c1] = [cell(x - radius, left), cell(x + radius, left)];
  for (let r = cell(y - radius, low); r <= cell(y + radius, low); r++) {
    for (let at = starts[r * CELLS + c0]; at < starts[r * CELLS + c1 + 1]; at++) {
      const row = rows[at];
      const far = (points[2 * row] - x) ** 2 + (points[2 * row + 1] - y) ** 2;
      if (far <= best && passed[row]) [found, best] = [row, far];
    }
  }
  return found;
}

/** The n rows nearest to a row on the map, itself among them, as Uint8Array of 0 and 1. */
export function nearestOf(points, row, n, passed) {
  const far = [];
  for (let each = 0; each < points.length / 2; each++) {
    if (!passed[each]) continue;
    const square = (points[2 * each] - points[2 * row]) ** 2 + (points[2 * each + 1] - points[2 * row + 1]) ** 2;
    if (square === square) far.push([square, each]);
  }
  far.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const found = new Uint8Array(points.length / 2);
  for (const [, each] of far.slice(0, n)) found[each] = 1;
  return found;
}

/**
 * The row that lies next to a row towards (dx, dy), a unit vector: near, and in that direction rather than beside it; -1
 * where nothing lies there.
 */
export function nextTowards(points, row, dx, dy, passed) {
  let found = -1;
  let best = Infinity;
  for (let each = 0; each < points.length / 2; each++) {
    if (each === row || !passed[each]) continue;
    const x = points[2 * each] - points[2 * row];
    const y = points[2 * each + 1] - points[2 * row + 1];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy - y * dx);
    if (ahead <= 0 || aside > ahead) continue;
    const far = ahead + 2 * aside;
    if (far < best) [found, best] = [each, far];
  }
  return found;
}
