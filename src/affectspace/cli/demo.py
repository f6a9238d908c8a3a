"""``affectspace demo``"""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectspace.cli.outputs import new_folder
from affectspace.cli.tell import comparison, next_commands, quoted
from affectspace.cli.whole import Whole
from affectspace.corpora.speakers import LANGUAGES
from affectspace.errors import InputError

if TYPE_CHECKING:
    from affectspace.training import Recipe, Run

EMOTIONS = ("angry", "happy", "neutral", "sad")
MODELS: dict[str, list[dict[str, Any]]] = {
    "ce": [{"kind": "cross_entropy"}],
    "ce+kl-triplets": [
        {"kind": "cross_entropy"},
        {"kind": "f_similarity", "pairs": "triplets", "geometry": "fisher_rao", "weight": 1.0},
    ],
    "ce+kl-batch": [
        {"kind": "cross_entropy"},
        {"kind": "f_similarity", "pairs": "batch", "geometry": "fisher_rao", "weight": 1.0},
    ],
}


def demo(*, data: Path | None = None, test: str | None = None, out: Path = Path("runs/demo"), seed: Whole = 0) -> None:
    """Train three spaces, compare them and write a report: cross-entropy alone, and with f-SPL.

    Without data, it makes a corpus of synthetic voices in three invented languages and tests on one
    that was not trained on.

    Parameters
    ----------
    data
        A folder of corpora to use in place of the synthetic one; one folder each.
    test
        The corpus to test on [default: emodb where there is one, else the last by name].
    out
        Where runs and report go.
    seed
        Seed of the runs.
    """
    from affectspace.training import make_recipe

    started = time.monotonic()
    new_folder(out)
    root = data or out / "corpora"
    names = _corpora(data) if data else {language: language for language in LANGUAGES}
    tested = test or ("emodb" if "emodb" in names else sorted(names)[-1])
    if tested not in names:
        raise InputError(f"--test {tested!r} is none of the corpora here: {', '.join(sorted(names))}")
    common = {
        "seed": seed,
        "data": str(root.resolve()),
        "corpora": [{"path": path} for path in names.values()],
        "labels": {"kind": "classes", "names": EMOTIONS, "others": "leave_out"},
        "features": {"kind": "log_mel", "level": -26.0, "normalise": {"scope": "item"}},
        "protocol": {
            "kind": "cross_corpus",
            "train": [name for name in names if name != tested],
            "test": [tested],
            "validate_by": "session" if data is None else "speaker",
            "allow": ["script"],  # within a corpus everybody says the same sentences
        },
        "training": {"epochs": 20, "batch_size": 64, "learning_rate": 5e-4, "weight_decay": 1e-4, "clip_gradient": 1.0},
        "monitor": {"test_curve": True, "snapshots": [2, 8, 20], "snapshot_items": 400},
    }
    recipes = [make_recipe({"name": name, "terms": terms, **common}, "demo") for name, terms in MODELS.items()]
    try:
        if data is None:
            _make_missing(root)
        runs = _train(recipes, out)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on where it stopped") from None

    from affectspace.report import write_report

    report = write_report(runs, out / "report.html")
    comparison(runs)
    print(f"\nreport: {report} ({time.monotonic() - started:.0f} s)")
    next_commands(
        f"open it in a browser: {report.resolve().as_uri()}",
        f"affectspace explore {quoted(runs[0].path, runs[-1].path)}",
        f"affectspace embed {quoted(runs[-1].path)} YOUR_CLIP.wav",
        "affectspace check YOUR_CORPUS   (docs/your-data.md)",
    )


def _train(recipes: "list[Recipe]", out: Path) -> "list[Run]":
    from affectspace.training import train
    from affectspace.training.gather import gather
    from affectspace.training.prepare import prepare

    gathered = gather(recipes[0])
    runs = []
    for recipe in recipes:
        print(f"training {recipe.name} ...", file=sys.stderr)
        runs.append(train(recipe, out / recipe.name, resume=True, data=prepare(recipe, gathered)))
    return runs


def _make_missing(root: Path) -> None:
    """The corpus of each synthetic language that an earlier, interrupted demo has not left there already."""
    from affectspace.corpora import make_synthetic

    missing = [language for language in LANGUAGES if not (root / language / "items.csv").is_file()]
    if missing:
        print(f"making synthetic corpora in invented languages: {', '.join(missing)} ...", file=sys.stderr)
    for language in missing:
        make_synthetic(root / language, language, speakers=8, items_per_speaker=36)


def _corpora(data: Path) -> dict[str, str]:
    """Name of each corpus with audio -> its folder below the root."""
    from affectspace.corpora import open_corpus

    if not data.is_dir():
        raise InputError(f"there is no folder {data}; --data is a folder with one folder a corpus")
    names = {}
    for folder in sorted(path for path in data.iterdir() if path.is_dir() and not path.name.startswith(".")):
        try:
            corpus = open_corpus(folder)
        except InputError as error:
            print(f"skipped {folder.name}: {error}", file=sys.stderr)
            continue
        if corpus.items["audio"].isna().all():
            print(f"skipped {folder.name}: it has no audio", file=sys.stderr)
            continue
        names[corpus.name] = folder.name
    if len(names) < 2:
        raise InputError(
            f"{data} holds {len(names)} corpora with audio; a cross-corpus demo needs two, one folder each"
        )
    return names
