"""Study folders made up from a known truth: what each recipe knows, how seeds and speakers differ, what was tried."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tomli_w

from affectspace.metrics import scores
from affectspace.studies.study import slug
from affectspace.training.dotted import put

CLASSES = ("negative", "positive")


def fabricate_run(
    folder: Path,
    recipe: str,
    split: str,
    skill: float,
    seed: int,
    *,
    world: int = 7,
    items: int = 200,
    speakers: int = 10,
    by_speaker: float = 0.0,
    by_seed: float = 0.05,
    epochs: int = 0,
    classes: Sequence[str] = CLASSES,
    corpus: str = "boro",
    chosen: int = 12,
    seconds: float = 12.0,
    transductive: bool = False,
    tested: str = "test",
    recorded: str = "test",
    selection: str = "last",
    weight: float | None = None,
    changed: Mapping[str, object] | None = None,
    data: Mapping[str, object] | None = None,
    torch: str = "2.13.0",
) -> Path:
    """A finished run that is right about an item with the probability that ``skill`` (a logit) gives.

    ``by_speaker`` is how much the skill varies over speakers, in a way of this recipe's own, the same
    for all seeds; ``by_seed`` how much over seeds. ``recorded`` is whose UAR stands in ``metrics.jsonl``,
    ``weight`` that of the second term, ``changed`` further tables of the recipe, ``data`` what ``data.json``
    tells beside corpora.
    """
    count = len(classes)
    nature = np.random.default_rng([world, items, count])  # the same items and labels for every run of a world
    truth = nature.integers(count, size=items)
    targets = 0.1 / count + 0.9 * np.eye(count)[truth]
    whose = np.arange(items) % speakers
    own = np.random.default_rng([world, *map(ord, recipe + split)])
    luck = np.random.default_rng([world, seed, *map(ord, recipe + split)])
    liking = own.normal(size=speakers) * by_speaker
    logit = skill + liking[whose] + luck.normal() * by_seed
    draw = np.random.default_rng([world, 5, *map(ord, split)]).random(items)  # how hard each item is
    noise = luck.random(items) * 0.2 - 0.1

    def answers(epoch: int | None) -> np.ndarray:
        learned = 1.0 if epoch is None else 1 - np.exp(-epoch / 4)
        right = (draw + noise) % 1 < 1 / (1 + np.exp(-logit * learned))
        guess = np.where(right, truth, (truth + 1) % count)
        return 0.4 / count + 0.6 * np.eye(count)[guess]

    folder.mkdir(parents=True)
    lines = [{"epoch": e, "loss": 1 / e, recorded: scores(targets, answers(e))} for e in range(1, epochs + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    probabilities = answers(None)
    pd.DataFrame({
        "item": [f"{corpus}/{i:04d}" for i in range(items)],
        "split": tested,
        "speaker": [f"s{w}" for w in whose],
        "target": list(targets),
        "probabilities": list(probabilities),
        "embedding": list(np.abs(probabilities)),
    }).to_parquet(folder / "predictions.parquet")  # fmt: skip
    final = {
        "name": slug(recipe),
        "seed": seed,
        "protocol": "cross_corpus, alva -> boro",
        "keeps_apart": ["corpus", "speaker", "audio"],
        "allowed": [],
        "transductive": transductive,
        "selection": selection,
        "selected_epoch": chosen,
        "classes": list(classes),
        "geometry": "chord",
        "counts": {"train": 300, "test": items},
        tested: scores(targets, probabilities),
    }
    second = {"kind": "f_similarity"} | ({} if weight is None else {"weight": weight})
    (folder / "recipe.toml").write_text(
        tomli_w.dumps({
            "name": slug(recipe),
            "seed": seed,
            "labels": {"kind": "poles", "names": list(classes)},
            "terms": [{"kind": "cross_entropy"}, *([] if recipe == "CE" else [second])],
            **(changed or {}),
        }),
        encoding="utf-8",
    )  # fmt: skip
    (folder / "environment.txt").write_text(f"affectspace 0.1.0\ntorch {torch}\n")
    (folder / "timing.json").write_text(json.dumps({"seconds": seconds + 0.1 * seed}))
    about = {"name": corpus, "licence": "CC BY 4.0", "citation": "Somebody, 2020", "items": 300, "used": items}
    (folder / "data.json").write_text(json.dumps({"corpora": [about], **(data or {})}))
    # The last thing that training writes.
    (folder / "metrics.json").write_text(json.dumps(final), encoding="utf-8")
    return folder


def fabricate_study(
    folder: Path,
    skills: Mapping[str, float | Mapping[str, float]],
    splits: Sequence[str] = ("alva -> boro",),
    seeds: int | Sequence[int] = 5,
    *,
    name: str = "made-up",
    baseline: str | None = None,
    folds: int = 0,
    without: Callable[[str, str, int], bool] = lambda recipe, split, seed: False,
    details: Mapping[str, Mapping[str, object]] | None = None,
    by_split: Mapping[str, Mapping[str, object]] | None = None,
    grid: Mapping[str, object] | None = None,
    own: Mapping[str, Mapping[str, object]] | None = None,
    fuses: Mapping[str, Sequence[str]] | None = None,
    **run: object,
) -> Path:
    """A study folder.

    Args:
        folder: which must not exist.
        skills: recipe -> logit of being right, or split -> logit.
        splits, seeds, name, baseline: of the study.
        folds: how many folds each run has; 0 for runs without folds.
        without: which runs are not begun.
        details: recipe -> further arguments of its runs.
        by_split: split -> the same.
        grid: of the study; no runs are made for it.
        own: recipe -> its own grid.
        fuses: further recipes -> those that they fuse.
        run: arguments of all runs, see :func:`fabricate_run`.
    """
    folder.mkdir(parents=True)
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    plan = {
        "name": name,
        "seeds": numbers,
        "baseline": baseline or next(iter(skills)),
        "recipes": [
            {"name": recipe, "path": "/recipes/recipe.toml", "grid": dict((own or {}).get(recipe, {}))}
            for recipe in skills
        ]
        + [{"name": recipe, "fuses": list(members)} for recipe, members in (fuses or {}).items()],
        "splits": [{"name": split} for split in splits],
        **({"grid": dict(grid)} if grid else {}),
    }
    (folder / "study.toml").write_text(tomli_w.dumps(plan), encoding="utf-8")
    for recipe, skill in skills.items():
        for split in splits:
            for seed in numbers:
                if without(recipe, split, seed):
                    continue
                where = folder / "runs" / slug(recipe) / slug(split) / f"seed-{seed}"
                level = skill[split] if isinstance(skill, Mapping) else skill
                settings = {**run, **(details or {}).get(recipe, {}), **(by_split or {}).get(split, {})}
                if not folds:
                    fabricate_run(where, recipe, split, level, seed, **settings)  # pyright: ignore[reportArgumentType]
                    continue
                for fold in range(folds):
                    more = {**settings, "corpus": f"part{fold}", "world": 7 + fold}
                    fabricate_run(where / f"fold-{fold:02d}", recipe, split, level, seed, **more)  # pyright: ignore[reportArgumentType]
                pool(where)
    return folder


def pool(where: Path) -> None:
    """The figures of all folds' answers together, as training pools them."""
    parts = sorted(where.glob("fold-*"))
    tables = [pd.read_parquet(part / "predictions.parquet") for part in parts]
    truth, said = (np.concatenate([np.stack(list(t[c])) for t in tables]) for c in ("target", "probabilities"))
    metrics = [json.loads((part / "metrics.json").read_text()) for part in parts]
    (where / "recipe.toml").write_text((parts[0] / "recipe.toml").read_text())
    pooled = {
        **metrics[0],
        "test": scores(truth, said),
        "folds": len(parts),
        "selected_epoch": [m["selected_epoch"] for m in metrics],
        "counts": {"test": len(truth)},
        "protocol": f"{len(parts)} folds by speaker",
    }
    (where / "metrics.json").write_text(json.dumps(pooled))


