// Points drawn by a graphics card, with deck.gl.

import { scaleOf } from "./camera.js";

const LIBRARY = "/lib/index.js"; // of the package pydeck: defines createDeck
let loaded = null;

/** What draws the points of a map into an element; refused where the browser has no WebGL 2. */
export async function makeWebglPoints(element) {
  loaded ??= load();
  await loaded;
  // The bundle exports one function. Through it come the classes: those of the layers that it makes of their names.
  const deck = globalThis.createDeck({
    container: element,
    jsonInput: {
      deviceProps: { webgl: { antialias: false } }, // discs are made smooth by their own shader
      views: [{ "@@type": "OrthographicView", flipY: false }],
      initialViewState: { target: [0, 0, 0], zoom: 0 },
      layers: [{ "@@type": "ScatterplotLayer", id: "first", data: [] }],
    },
  });
  const Points = pointsLayer(deck.props.layers[0].constructor);
  let drawn = null; // the arrays that lie on the card, and a number that says which
  let data = null;
  return {
    name: "webgl",
    draw(scene) {
      if (!scene.width || !scene.height) return;
      if (drawn !== scene.positions || data.colours !== scene.colours) {
        drawn = scene.positions;
        data = {
          length: scene.positions.length / 2,
          colours: scene.colours,
          attributes: {
            positions: { value: scene.positions, size: 2 },
            colors: { value: scene.colours, size: 4, type: "unorm8" },
          },
        };
      }
      const zoom = Math.log2(scaleOf(scene.camera, scene.width, scene.height));
      deck.setProps({
        viewState: { target: [scene.camera.x, scene.camera.y, 0], zoom },
        layers: [new Points({ id: "points", data, size: scene.size * (window.devicePixelRatio || 1) })],
      });
    },
    remove: () => deck.finalize(),
  };
}

/** Whether WebGL is drawn by a graphics card: false where there is none, or where the processor only plays one. */
export function hasGraphics() {
  const context = document.createElement("canvas").getContext("webgl2");
  if (!context) return false;
  const asked = context.getExtension("WEBGL_debug_renderer_info");
  const name = context.getParameter(asked ? asked.UNMASKED_RENDERER_WEBGL : context.RENDERER);
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

function load() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.onload = resolve;
    script.onerror = () => reject(new Error("the library that draws points could not be loaded"));
    document.head.append(script);
  });
}

// deck.gl's own layer draws each point as an instance of a square, which takes twenty times as long without a graphics
// card and memory with one; this one draws points as points. See deck.gl's "Writing Your Own Layer".
function pointsLayer(ScatterplotLayer) {
  return class PointsLayer extends ScatterplotLayer {
    static layerName = "PointsLayer";

    getShaders() {
      return { ...super.getShaders(), vs: VERTICES, fs: PIXELS };
    }

    initializeState() {
      this.getAttributeManager().add({
        positions: { size: 2, accessor: "getPosition" },
        colors: { size: 4, type: "unorm8", accessor: "getFillColor" },
      });
    }

    _getModel() {
      const squares = super._getModel();
      const Model = squares.constructor;
      squares.destroy();
      return new Model(this.context.device, {
        ...this.getShaders(),
        id: this.props.id,
        bufferLayout: this.getAttributeManager().getBufferLayouts(),
        topology: "point-list",
        isInstanced: false,
        vertexCount: 0,
      });
    }

    draw() {
      const { model } = this.state;
      model.shaderInputs.setProps({ scatterplot: { radiusScale: this.props.size } });
      model.setVertexCount(this.props.data.length);
      model.draw(this.context.renderPass);
    }
  };
}

const VERTICES = `#version 300 es
#define SHADER_NAME points-vertices
in vec2 positions;
in vec4 colors;
out vec4 vColor;
void main() {
  gl_Position = project_position_to_clipspace(vec3(positions, 0.0), vec3(0.0), vec3(0.0));
  gl_PointSize = scatterplot.radiusScale + 1.0;
  vColor = colors;
}`;

const PIXELS = `#version 300 es
#define SHADER_NAME points-pixels
precision highp float;
in vec4 vColor;
out vec4 fragColor;
void main() {
  float size = scatterplot.radiusScale + 1.0;
  float edge = length(gl_PointCoord - 0.5) * size - 0.5 * scatterplot.radiusScale;
  float share = clamp(0.5 - edge, 0.0, 1.0);
  if (share <= 0.0) discard;
  fragColor = vec4(vColor.rgb, vColor.a * share);
}`;
