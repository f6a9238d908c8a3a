// The map of one space: its points, what is marked among them, and how one moves over it.

import { closer, moved, scaleOf, toMap, toView, WHOLE } from "./camera.js";
import { el, fill, icon } from "./dom.js";
import { listenToHands } from "./gestures.js";
import { thinned } from "./lasso.js";
import { makeGrid, nearestRow, nextTowards } from "./nearest.js";
import { makeCanvasPoints } from "./points_canvas.js";
import { hasGraphics, makeWebglPoints } from "./points_webgl.js";
import { counted, oneLine, short } from "./text.js";

const REACH = 14; // pixels within which a point is meant
const CORNERS = 60; // of a lasso, which is part of an address
const NEAR = 50; // items that one stroke picks
const FAINT = 46; // opacity, of 255, of what is not picked
const [EDGE, INSIDE] = [8, 48]; // pixels: nearer to the edge an item is as good as unseen, and is moved so far inside
const SETTLED = 250; // milliseconds after which a camera is part of the address
let graphics = null;

/**
 * A map as an element: {element, space, remove()}.
 *
 * app: {items, store, views, hover, say}. hover is shared by maps, so that what one points at is seen in both.
 */
export function makeMap(app, space, named) {
  const { items, store, views, hover } = app;
  const place = el("div", { class: "points" });
  const marks = el("canvas", { class: "marks", "aria-hidden": "true" });
  const tip = el("div", { class: "tip", hidden: true });
  const wait = el("div", { class: "wait", hidden: true });
  const summary = el("p", { class: "unseen", id: `map-${space}-summary` });
  const name = oneLine(items.about.spaces[space].name);
  const stage = el(
    "div",
    { class: "stage", tabindex: 0, role: "application", "aria-label": `Map of ${name}`, "aria-roledescription": "map",
      "aria-describedby": summary.id, "aria-keyshortcuts": "ArrowLeft ArrowRight ArrowUp ArrowDown + - f s" },
    place, marks, tip, wait,
  ); // prettier-ignore
  let draws = false; // whether a press draws a lasso
  const lasso = tool("lasso", "Lasso: draw around items (or hold Shift)", () => {
    draws = !draws;
    lasso.setAttribute("aria-pressed", String(draws));
    stage.classList.toggle("drawing", draws);
  });
  lasso.setAttribute("aria-pressed", "false");
  const tools = el("div", { class: "tools", role: "toolbar", "aria-label": `Tools of the map of ${name}` }, [
    lasso,
    tool("plus", "Closer (+)", () => glide(closer(camera, width, height, 0.7))),
    tool("minus", "Farther (−)", () => glide(closer(camera, width, height, -0.7))),
    tool("fit", "Show all (f)", () => glide(WHOLE)),
  ]);
  const element = el("section", { class: "map", "aria-label": `Map of ${name}` }, [
    named && el("h2", { class: "map-name" }, name),
    stage,
    tools,
    summary,
  ]);

  let [width, height] = [0, 0];
  let camera = store.get().cameras[space] ?? WHOLE;
  let painter = null;
  let points = null;
  let grid = null;
  let arrays = null; // what is drawn: {positions, colours}
  let line = []; // of the lasso being drawn
  let asked = false;
  let alive = true;

  const draw = () => {
    if (asked || !alive) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!alive || !painter || !arrays) return;
      painter.draw({ ...arrays, camera, width, height, size: pointSize(arrays.positions.length / 2, camera.zoom), ground: groundOf(element) });
      mark();
    });
  };

  const look = (next, settle = true) => {
    camera = next;
    draw();
    if (settle) settled();
  };
  const settled = later(SETTLED, () => {
    const { cameras } = store.get();
    const { [space]: _, ...others } = cameras;
    const whole = ["x", "y", "zoom"].every((each) => Math.abs(camera[each] - WHOLE[each]) < 1e-4);
    store.set({ cameras: whole ? others : { ...others, [space]: camera } }, "replace");
  });

  let gliding = 0;
  const glide = (to) => {
    const mine = ++gliding;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return look(to);
    const [from, start] = [camera, performance.now()];
    const step = (now) => {
      if (mine !== gliding || !alive) return;
      const share = Math.min(1, Math.max(0, (now - start) / 220));
      const eased = 1 - (1 - share) ** 3;
      const between = (each) => from[each] + (to[each] - from[each]) * eased;
      look({ x: between("x"), y: between("y"), zoom: between("zoom") }, share === 1);
      if (share < 1) requestAnimationFrame(step);
    };
    return requestAnimationFrame(step);
  };

  const under = (left, top) => {
    const view = views.get();
    if (!grid || !view) return -1;
    const [x, y] = toMap(camera, width, height, left, top);
    return nearestRow(grid, x, y, REACH / scaleOf(camera, width, height), view.shown);
  };

  listenToHands(
    stage,
    {
      moved: (right, down) => (gliding++, look(moved(camera, width, height, right, down))),
      zoomed: (steps, left, top) => (gliding++, look(closer(camera, width, height, steps, left, top))),
      hovered: (left, top) => hover.set(under(left, top)),
      away: () => hover.set(-1),
      clicked(left, top) {
        const row = under(left, top);
        if (row >= 0) store.set({ item: row });
        else if (store.get().pick) store.set({ pick: null });
      },
      drawing: (drawn) => (line = drawn, mark()),
      drawn(drawn) {
        line = [];
        mark();
        const corners = [];
        for (let at = 0; at < drawn.length; at += 2) corners.push(...toMap(camera, width, height, drawn[at], drawn[at + 1]));
        if (corners.length >= 6) store.set({ pick: { kind: "lasso", space, points: thinned(corners, CORNERS) } });
        if (draws) lasso.click(); // one line at a time
      },
    },
    (event) => draws || event.shiftKey,
  );

  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (way && event.shiftKey) {
      const from = store.get().item;
      const view = views.get();
      if (!points || !view) return;
      const row = from === null ? nearestRow(grid, camera.x, camera.y, 4, view.shown) : nextTowards(points, from, ...way, view.shown);
      if (row >= 0) store.set({ item: row }, "replace");
    } else if (way) look(moved(camera, width, height, -60 * way[0], 60 * way[1]));
    else if (event.key === "+" || event.key === "=") glide(closer(camera, width, height, 0.7));
    else if (event.key === "-") glide(closer(camera, width, height, -0.7));
    else if (event.key === "f") glide(WHOLE);
    else if (event.key === "s") {
      const row = store.get().item;
      if (row === null) app.say("Choose an item first: then s picks the 50 nearest to it.");
      else store.set({ pick: { kind: "near", space, row, n: NEAR } });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  function mark() {
    const sharp = window.devicePixelRatio || 1;
    if (marks.width !== Math.round(width * sharp) || marks.height !== Math.round(height * sharp)) {
      [marks.width, marks.height] = [Math.round(width * sharp), Math.round(height * sharp)];
    }
    const pen = marks.getContext("2d");
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!points) return;
    const style = getComputedStyle(element);
    const [ink, ground, accent] = ["--ink", "--ground", "--accent"].map((each) => style.getPropertyValue(each));
    const radius = pointSize(arrays ? arrays.positions.length / 2 : 1, camera.zoom) / 2;
    const ring = (row, out, colour, thick, edged = true) => {
      const [left, top] = toView(camera, width, height, points[2 * row], points[2 * row + 1]);
      for (const [lineWidth, stroke] of edged ? [[thick + 3, ground], [thick, colour]] : [[thick, colour]]) {
        pen.beginPath();
        pen.arc(left, top, radius + out, 0, 2 * Math.PI);
        [pen.lineWidth, pen.strokeStyle] = [lineWidth, stroke];
        pen.stroke();
      }
    };
    const { item } = store.get();
    const seen = (row) => views.get()?.shown[row];
    pen.globalAlpha = 0.45;
    for (const row of app.near.get()) if (row !== item && seen(row)) ring(row, 2, ink, 1, false);
    pen.globalAlpha = 1;
    if (item !== null && seen(item)) ring(item, 4, ink, 2);
    if (hover.get() >= 0) ring(hover.get(), 3.5, accent, 2);
    const shape = line.length ? line : lassoInView();
    if (shape.length >= 4) {
      pen.beginPath();
      for (let at = 0; at < shape.length; at += 2) pen.lineTo(shape[at], shape[at + 1]);
      if (!line.length) pen.closePath();
      pen.setLineDash([5, 4]);
      [pen.lineWidth, pen.strokeStyle, pen.fillStyle] = [1.5, accent, accent];
      pen.stroke();
      pen.setLineDash([]);
      pen.globalAlpha = 0.07;
      pen.fill();
      pen.globalAlpha = 1;
    }
  }

  function lassoInView() {
    const { pick } = store.get();
    if (pick?.kind !== "lasso" || pick.space !== space) return [];
    const shape = [];
    for (let at = 0; at < pick.points.length; at += 2) {
      shape.push(...toView(camera, width, height, pick.points[at], pick.points[at + 1]));
    }
    return shape;
  }

  async function pointAt(row) {
    mark();
    tip.hidden = true;
    if (row < 0 || !points) return;
    if (!stage.matches(":hover")) return; // the other map points at it
    const view = views.get();
    const ids = await items.ids();
    if (hover.get() !== row) return;
    const column = view?.columns[space];
    fill(tip, el("strong", {}, oneLine(ids[row])), column && el("span", {}, `${oneLine(column.name)}: ${valueOf(column, row)}`));
    tip.hidden = false;
    const [left, top] = toView(camera, width, height, points[2 * row], points[2 * row + 1]);
    const box = tip.getBoundingClientRect();
    const beside = left + 16 + box.width > width ? left - 16 - box.width : left + 16;
    tip.style.transform = `translate(${Math.max(4, beside)}px, ${Math.min(height - box.height - 4, Math.max(4, top - box.height / 2))}px)`;
  }

  function show(view) {
    if (!points || !view.colours[space]) return;
    arrays = arraysOf(points, view, space);
    draw();
    const column = view.columns[space];
    summary.textContent = `${counted(view.shownCount, "item")} shown. ${column ? told(column, view.shown) : ""} The same items stand as a list in the tab Items.`;
  }

  async function begin() {
    const says = (state) => {
      wait.hidden = false;
      const share = typeof state.share === "number" ? ` ${Math.round(100 * state.share)} %` : "";
      fill(wait, el("span", { class: "spinner" }), el("span", {}, `${oneLine(state.says ?? "drawing the map")}${share} …`));
    };
    try {
      points = await items.points(space, says);
    } catch (error) {
      wait.hidden = false;
      fill(wait, el("span", {}, oneLine(error.message)), el("button", { type: "button", class: "button", onclick: begin }, "Try again"));
      return;
    }
    wait.hidden = true;
    grid = makeGrid(points);
    graphics ??= hasGraphics();
    try {
      painter = graphics ? await makeWebglPoints(place) : makeCanvasPoints(place);
    } catch {
      fill(place); // a card that refuses is none
      painter = makeCanvasPoints(place);
    }
    if (!alive) return painter.remove();
    element.dataset.painter = painter.name;
    if (views.get()) show(views.get());
    return draw();
  }

  const resized = new ResizeObserver(() => {
    [width, height] = [stage.clientWidth, stage.clientHeight];
    draw();
  });
  resized.observe(stage);
  const ends = [views.listen(show), hover.listen(pointAt), app.near.listen(mark), store.listen(follow)];

  function follow(state, changed, how) {
    if (how === "address" && changed.has("cameras")) glide(state.cameras[space] ?? WHOLE);
    if (changed.has("item") && state.item !== null && points) bringIntoView(state.item);
    if (changed.has("item") || changed.has("pick")) mark();
  }

  /** Move the map as little as need be, so that whatever else was seen goes on being seen. */
  function bringIntoView(row) {
    const at = toView(camera, width, height, points[2 * row], points[2 * row + 1]);
    const beyond = (room) => at.map((each, axis) => Math.min(Math.max(each, room), [width, height][axis] - room) - each);
    if (beyond(EDGE).some(Boolean)) glide(moved(camera, width, height, ...beyond(INSIDE)));
  }

  begin();
  return {
    element,
    space,
    remove() {
      alive = false;
      for (const end of ends) end(); // else whoever is listened to would keep the points of this map
      resized.disconnect();
      painter?.remove();
      element.remove();
    },
  };
}

