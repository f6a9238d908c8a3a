"""Wrong labels planted among real ones: how many are found first, by ours and by cleanlab, from the same embeddings.

Faces of FER+ whose raters agree (half of ten votes or more for one of eight emotions, none tied). Their embeddings
have seen no label: gradients by orientation in 8 x 8 cells, the first 64 principal components. With ``--space`` they
are those of a space, whose labelled items are taken; a model that was trained on the right labels makes the task
easier for both sides.

One label in twenty is made wrong: *any*, each other class alike; or *confused*, the class that raters name second,
where they name one. Precision is the share of planted ones among the first twentieth of a list (chance: 0.05); FER+
holds errors of its own, so that nobody reaches 1. cleanlab is given probabilities of the same embeddings, each from
five folds: logistic regression, 20 nearest neighbours, and for its ensemble both.

    python benchmarks/label_errors.py [--space FILE] [--seeds 10] [--first 20]

What suspects() does was chosen by seeds 0 to 3, on 6,000 of the items; seeds 20 to 29 are reported.
"""

import argparse
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from affectspace.space import Space, suspects

DATA = Path(os.environ.get("AFFECTSPACE_DATA", Path(__file__).parents[2] / "shared/data"))
FERPLUS = DATA / "faces/ferplus/ferplus_train12k_publictest.parquet"
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
OTHERS = ("unknown", "nf")
SHARE = 20
CELLS, ORIENTATIONS, SIDE = 8, 8, 48
OURS = "affectspace suspects"
RANKINGS = ("self_confidence", "normalized_margin")


def ferplus() -> Space:
    """Faces with a majority, embedded by what their pixels show, with the votes for eight emotions."""
    table = pd.read_parquet(FERPLUS, columns=["image_name", "image", *EMOTIONS, *OTHERS]).dropna(subset="image")
    votes = table[[*EMOTIONS, *OTHERS]].to_numpy(float)
    most = votes.max(1, keepdims=True)
    sole = ((votes == most).sum(1) == 1) & (votes.argmax(1) < len(EMOTIONS)) & (most[:, 0] >= 5)
    table, votes = table[sole], votes[sole, : len(EMOTIONS)]
    pixels = [
        np.asarray(Image.open(io.BytesIO(image["bytes"] if isinstance(image, dict) else image)).convert("L"))
        for image in table["image"]
    ]
    items = pd.DataFrame(
        {
            "id": ("ferplus/" + table["image_name"]).to_numpy(),
            "label": np.array(EMOTIONS)[votes.argmax(1)],
            "target": list(votes / votes.sum(1, keepdims=True)),
        }
    )
    return Space(items, principal(gradients(np.stack(pixels)), 64), EMOTIONS)


