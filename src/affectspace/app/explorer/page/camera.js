// Where one looks at a map from: {x, y, zoom}, the middle of the view in the map's own units, and powers of two beyond
// the view that shows everything.

const ROOM = 0.94; // of the view's shorter side is filled by the whole map
export const CLOSEST = 12;
export const FARTHEST = -2;

/** The view of all points within [-1, 1]. */
export const WHOLE = Object.freeze({ x: 0, y: 0, zoom: 0 });

/** Pixels that one unit of the map takes. */
export function scaleOf(camera, width, height) {
  return (Math.min(width, height) / 2) * ROOM * 2 ** camera.zoom;
}

/** Where a point of the map is seen, in pixels from the view's upper left corner. */
export function toView(camera, width, height, x, y) {
  const scale = scaleOf(camera, width, height);
  return [width / 2 + (x - camera.x) * scale, height / 2 - (y - camera.y) * scale];
}

/** Which point of the map is seen there. */
export function toMap(camera, width, height, left, top) {
  const scale = scaleOf(camera, width, height);
  return [camera.x + (left - width / 2) / scale, camera.y - (top - height / 2) / scale];
}

/** The camera after what was seen has moved by so many pixels. */
export function moved(camera, width, height, right, down) {
  const scale = scaleOf(camera, width, height);
  return kept({ ...camera, x: camera.x - right / scale, y: camera.y + down / scale });
}

/** The camera so many powers of two closer, what is seen at (left, top) staying there. */
export function closer(camera, width, height, steps, left = width / 2, top = height / 2) {
  const zoom = Math.min(CLOSEST, Math.max(FARTHEST, camera.zoom + steps));
  const [x, y] = toMap(camera, width, height, left, top);
  const scale = scaleOf({ ...camera, zoom }, width, height);
  return kept({ x: x - (left - width / 2) / scale, y: y + (top - height / 2) / scale, zoom });
}

// Nobody gets lost: the middle of the view stays upon the map, or near.
function kept(camera) {
  const within = (value) => Math.min(1.5, Math.max(-1.5, value));
  return { x: within(camera.x), y: within(camera.y), zoom: camera.zoom };
}
