// Which points lie within a drawn line.

/** 1 for each point (x, y, x, y ...) inside the polygon (x, y, x, y ...), by the even-odd rule, as Uint8Array. */
export function inside(points, polygon) {
  const n = points.length / 2;
  const found = new Uint8Array(n);
  const xs = polygon.filter((_, at) => at % 2 === 0);
  const ys = polygon.filter((_, at) => at % 2 === 1);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  for (let row = 0; row < n; row++) {
    const x = points[2 * row];
    const y = points[2 * row + 1];
    if (x < left || x > right || y < low || y > high) continue;
    let odd = 0;
    for (let at = 0, before = xs.length - 1; at < xs.length; before = at++) {
      if (ys[at] > y !== ys[before] > y && x < ((xs[before] - xs[at]) * (y - ys[at])) / (ys[before] - ys[at]) + xs[at]) {
        odd ^= 1;
      }
    }
    found[row] = odd;
  }
  return found;
}

/** The polygon with at most so many corners, evenly chosen, so that it fits into an address. */
export function thinned(polygon, most) {
  const corners = polygon.length / 2;
  if (corners <= most) return polygon;
  const kept = [];
  for (let at = 0; at < most; at++) {
    const corner = Math.floor((at * corners) / most);
    kept.push(polygon[2 * corner], polygon[2 * corner + 1]);
  }
  return kept;
}
