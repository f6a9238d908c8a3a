"""All folds of a protocol: one run each, and the figures of all test items pooled."""

from pathlib import Path

import numpy as np

from affectspace.errors import InputError
from affectspace.files import write_json, write_text
from affectspace.metrics import scores
from affectspace.training.data import gather, prepare
from affectspace.training.recipe import GroupedFolds, LeaveOneOut, Recipe, dump_recipe
from affectspace.training.run import Run
from affectspace.training.train import train

__all__ = ["train_folds"]


def train_folds(recipe: Recipe, folder: str | Path, *, resume: bool = False, quiet: bool = False) -> Run:
    """Train each fold of the recipe's protocol in ``folder/fold-00``, ``fold-01``, ... and pool them.

    Every item is tested once, by the fold that never trained on it; the pooled figures are of all
    these answers together, and those of each fold stand beside them.

    Raises:
        InputError: the protocol has no folds, the folder holds a run, or what :func:`train` raises.
    """
    folder = Path(folder)
    if not isinstance(recipe.protocol, LeaveOneOut | GroupedFolds):
        raise InputError(f"protocol {recipe.protocol.kind} has no folds; train it as one run")
    text = dump_recipe(recipe)
    if (folder / "recipe.toml").exists():
        if not resume:
            raise InputError(
                f"{folder} already holds runs; go on by: affectspace train --resume {folder}, or choose --out"
            )
        if (folder / "recipe.toml").read_text(encoding="utf-8") != text:
            raise InputError(
                f"the recipe differs from the one {folder} was begun with; choose another folder with --out"
            )
    write_text(folder / "recipe.toml", text)
    gathered = gather(recipe, quiet=quiet)
    runs = []
    for fold in range(_count(recipe, gathered.items)):
        one = recipe.model_copy(update={"protocol": recipe.protocol.model_copy(update={"fold": fold})})
        data = prepare(one, gathered)
        runs.append(train(one, folder / f"fold-{fold:02d}", resume=resume, data=data, quiet=quiet))

    tests = [run.predictions.query("split == 'test'") for run in runs]
    truth = np.concatenate([np.stack(list(test["target"])) for test in tests])
    probabilities = np.concatenate([np.stack(list(test["probabilities"])) for test in tests])
    per_fold = [run.metrics["test"] for run in runs]
    pooled: dict[str, float | None] = {**scores(truth, probabilities)}
    # Each fold has its own net, so similarities across folds mean nothing: their folds' mean stands for them.
    for name in ("similarity_rho", "similarity_error"):
        pooled[name] = _mean([figures[name] for figures in per_fold])
    first = runs[0].metrics
    kept = ("name", "seed", "keeps_apart", "allowed", "transductive", "selection", "classes", "geometry")
    final = {
        **{key: first[key] for key in kept},
        "protocol": first["protocol"].partition(":")[0],
        "folds": len(runs),
        "counts": {"test": len(truth)},
        "test": pooled,
        "validate": {name: _mean([run.metrics["validate"][name] for run in runs]) for name in first["validate"]},
        "per_fold": per_fold,
        "selected_epoch": [run.metrics["selected_epoch"] for run in runs],
    }
    write_json(folder / "metrics.json", final)
    return Run(folder)


def _count(recipe: Recipe, items) -> int:
    match recipe.protocol:
        case GroupedFolds(folds=folds):
            return folds
        case LeaveOneOut(by=by):
            return (items["corpus"] + "/" + items[by]).nunique()
    raise AssertionError(recipe.protocol.kind)


def _mean(values: list[float | None]) -> float | None:
    """The mean of the folds in which the figure exists; none where it exists in none."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
