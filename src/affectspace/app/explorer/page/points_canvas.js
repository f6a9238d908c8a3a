// Points drawn by the processor into a picture: where a browser has no graphics card to draw with, this is ten times as
// fast as WebGL, which then is computed, too (benchmarks/explorer_frames.py).

import { scaleOf } from "./camera.js";

const SOFT = 20000; // points up to which edges are smooth

/** What draws the points of a map into an element. */
export function makeCanvasPoints(element) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  element.append(canvas);
  const context = canvas.getContext("2d", { alpha: false });
  let picture = null;
  let packedOf = null; // {colours, ground, made}, kept while neither changes: panning changes neither

  return {
    name: "canvas",
    draw(scene) {
      const sharp = window.devicePixelRatio || 1;
      const [width, height] = [Math.round(scene.width * sharp), Math.round(scene.height * sharp)];
      if (!width || !height) return;
      if (canvas.width !== width || canvas.height !== height) {
        [canvas.width, canvas.height] = [width, height];
        picture = null;
      }
      picture ??= context.createImageData(width, height);
      const pixels = new Uint32Array(picture.data.buffer);
      const ground = packed(...scene.ground);
      pixels.fill(ground);
      if (packedOf?.colours !== scene.colours || packedOf.ground !== ground) {
        packedOf = { colours: scene.colours, ground, made: packAll(scene.colours, scene.ground) };
      }
      const scale = scaleOf(scene.camera, scene.width, scene.height) * sharp;
      stampAll(pixels, width, height, scene, packedOf.made, scale, Math.max(2, scene.size * sharp));
      context.putImageData(picture, 0, 0);
    },
    remove: () => canvas.remove(),
  };
}

function stampAll(pixels, width, height, scene, colours, scale, size) {
  const { positions, camera } = scene;
  const n = positions.length / 2;
  const disc = discOf(size, width, n <= SOFT);
  const { full, soft } = disc;
  const [left, top] = [width / 2 - camera.x * scale + 0.5, height / 2 + camera.y * scale + 0.5];
  const edge = disc.reach + 1;
  const [right, bottom] = [width - edge, height - edge];
  for (let at = 0; at < n; at++) {
    const x = (left + positions[2 * at] * scale) | 0;
    const y = (top - positions[2 * at + 1] * scale) | 0;
    if (x < edge || x >= right || y < edge || y >= bottom) continue;
    const colour = colours[at];
    const middle = y * width + x;
    for (let i = 0; i < full.length; i++) pixels[middle + full[i]] = colour;
    for (let i = 0; i < soft.length; i += 2) pixels[middle + soft[i]] = mixed(pixels[middle + soft[i]], colour, soft[i + 1]);
  }
}

/** The colour of each point as a pixel, on a ground that shines through. */
function packAll(colours, ground) {
  const made = new Uint32Array(colours.length / 4);
  for (let at = 0; at < made.length; at++) {
    const share = colours[4 * at + 3] / 255;
    const over = (part) => Math.round(ground[part] + (colours[4 * at + part] - ground[part]) * share);
    made[at] = packed(over(0), over(1), over(2));
  }
  return made;
}

/** How far from its middle, in a picture of this width, the pixels of a disc lie: full ones; edges with shares in 256ths. */
function discOf(size, width, smooth) {
  const radius = size / 2;
  const reach = Math.ceil(radius);
  const [full, soft] = [[], []];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const share = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y)));
      if (share > 0.95 || (!smooth && share >= 0.5)) full.push(y * width + x);
      else if (smooth && share > 0.04) soft.push(y * width + x, Math.round(256 * share));
    }
  }
  return { full: Int32Array.from(full), soft: Int32Array.from(soft), reach };
}

// Pixels lie in memory as red, green, blue, opacity, on machines whose lowest byte comes first: on all that browsers run on.
function packed(r, g, b) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

function mixed(under, over, share) {
  const rest = 256 - share;
  const redBlue = (((under & 0xff00ff) * rest + (over & 0xff00ff) * share) >>> 8) & 0xff00ff;
  const green = (((under & 0xff00) * rest + (over & 0xff00) * share) >>> 8) & 0xff00;
  return (0xff000000 | redBlue | green) >>> 0;
}
