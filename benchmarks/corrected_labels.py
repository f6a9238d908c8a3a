"""Wrong labels planted among the voices that train: what it is worth to correct those that the list of doubts names.

Invented voices, four emotions: 12 speakers train, 12 others of the same corpus are tested, 24 items each. Of the
labels that train, 15 % are made another emotion; labels that are tested are right. Labels in doubt are found as a
user finds them: a run that leaves out one session of two training speakers in turn, the space of each fold's unseen
speakers, its suspects, all lists as one by score. Somebody who knows the truth goes through the first items of that
list, corrects what is wrong and confirms what is right, by `append_correction`, as the explorer does; then the net is
trained anew with `corrections`. The net (an MLP on openSMILE's functionals), its 40 epochs and its seed are the same
each time, and nothing is selected.

Columns: UAR on the speakers that are tested, in %

- planted: trained on the labels as they are; truth: all of them right;
- list 15 %, list 30 %: that share of the training items looked at, in the order of the list (or as many as it has);
- random 30 %: as many looked at, drawn by chance;
- found: share of the planted errors among those looked at, by the list and by chance.

    python benchmarks/corrected_labels.py [--seeds 5] [--first 0]
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora.corrections import Correction, append_correction, now
from affectspace.corpora.speakers import LANGUAGES
from affectspace.corpora.synthetic import make_synthetic
from affectspace.space import Space, suspects
from affectspace.training import train_recipe
from affectspace.training.recipe import Recipe, make_recipe

TRAIN, TEST, EACH, WRONG, EPOCHS = 12, 12, 24, 0.15, 40
EMOTIONS = ("angry", "happy", "neutral", "sad")
LANGUAGE = "alva"
TRAINING = {"learning_rate": 1e-3, "weight_decay": 1e-4, "clip_gradient": 1.0, "selection": "last", "threads": 1}


def make_corpora(root: Path, seed: int) -> dict[str, str]:
    """``voices``, with wrong labels, and ``unheard``, without; the true label of each of the voices by its id."""
    made = make_synthetic(root / "all", LANGUAGE, speakers=TRAIN + TEST, items_per_speaker=EACH, careless=0, seed=seed)
    items = pd.read_csv(root / "all/items.csv")
    truth = made.items.set_index("id")["emotion"].reindex(items["id"]).to_numpy(object)
    heard = np.array([int(speaker[1:]) <= TRAIN for speaker in items["speaker"]])
    rng = np.random.default_rng(seed)
    label = truth.copy()
    for row in rng.choice(np.flatnonzero(heard), round(WRONG * heard.sum()), replace=False):
        label[row] = rng.choice([other for other in EMOTIONS if other != truth[row]])
    items["label"] = [LANGUAGES[LANGUAGE].labels[each] for each in label]
    card = (root / "all/corpus.toml").read_text(encoding="utf-8")
    for name, rows in (("voices", heard), ("unheard", ~heard)):
        (root / name).mkdir()
        shutil.copytree(root / "all/audio", root / name / "audio", copy_function=os.link)
        items[rows].to_csv(root / name / "items.csv", index=False)
        (root / name / "corpus.toml").write_text(card.replace(f'name = "{LANGUAGE}"', f'name = "{name}"'))
    return {f"voices/{item}": str(name) for item, name in zip(items["id"][heard], truth[heard])}


def recipe(root: Path, name: str, seed: int, folds: bool = False, corrections: Path | None = None) -> Recipe:
    """A small MLP on 88 functionals by cross-entropy; on the voices alone in folds, or from them to the others."""
    across = {"kind": "cross_corpus", "train": ["voices"], "test": ["unheard"], "validate_share": 0.0}
    within = {"kind": "grouped_folds", "by": "session", "folds": 6, "validate_share": 0.0}
    told = {
        "name": name,
        "data": str(root),
        "seed": seed,
        "corpora": [{"path": "voices"}] if folds else [{"path": "voices"}, {"path": "unheard"}],
        "labels": {"kind": "classes", "names": list(EMOTIONS), "dimension": "label"},
        "features": {"kind": "functionals", "set": "eGeMAPSv02", "normalise": {"scope": "train"}},
        "encoder": {"kind": "mlp", "dropout": 0.5, "limit": 3.0},
        "protocol": {**(within if folds else across), "allow": ["script"]},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": EPOCHS, "batch_size": 32, **TRAINING},
    }
    return make_recipe(told | ({"corrections": str(corrections)} if corrections else {}))


def doubts(run: Path) -> list[str]:
    """Ids of items in doubt, the most surely wrong first: suspects of each fold's unseen speakers, by score."""
    found = [suspects(Space.open(fold).where("split=test")) for fold in sorted(run.glob("fold-*"))]
    return pd.concat(found).sort_values("score", ascending=False, kind="stable")["id"].tolist()


