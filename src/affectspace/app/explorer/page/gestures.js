// What hands do on a map, by mouse, pen or touch: told as moves, zooms, clicks and drawn lines.

const STILL = 4; // pixels below which a press is a click
const STEP = 0.0022; // powers of two that one pixel of a wheel brings closer

/**
 * Listen to an element.
 *
 * told: {moved(right, down), zoomed(steps, left, top), clicked(left, top), hovered(left, top), away(), drawing(points),
 * drawn(points)}, all in pixels from the element's upper left corner; drawsNow(event) says whether a press draws a line.
 */
export function listenToHands(element, told, drawsNow) {
  const down = new Map(); // pointers that are pressed, where they are
  let start = null;
  let line = null;
  let still = true;
  const place = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    if (down.size === 1) {
      [start, still] = [place(event), true];
      line = drawsNow(event) ? [...start] : null;
    } else line = null; // a second finger zooms
    told.away();
  });

  element.addEventListener("pointermove", (event) => {
    const now = place(event);
    const before = down.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") told.hovered(...now);
      return;
    }
    if (down.size === 2) {
      const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const [was, is] = [before, now].map(([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1);
      told.moved((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      told.zoomed(Math.log2(is / was), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      still = false;
    } else if (Math.hypot(now[0] - start[0], now[1] - start[1]) > STILL || !still) {
      if (line) told.drawing(line = [...line, ...now]);
      else if (still) told.moved(now[0] - start[0], now[1] - start[1]);
      else told.moved(now[0] - before[0], now[1] - before[1]);
      still = false;
    }
    down.set(event.pointerId, now);
  });

  const up = (event) => {
    if (!down.delete(event.pointerId) || down.size) return;
    if (line && !still) told.drawn(line);
    else if (still && event.type === "pointerup") told.clicked(...place(event));
    else if (line) told.drawn([]);
    line = null;
  };
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", () => told.away());
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaY * [1, 16, 400][event.deltaMode];
      told.zoomed(-STEP * Math.max(-400, Math.min(400, event.ctrlKey ? 4 * pixels : pixels)), ...place(event));
    },
    { passive: false },
  );
}
