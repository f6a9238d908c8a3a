"""Wrong labels planted among the voices that train, corrected through the explorer's page by keys.

    python benchmarks/corrected_on_page.py [--seeds 1] [--first 0]

The voices, errors and nets of ``corrected_labels.py``. Somebody who knows the truth opens the explorer on each fold's
unseen speakers, a process of its own, in a browser without a window, and goes through the first three tenths of the
items in its list of doubts: Enter where the suggestion is the truth, the digit of the true class where it is another, c
where the label is right. Then the same net is trained anew with what the page has written. Needs playwright, and
Chromium where CHROMIUM points.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.corrected_labels import EMOTIONS, LANGUAGE, look, make_corpora, recipe, uar
from benchmarks.explorer_walk import FLAGS

from affectspace.corpora.corrections import read_corrections
from affectspace.corpora.speakers import LANGUAGES
from affectspace.training import train_recipe

SHARE = 0.3


def judge(browser: Browser, fold: Path, file: Path, truth: dict[str, str]) -> None:
    """Go through the first items of one fold's list of doubts by keys."""
    words = ["explore", str(fold), "--where", "split=test", "--corrections", str(file), "--by", "oracle", "--json"]
    explorer = subprocess.Popen(
        [sys.executable, "-m", "affectspace", *words, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert explorer.stdout is not None
        told = json.loads(explorer.stdout.readline())
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        with page.expect_response(
            lambda each: "/api/doubts" in each.url and each.status == 200, timeout=60_000
        ) as asked:
            page.goto(told["url"])
            page.get_by_role("tab", name="Labels in doubt").click()
        rows = asked.value.json()["rows"][: round(SHARE * told["items"])]
        page.locator("#panel-doubts [role=option]").first.wait_for()
        page.keyboard.press("j")
        for done, row in enumerate(rows, 1):
            page.locator(".item-id", has_text=row["id"]).wait_for()
            true = truth[row["id"]]
            key = (
                "c" if row["label"] == true else "Enter" if row["suggested"] == true else str(EMOTIONS.index(true) + 1)
            )
            with page.expect_response(lambda each: each.url.endswith("/api/corrections")) as written:
                page.keyboard.press(key)
            assert written.value.ok, written.value.text()
            page.locator("#progress", has_text=f"{done} of").wait_for()
        page.close()
    finally:
        explorer.terminate()
        explorer.wait()


def one(seed: int, root: Path, browser: Browser) -> str:
    """What one seed's corrections have brought."""
    truth = make_corpora(root, seed)
    items = pd.read_csv(root / "voices/items.csv")
    shared = {own: name for name, own in LANGUAGES[LANGUAGE].labels.items()}
    labels = {f"voices/{item}": shared[label] for item, label in zip(items["id"], items["label"])}
    wrong = {item for item in truth if truth[item] != labels[item]}
    train_recipe(recipe(root, "folds", seed, folds=True), root / "runs/folds", quiet=True)
    said, right = root / "page.jsonl", root / "truth.jsonl"
    for fold in sorted((root / "runs/folds").glob("fold-*")):
        judge(browser, fold, said, truth)
    look(list(truth), labels, truth, right)
    told = read_corrections(said)
    assert all(entry.new == truth[item] for item, entry in told.latest.items())
    figures = {"planted": uar(root, "planted", seed), "page": uar(root, "page", seed, said)}
    figures["truth"] = uar(root, "truth", seed, right)
    scores = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
    looked = f"looked at {len(told.standing)}, {len(told.latest)} of {len(wrong)} errors corrected"
    return f"seed {seed}: UAR {scores}; {looked}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Planted label errors, corrected through the explorer's page.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS)
        for seed in range(asked.first, asked.first + asked.seeds):
            with tempfile.TemporaryDirectory() as folder:
                print(one(seed, Path(folder).resolve(), browser), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