def look(items: list[str], labels: dict[str, str], truth: dict[str, str], file: Path) -> None:
    """Judge items one by one: right labels are confirmed, wrong ones corrected."""
    for item in items:
        append_correction(file, Correction(now(), "oracle", item, labels[item], truth[item]))


def uar(root: Path, name: str, seed: int, corrections: Path | None = None) -> float:
    """On the speakers that are tested."""
    run = train_recipe(recipe(root, name, seed, corrections=corrections), root / "runs" / name, quiet=True)
    return 100 * float(run.metrics["test"]["uar"])


def one(seed: int, root: Path) -> dict[str, float]:
    """The figures of one seed, of the voices, the errors and the net."""
    truth = make_corpora(root, seed)
    items = pd.read_csv(root / "voices/items.csv")
    words = {own: shared for shared, own in LANGUAGES[LANGUAGE].labels.items()}
    labels = {f"voices/{item}": words[label] for item, label in zip(items["id"], items["label"])}
    wrong = {item for item in truth if truth[item] != labels[item]}
    train_recipe(recipe(root, "folds", seed, folds=True), root / "runs/folds", quiet=True)
    listed = doubts(root / "runs/folds")
    many = round(0.3 * len(truth))
    looked = {
        "list 15 %": listed[: round(0.15 * len(truth))],
        "list 30 %": listed[:many],
        "random 30 %": np.random.default_rng(1000 + seed).permutation(list(truth))[:many].tolist(),
        "truth": list(truth),
    }
    told = {"planted": uar(root, "planted", seed)}
    for name, seen in looked.items():
        file = root / f"{name.replace(' ', '-').replace('%', 'percent')}.jsonl"
        look(seen, labels, truth, file)
        told[name] = uar(root, file.stem, seed, file)
    for name in ("list 15 %", "list 30 %", "random 30 %"):
        told[f"found, {name}"] = 100 * len(wrong & set(looked[name])) / len(wrong)
    return {**told, "in the list": float(len(listed))}


def main() -> None:
    parser = argparse.ArgumentParser(description="Planted label errors, corrected by the list of doubts.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    rows = []
    for seed in range(asked.first, asked.first + asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(one(seed, Path(folder).resolve()))
        print(f"seed {seed}: " + ", ".join(f"{name} {value:.1f}" for name, value in rows[-1].items()), flush=True)
    table = pd.DataFrame(rows)
    print(f"\n{'':20s} mean   sd     min    max    beside planted: mean (sd), min")
    for name, column in table.items():
        gain = column - table["planted"]
        told = f"{column.mean():5.1f}  {column.std():4.1f}  {column.min():5.1f}  {column.max():5.1f}"
        scored = name in {"list 15 %", "list 30 %", "random 30 %", "truth"}
        print(f"{name:20s} {told}" + (f"  {gain.mean():+.1f} ({gain.std():.1f}), {gain.min():+.1f}" if scored else ""))


if __name__ == "__main__":
    main()