@pytest.fixture(scope="session")
def make_study(tmp_path_factory) -> Callable[..., Path]:
    """``make_study(skills, splits, seeds, ...)``: a fabricated study folder in a place of its own."""

    def make(*args, **kwargs) -> Path:
        return fabricate_study(tmp_path_factory.mktemp("studies") / "study", *args, **kwargs)

    return make


RECIPE = {
    "name": "base",
    "corpora": [{"path": "alva"}, {"path": "boro"}],
    "labels": {"kind": "classes", "names": ["angry", "sad"]},
    "protocol": {"kind": "cross_corpus", "train": ["alva"], "test": ["boro"]},
    "terms": [{"kind": "cross_entropy"}, {"kind": "f_similarity"}],
}
STUDY = {
    "name": "mine",
    "seeds": 3,
    "recipes": [
        {"name": "CE", "path": "recipe.toml", "set": {"terms": [{"kind": "cross_entropy"}]}},
        {"name": "KL", "path": "recipe.toml", "grid": {"terms.1.weight": [0.1, 1.0]}},
    ],
    "splits": [
        {"name": "there"},
        {"name": "back", "set": {"protocol.train": ["boro"], "protocol.test": ["alva"]}},
    ],
    "grid": {"recipe": "CE", "values": {"training.weight_decay": [0.0, 0.01]}, "epoch": True},
}


@pytest.fixture
def written(tmp_path):
    """``written({"splits.0.name": "x"})``: the path of a study file with changes; None removes a key."""

    def write(changes=None, recipe=None):
        values, base = copy.deepcopy(STUDY), copy.deepcopy(RECIPE)
        for changed, table in ((values, changes or {}), (base, recipe or {})):
            for key, value in table.items():
                put(changed, key, value)
        (tmp_path / "recipe.toml").write_text(tomli_w.dumps(base))
        path = tmp_path / "study.toml"
        path.write_text(tomli_w.dumps({key: value for key, value in values.items() if value is not None}))
        return path

    return write
