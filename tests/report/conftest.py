"""Run folders made up to look like real ones: soft labels, a model that learns, odd characters everywhere."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tomli_w
import torch

from affectspace.labels.geometry import geometry
from affectspace.metrics import scores

CLASSES = ("angry", "happy", "neutral", "sad")
EVIL = "<script>alert('x')</script>"


def fabricate(
    folder: Path,
    name: str = "kl",
    *,
    sharpness: float = 1.5,
    structure: float = 0.6,
    seed: int = 0,
    classes: tuple[str, ...] = CLASSES,
    items: int = 300,
    epochs: int = 12,
    snapshots: tuple[int, ...] = (2, 6, 12),
    hard: bool = False,
    tested: bool = True,
    test_curve: bool = True,
    labels: str = "classes",
    corpus: str = "emodb",
    **metrics: object,
) -> Path:
    """A finished run whose model is the better, the larger ``sharpness``, and its space, the larger ``structure``."""
    world = np.random.default_rng(7)  # the same items and labels for every run
    count = len(classes)
    raters = 9
    if labels == "classes":
        p = world.dirichlet(np.full(count, 0.25), 2 * items)
        targets = np.stack([world.multinomial(raters, row) for row in p]) / raters
    else:
        mean = world.beta(0.8, 0.8, 2 * items)[:, None] * (count - 1)
        targets = np.maximum(0, 1 - np.abs(mean - np.arange(count)))
    if hard:
        targets = np.eye(count)[targets.argmax(1)]
    keys = [f"{corpus}/{i:04d} é“{i % 7}”" for i in range(2 * items)]
    speakers = [f"sp{i % 10:02d}" for i in range(2 * items)]
    own = np.random.default_rng([seed, len(name), int(100 * sharpness)])
    basis = np.abs(own.normal(size=(count, 32))) * (own.random((count, 32)) < 0.35)
    noise = own.normal(size=targets.shape)
    blur = np.maximum(0, own.normal(size=(len(targets), 32)))

    def answers(epoch: int) -> tuple[np.ndarray, np.ndarray]:
        learned = 1 - np.exp(-epoch / 4)
        over = max(0, epoch - 7) * (1 - structure) * 0.15
        logits = learned * sharpness * (targets - 1 / count) * 2 + noise * (0.75 + over)
        probabilities = np.exp(1.4 * logits)
        probabilities /= probabilities.sum(1, keepdims=True)
        mixed = np.sqrt(0.75 * targets + 0.25 * probabilities)
        return probabilities, learned * structure * mixed @ basis + (1 - 0.8 * structure * learned) * 0.45 * blur

    def figures(probabilities: np.ndarray, embeddings: np.ndarray, part: slice, similar: bool) -> dict[str, float]:
        if not similar:
            return scores(targets[part], probabilities[part])
        chosen = geometry("fisher_rao")
        t, e = torch.from_numpy(targets[part]).float(), torch.from_numpy(embeddings[part]).float()
        label = chosen.label_similarity_matrix(t, t).numpy()
        return scores(targets[part], probabilities[part], label, chosen.embedding_similarity_matrix(e, e).numpy())

    validate, test = slice(0, items), slice(items, 2 * items)
    folder.mkdir(parents=True)
    rows = []
    for epoch in range(1, epochs + 1):
        p, z = answers(epoch)
        row = {
            "epoch": epoch,
            "loss": 2.0 / epoch,
            "terms": {"cross_entropy": 1.0 / epoch},
            "validate": figures(p, z, validate, False),
        }
        if test_curve and tested:
            row["test"] = figures(p, z, test, False)
        rows.append(row)
        if epoch in snapshots:
            table = pd.DataFrame({"item": keys[test], "target": list(targets[test]), "embedding": list(z[test])})
            (folder / "snapshots").mkdir(exist_ok=True)
            table.to_parquet(folder / "snapshots" / f"epoch-{epoch:04d}.parquet")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    selected = max(rows, key=lambda row: row["validate"]["uar"])["epoch"]
    p, z = answers(selected)
    parts = {"validate": validate} | ({"test": test} if tested else {})
    tables = [
        pd.DataFrame({
            "item": keys[part],
            "split": split,
            "speaker": speakers[part],
            "target": list(targets[part]),
            "probabilities": list(p[part]),
            "embedding": list(z[part]),
        })
        for split, part in parts.items()
    ]  # fmt: skip
    pd.concat(tables, ignore_index=True).to_parquet(folder / "predictions.parquet")
    recipe = {
        "name": name,
        "seed": seed,
        "labels": {"kind": labels, "names": list(classes)},
        "terms": [{"kind": "cross_entropy", "weight": 1.0}],
        "training": {"epochs": epochs, "learning_rate": 1e-4},
    }
    if structure > 0.3:
        recipe["terms"].append({"kind": "f_similarity", "f": "kl", "weight": 10.0})
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe), encoding="utf-8")
    (folder / "environment.txt").write_text("affectspace 0.1.0\npython 3.13.0\ntorch 2.13.0\n")
    (folder / "timing.json").write_text(json.dumps({"seconds": 41.5 + 10 * structure}))
    (folder / "data.json").write_text(json.dumps({"corpora": [_about(corpus, classes, targets)]}, ensure_ascii=False))
    final = {
        "name": name,
        "seed": seed,
        "protocol": "cross_corpus, ravdess + ased -> emodb",
        "keeps_apart": ["speaker", "audio"],
        "allowed": ["script"],
        "transductive": False,
        "selection": "validation",
        "selected_epoch": selected,
        "classes": list(classes),
        "geometry": "fisher_rao",
        "counts": {"train": 1400, "validate": items, "test": items if tested else 0},
        "validate": figures(p, z, validate, True),
        **({"test": figures(p, z, test, True)} if tested else {}),
        **metrics,
    }
    (folder / "metrics.json").write_text(json.dumps(final, ensure_ascii=False), encoding="utf-8")
    return folder


def _about(corpus: str, classes: tuple[str, ...], targets: np.ndarray) -> dict:
    counts = np.bincount(targets.argmax(1), minlength=len(classes)).tolist()
    return {
        "name": corpus,
        "path": "/somewhere/private",
        "licence": "CC BY 4.0",
        "citation": "Burkhardt et al., A database of German emotional speech, 2005. https://example.org/paper",
        "language": ["de"],
        "items": 640,
        "used": 600,
        "left_out": {"label 'bored' is left out by the recipe": 37},
        "note": "this copy is cut to 2 s",
        "agreement": {
            "emotion": {
                "alpha": 0.48,
                "level": "nominal",
                "raters": 20,
                "items": 535,
                "ratings_per_item": 9.0,
                "reason": "",
            },
            "valence": {"alpha": None, "level": "interval", "raters": None, "items": 0, "reason": "one rating an item"},
        },
        "quarantine": [
            {"id": "03a01Fa", "reason": "the recording holds no samples"},
            {"id": "αβγ/ü", "reason": f"cannot be read: {EVIL}"},
            {"id": "x" * 90, "reason": "item 'x' stands in two rows & was \"doubled\""},
        ],
        "classes": dict(zip(classes, counts)),
        "sha256": "0123456789abcdef" * 4,
    }


@pytest.fixture(scope="session")
def make_run(tmp_path_factory) -> Callable[..., Path]:
    """``make_run(folder name, ...)``: a fabricated run folder in a place of its own."""

    def make(folder: str = "run", *args, **kwargs) -> Path:
        return fabricate(tmp_path_factory.mktemp("runs") / folder, *args, **kwargs)

    return make


@pytest.fixture(scope="session")
def three(make_run) -> list[Path]:
    """Three models of four classes on the same items, the second one ahead."""
    return [
        make_run("ce", "ce", sharpness=0.8, structure=0.25),
        make_run("kl-batch", "kl-batch", sharpness=1.7, structure=0.9),
        make_run("kl-triplets", "kl-triplets", sharpness=1.3, structure=0.7),
    ]


@pytest.fixture(scope="session")
def make_study(tmp_path_factory) -> Callable[..., Path]:
    """``make_study(skills, splits, seeds, ...)``: a fabricated study folder, made up where studies are tested."""
    path = Path(__file__).parents[1] / "studies" / "conftest.py"
    spec = importlib.util.spec_from_file_location("fabricated_studies", path)  # folders of tests are no packages
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def make(*args, **kwargs) -> Path:
        return module.fabricate_study(tmp_path_factory.mktemp("studies") / "study", *args, **kwargs)

    return make
