"""A walk through the explorer on a space of yours, in a browser without a window: what it does, and how long it takes.

    python benchmarks/explorer_walk.py SPACE [SPACE] --recipe RECIPE --data FOLDER --shots FOLDER

The command itself is started. The walk loads the page, colours it, filters, takes a lasso, plays a clip (where items
have sound) and looks which bytes the browser asked for, judges ten labels in doubt by one key each, reloads, and looks
whether they are there; then it trains the recipe with these corrections. They are kept in a file of its own, so that
no corpus is written to. Needs playwright, and Chromium where CHROMIUM points.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, Response, sync_playwright

from affectspace.corpora.corrections import read_corrections

FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
JUDGED = 10
KEYS = ("Enter", "c", "2", "Enter", "0", "Enter", "c", "1", "Enter", "c")  # one stroke each
SIZES = {"wide": (1280, 800), "large": (1600, 1000), "tablet": (1024, 768), "upright": (768, 1024)}


def walk(page: Page, address: str, file: Path, shots: Path) -> None:
    faults: list[str] = []
    heard: list[Response] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda each: heard.append(each) if "/api/audio/" in each.url else None)
    begun = time.perf_counter()
    page.goto(address)
    page.locator("[data-painter]").first.wait_for(timeout=600_000)
    page.locator(".shown-count").wait_for()
    print(f"loaded and drawn: {page.locator('.shown-count').inner_text()} in {time.perf_counter() - begun:.1f} s")
    for column in ("speaker", "prediction", "confidence", "label"):
        if page.locator(f"#colour option[value={column}]").count():
            page.locator("#colour").select_option(column)
            page.locator(".ramp" if column == "confidence" else "#legend .key").first.wait_for()
            keys = page.locator("#legend .key").count()
            print(f"coloured by {column}: {keys} entries" if keys else f"coloured by {column}: a ramp")
            page.screenshot(path=shots / f"colour-{column}.png")
    page.locator("#legend .key").nth(1).click()
    page.locator(".chip").wait_for()
    print(f"filtered by the legend: {page.locator('.shown-count').inner_text()}")
    page.go_back()
    page.locator(".chip").wait_for(state="detached")
    box = page.locator(".stage").first.bounding_box()
    assert box is not None
    corners = [(0.1, 0.1), (0.6, 0.1), (0.6, 0.7), (0.1, 0.7)]
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.keyboard.down("Shift")
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.locator(".chip", has_text="lasso").wait_for()
    print(f"lasso: {page.locator('.chip').inner_text().split(chr(10))[0]}")
    page.screenshot(path=shots / "lasso.png")
    page.locator("body").press("Escape")
    page.locator(".chip").wait_for(state="detached")
    page.get_by_role("tab", name="Labels in doubt").click()
    page.locator("#panel-doubts [role=option]").first.wait_for(timeout=600_000)
    page.keyboard.press("j")
    page.locator(".item-label").wait_for()
    if page.locator(".side audio").count():
        page.locator(".waveform").wait_for()
        page.locator("body").press("Space")
        audio = page.locator(".side audio")
        audio.evaluate("each => new Promise(done => each.ontimeupdate = () => each.currentTime > 0.2 && done())")
        seconds = audio.evaluate("each => each.duration")
        page.locator("body").press("Space")
        for each in heard:
            asked, given = each.request.headers.get("range"), each.headers.get("content-range")
            print(f"played a clip of {seconds:.2f} s: asked for {asked}, given {each.status} {given}")
    page.screenshot(path=shots / "doubt.png")
    for place, key in enumerate(KEYS):  # the page goes on to the next by itself
        with page.expect_response("**/api/corrections") as written:
            page.keyboard.press(key)
        assert written.value.ok, written.value.text()
        page.locator("#progress", has_text=f"{place + 1} of").wait_for()
    told = read_corrections(file)
    print(f"one key each: {len(told.entries)} lines, {len(told.latest)} changed, {len(told.confirmed)} confirmed")
    while page.evaluate("localStorage.length"):
        page.wait_for_timeout(20)
    page.reload()
    page.locator("#progress", has_text=f"{JUDGED} of").wait_for(timeout=60_000)
    print(f"after reloading: {page.locator('#progress').inner_text()}")
    page.get_by_role("tab", name="Sub-classes").click()
    page.locator(".group").first.wait_for(timeout=600_000)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for name, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(300)
            page.screenshot(path=shots / f"{name}-{theme}.png")
    print(f"faults told by the browser: {faults or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(description="A walk through the explorer.")
    parser.add_argument("spaces", nargs="+", type=Path)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shots", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe, such as training.epochs=2")
    asked = parser.parse_args()
    asked.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "judged.jsonl")
        command = [sys.executable, "-m", "affectspace"]
        words = [
            "explore",
            *map(str, asked.spaces),
            "--corrections",
            str(file),
            "--by",
            "walker",
            "--json",
            "--port",
            "0",
        ]
        explorer = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True)
        try:
            assert explorer.stdout is not None
            address = json.loads(explorer.stdout.readline())["url"]
            with sync_playwright() as driver:
                chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
                browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
                walk(browser.new_page(viewport={"width": 1280, "height": 800}), address, file, asked.shots)
                browser.close()
        finally:
            explorer.terminate()
            explorer.wait()
        run = Path(folder, "run")
        settings = [f"data={asked.data}", f"corrections={file}", *asked.set]
        subprocess.run([*command, "train", str(asked.recipe), *settings, "--out", str(run), "--json"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        for corpus in json.loads((run / "data.json").read_text())["corpora"]:
            print(f"trained on {corpus['name']} with {corpus.get('corrections')}")


if __name__ == "__main__":
    main()