def gradients(pixels: np.ndarray) -> np.ndarray:
    """How much of a picture changes in which direction, cell by cell, each four cells scaled to length one."""
    found = []
    for block in np.array_split(pixels.astype(np.float32), -(-len(pixels) // 1000)):
        down, right = np.gradient(block, axis=(1, 2))
        size, turn = np.hypot(down, right), np.arctan2(down, right) % np.pi / np.pi * ORIENTATIONS
        first, rest = np.floor(turn).astype(int) % ORIENTATIONS, turn % 1
        cells = np.empty((len(block), CELLS, CELLS, ORIENTATIONS), np.float32)
        for one in range(ORIENTATIONS):
            part = size * ((first == one) * (1 - rest) + ((first + 1) % ORIENTATIONS == one) * rest)
            cells[..., one] = part.reshape(len(block), CELLS, SIDE // CELLS, CELLS, SIDE // CELLS).sum((2, 4))
        fours = np.concatenate([cells[:, :-1, :-1], cells[:, 1:, :-1], cells[:, :-1, 1:], cells[:, 1:, 1:]], -1)
        found.append((fours / (np.linalg.norm(fours, axis=-1, keepdims=True) + 1)).reshape(len(block), -1))
    return np.concatenate(found)


def principal(features: np.ndarray, dimensions: int) -> np.ndarray:
    """The first principal components, to mean variance one."""
    centred = features - features.mean(0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    found = centred @ axes[:, ::-1][:, :dimensions]
    return found / np.sqrt(found.var(0).mean())


def plant(space: Space, kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which one in twenty is wrong, and which."""
    rng = np.random.default_rng(seed)
    labels, classes = space.labels.copy(), len(space.classes)
    targets = space.targets
    assert targets is not None
    others = np.where(np.eye(classes, dtype=bool)[labels], 0.0, targets)
    able = np.flatnonzero(others.sum(1) > 0) if kind == "confused" else np.arange(len(space))
    wrong = rng.choice(able, len(space) // SHARE, replace=False)
    if kind == "confused":
        labels[wrong] = [int(rng.choice(np.flatnonzero(row == row.max()))) for row in others[wrong]]
    else:
        labels[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return labels, wrong


def of_peer(vectors: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """cleanlab's lists: rows, the likeliest error first."""
    models = {
        "logistic": LogisticRegression(max_iter=1000),
        "20 nearest": KNeighborsClassifier(20, weights="distance"),
    }
    found, given = {}, []
    codes = pd.factorize(labels, sort=True)[0]
    for name, model in models.items():
        probabilities = cross_val_predict(model, vectors, codes, cv=5, method="predict_proba", n_jobs=1)
        probabilities = np.maximum(probabilities, 1e-6)
        probabilities /= probabilities.sum(1, keepdims=True)
        given.append(probabilities)
        for ranking in RANKINGS:
            scores = get_label_quality_scores(codes, probabilities, method=ranking)
            found[f"cleanlab scores, {name}, {ranking}"] = np.argsort(scores, kind="stable")
            issues = find_label_issues(codes, probabilities, return_indices_ranked_by=ranking, n_jobs=1)
            found[f"cleanlab issues, {name}, {ranking}"] = np.asarray(issues)
    for ranking in RANKINGS:
        scores = get_label_quality_ensemble_scores(codes, given, method=ranking, verbose=False)
        found[f"cleanlab ensemble, both, {ranking}"] = np.argsort(np.asarray(scores), kind="stable")
    return found


def of_ours(space: Space, labels: np.ndarray, seed: int) -> np.ndarray:
    """Our list: rows, the likeliest error first."""
    items = space.items[["id"]].assign(label=np.array(space.classes)[labels])
    found = suspects(Space(items, space.vectors, space.classes), seed=seed)
    return pd.Index(items["id"]).get_indexer(pd.Index(found["id"]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Planted label errors, found first by ours and by cleanlab.")
    parser.add_argument("--space", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=20)
    asked = parser.parse_args()
    space = Space.open(asked.space) if asked.space else ferplus()
    space = space.take(space.labels >= 0)
    seeds = range(asked.first, asked.first + asked.seeds)
    counts = ", ".join(f"{name} {count}" for name, count in zip(space.classes, np.bincount(space.labels)))
    print(f"{len(space)} items ({counts}), {space.dimensions} dimensions, seeds {seeds[0]} to {seeds[-1]}")
    warnings.simplefilter("ignore")
    for kind in ("any", "confused"):
        table: dict[str, list[float]] = {}
        for seed in seeds:
            labels, wrong = plant(space, kind, seed)
            lists = {OURS: of_ours(space, labels, seed), **of_peer(space.vectors, labels)}
            for name, rows in lists.items():
                hits = np.isin(rows[: len(wrong)], wrong).sum() / len(wrong)
                table.setdefault(name, []).append(float(hits))
        print(f"\nplanted: {kind}{'':28s} precision  sd     lowest  ours ahead by (lowest)")
        ours = np.array(table[OURS])
        for name, values in sorted(table.items(), key=lambda entry: -np.mean(entry[1])):
            ahead = ours - np.array(values)
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            told = "" if name == OURS else f"  {ahead.mean():+.3f} ({ahead.min():+.3f})"
            print(f"{name:46s} {np.mean(values):.3f}   {spread:.3f}  {min(values):.3f} {told}")


if __name__ == "__main__":
    main()
