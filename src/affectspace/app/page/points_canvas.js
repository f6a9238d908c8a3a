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
      const [r, g, b] = scene.ground;
      pixels.fill(packed(r, g, b));
      const scale = scaleOf(scene.camera, scene.width, scene.height) * sharp;
      stampAll(pixels, width, height, scene, scale, Math.max(2, scene.size * sharp));
      context.putImageData(picture, 0, 0);
    },
    remove: () => canvas.remove(),
  };
}

function stampAll(pixels, width, height, scene, scale, size) {
  const { positions, colours, camera, ground } = scene;
  const n = positions.length / 2;
  const disc = discOf(size, n <= SOFT);
  const [left, top] = [width / 2 - camera.x * scale, height / 2 + camera.y * scale];
  const edge = disc.reach + 1;
  for (let at = 0; at < n; at++) {
    const x = Math.round(left + positions[2 * at] * scale);
    const y = Math.round(top - positions[2 * at + 1] * scale);
    if (!(x >= edge && x < width - edge && y >= edge && y < height - edge)) continue;
    const share = colours[4 * at + 3] / 255;
    const colour = packed(
      ground[0] + (colours[4 * at] - ground[0]) * share,
      ground[1] + (colours[4 * at + 1] - ground[1]) * share,
      ground[2] + (colours[4 * at + 2] - ground[2]) * share,
    );
    const middle = y * width + x;
    for (let i = 0; i < disc.full.length; i += 2) pixels[middle + disc.full[i + 1] * width + disc.full[i]] = colour;
    for (let i = 0; i < disc.soft.length; i += 3) {
      const place = middle + disc.soft[i + 1] * width + disc.soft[i];
      pixels[place] = mixed(pixels[place], colour, disc.soft[i + 2]);
    }
  }
}

/** Offsets of the pixels of a disc: full ones x, y, x, y ..., those at the edge x, y, share in 256ths. */
function discOf(size, smooth) {
  const radius = size / 2;
  const reach = Math.ceil(radius);
  const [full, soft] = [[], []];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const share = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y)));
      if (share > 0.95 || (!smooth && share >= 0.5)) full.push(x, y);
      else if (smooth && share > 0.04) soft.push(x, y, Math.round(256 * share));
    }
  }
  return { full, soft, reach };
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