function tool(shape, label, act) {
  return el("button", { type: "button", class: "tool", title: label, "aria-label": label, onclick: act }, icon(shape));
}

/**
 * What is drawn, in the order in which it is: what is picked lies above all else, what has no value below what has one, and
 * else nobody above others.
 */
function arraysOf(points, view, space) {
  const { shown, picked } = view;
  const [colours, column] = [view.colours[space], view.columns[space]];
  const order = shuffled(shown.length);
  const positions = new Float32Array(2 * view.shownCount);
  const rgba = new Uint8Array(4 * view.shownCount);
  let at = 0;
  const opacity = view.shownCount > 5000 ? 200 : 225;
  const layers = new Uint8Array(shown.length);
  for (let row = 0; row < layers.length; row++) layers[row] = (picked && picked[row] ? 2 : 0) + (column && isMissing(column, row) ? 0 : 1);
  for (const layer of picked ? [0, 1, 2, 3] : [0, 1]) {
    for (const row of order) {
      if (!shown[row] || layers[row] !== layer) continue;
      positions[2 * at] = points[2 * row];
      positions[2 * at + 1] = points[2 * row + 1];
      rgba[4 * at] = colours[3 * row];
      rgba[4 * at + 1] = colours[3 * row + 1];
      rgba[4 * at + 2] = colours[3 * row + 2];
      rgba[4 * at + 3] = picked && layer < 2 ? FAINT : layer % 2 ? opacity : 255; // grey is faint enough
      at++;
    }
  }
  return { positions, colours: rgba };
}

