"""Frames a second of the explorer's map while one pans over 200,000 points, in Chromium without a window.

    python benchmarks/explorer_frames.py [ITEMS]

The real server and page, on vectors of two dimensions that are their own map: seven classes, overlapping clouds. The
mouse drags in circles of 300 pixels for six seconds, in a window of 1280 x 800; a frame counts where the points were
drawn anew. Without a graphics card Chromium plays one on the processor (SwiftShader), and the page draws by itself. To
see what that saves, the second run tells the page that it has a card. Needs playwright; CHROMIUM names the browser.
"""

import datetime
import math
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TOKEN = "of this benchmark"
WIDTH, HEIGHT, SECONDS, RADIUS = 1280, 800, 6.0, 150
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
# When the points were drawn: by the processor (putImageData), or by a card, of which all commands are then waited for.
COUNTING = """
window.drawn = [];
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...a) {
  put.apply(this, a);
  drawn.push(performance.now());
};
const arrays = WebGL2RenderingContext.prototype.drawArrays;
WebGL2RenderingContext.prototype.drawArrays = function (...a) {
  arrays.apply(this, a);
  this.readPixels(0, 0, 1, 1, this.RGBA, this.UNSIGNED_BYTE, new Uint8Array(4));
  drawn.push(performance.now());
};
"""
CARD = """
const asked = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) {
  return name === 0x9246 ? "a graphics card" : asked.call(this, name);
};
"""


def serve(items: int, folder: Path) -> str:
    """Start the explorer in a thread; its address."""
    import uvicorn

    from affectspace.app.explorer.background import Later
    from affectspace.app.explorer.explored import explore_spaces
    from affectspace.app.explorer.routes import make_explorer
    from affectspace.app.explorer.scatter_library import scatter_library
    from affectspace.space import Space

    rng = np.random.default_rng(0)
    group = rng.integers(7, size=items)
    angles = 2 * np.pi * group / 7
    points = 0.6 * np.stack([np.cos(angles), np.sin(angles)], 1) + 0.12 * rng.normal(size=(items, 2))
    points = (points / np.abs(points).max()).astype(np.float32)
    classes = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    table = pd.DataFrame({"id": [f"planted/{row}" for row in range(items)], "label": np.array(classes)[group]})
    explored = explore_spaces([Space(table, points, classes)], ["planted"], None, "somebody", folder)
    explored.maps = Later(lambda: [points], "drawing the map")
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    app = make_explorer(explored, TOKEN, port, scatter_library())
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True).start()
    return f"http://127.0.0.1:{port}/?token={TOKEN}"


def pan(browser: Any, address: str, card: bool) -> str:
    """One row of the table."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.add_init_script(COUNTING + (CARD if card else ""))
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_url(address.split("?")[0])  # to which the address with the token leads
    while not page.evaluate("window.drawn.length"):  # the page's policy lets nothing but its own scripts wait within it
        page.wait_for_timeout(50)
    first = time.perf_counter() - began
    page.wait_for_timeout(2000)
    box = page.locator(".stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + RADIUS, y)
    page.mouse.down()
    page.evaluate("window.drawn = []")
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < SECONDS:
        page.mouse.move(x + RADIUS * math.cos(3 * passed), y + RADIUS * math.sin(3 * passed))
    times = page.evaluate("window.drawn")
    page.mouse.up()
    painter = page.locator("[data-painter]").get_attribute("data-painter")
    page.close()
    gaps = np.diff(times) if len(times) > 1 else np.array([math.nan])
    frames = 1000 * len(gaps) / gaps.sum()
    worst = f"{np.quantile(gaps, 0.95):.0f}, {gaps.max():.0f}"
    return f"| {painter} | {first:.1f} | **{frames:.0f}** | {statistics.median(gaps):.0f} | {worst} |"


def main() -> None:
    from playwright.sync_api import sync_playwright

    items = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        address = serve(items, Path(folder))
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        print(f"# The explorer's map, {datetime.date.today()}\n")
        print(f"{items:,} points, Chromium {browser.version} without a window and without a graphics card, "
              f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; dragged for {SECONDS:g} s\n")  # fmt: skip
        print("| drawn by | first points, s | frames a second | ms between frames, median | 95th percentile, longest |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for card in (False, True):
            print(pan(browser, address, card), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