const orders = new Map();

/** The rows in an order that favours no class: the same each time. */
function shuffled(n) {
  if (!orders.has(n)) {
    const rows = Uint32Array.from({ length: n }, (_, row) => row);
    let seed = 1;
    for (let at = n - 1; at > 0; at--) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const other = seed % (at + 1);
      [rows[at], rows[other]] = [rows[other], rows[at]];
    }
    orders.set(n, rows);
  }
  return orders.get(n);
}

/** Pixels that a point is wide. */
function pointSize(n, zoom) {
  const base = n <= 600 ? 9 : n <= 5000 ? 6.5 : n <= 30000 ? 4.5 : 3;
  return Math.min(15, Math.max(base, base * 2 ** (0.32 * zoom)));
}

function groundOf(element) {
  const [r, g, b] = getComputedStyle(element).backgroundColor.match(/\d+/g).map(Number);
  return [r, g, b];
}

function isMissing(column, row) {
  return column.kind === "number" ? Number.isNaN(column.numbers[row]) : column.codes[row] < 0;
}

function valueOf(column, row) {
  if (column.kind === "number") return short(column.numbers[row]);
  const code = column.codes[row];
  return code < 0 ? column.none : oneLine(column.values[code] ?? "another");
}

function told(column, shown) {
  if (column.kind === "number") return `Coloured by ${oneLine(column.name)}, from ${short(column.low)} to ${short(column.high)}.`;
  const counts = new Map();
  for (let row = 0; row < shown.length; row++) {
    if (shown[row]) counts.set(column.codes[row], (counts.get(column.codes[row]) ?? 0) + 1);
  }
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 12);
  const names = most.map(([code, n]) => `${code < 0 ? column.none : oneLine(column.values[code] ?? "others")} ${n}`);
  return `Coloured by ${oneLine(column.name)}: ${names.join(", ")}.`;
}

function later(milliseconds, act) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
}
