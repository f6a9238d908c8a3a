"""All folds of a protocol: one run each, and the figures of all test items pooled."""

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.files import write_json, write_text
from affectspace.metrics import scores, value_scores
from affectspace.metrics.speaker_intervals import Tally, tally
from affectspace.protocols import group_names, inner_groups
from affectspace.training.absent import absent_classes
from affectspace.training.by_tables import by_tables, refuse_by_tables
from affectspace.training.final_figures import over_speakers
from affectspace.training.folder import hold
from affectspace.training.gather import Gathered, gather
from affectspace.training.label_corpus import label_corpora
from affectspace.training.multimodal import subsets
from affectspace.training.prepare import prepare
from affectspace.training.processes import processes
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_file import dump_recipe
from affectspace.training.recipe_protocol import CrossLanguage, GroupedFolds, LeaveOneOut, has_folds
from affectspace.training.run import Run
from affectspace.training.split import outer_split
from affectspace.training.train import train

__all__ = ["fold_count", "inner_count", "is_pooled", "one_fold", "pool_folds", "train_folds"]

MEASURED = ("validate", "learned")  # by each fold for itself, so that the pooled figure is their mean


def train_folds(recipe: Recipe, folder: str | Path, *, resume: bool = False, quiet: bool = False) -> Run:
    """Train each fold of the recipe's protocol in ``folder/fold-00``, ``fold-01``, ... and pool them.

    Every item is tested once, by the fold that never trained on it; the pooled figures are of all
    these answers together, and those of each fold stand beside them.

    Raises:
        InputError: the protocol has no folds, the folder holds a run, or what :func:`train` raises.
    """
    folder, recipe = Path(folder), recipe.settled()
    if not has_folds(recipe.protocol):
        raise InputError(f"protocol {recipe.protocol.kind} has no folds; train it as one run")
    together = processes()
    with together.alike(), hold(folder, recipe, resume) if together.first else nullcontext():
        with together.in_turn():
            told = label_corpora(recipe)
            tables = by_tables(told)
            for fold in range(fold_count(recipe, tables.items)):
                refuse_by_tables(one_fold(recipe, fold), tables)
            gathered = gather(recipe, told, quiet=quiet or not together.first)
        for fold in range(fold_count(recipe, gathered.items)):
            one = one_fold(recipe, fold)
            with together.in_turn():
                data = prepare(one, gathered)
            if together.first:
                write_text(folder / "recipe.toml", dump_recipe(recipe))  # not before a fold can begin
            train(one, folder / f"fold-{fold:02d}", resume=resume, data=data, quiet=quiet)
        run = pool_folds(recipe, folder) if together.first else Run.elsewhere(folder)
        together.agree()
        return run


def fold_count(recipe: Recipe, items: pd.DataFrame) -> int:
    """How many folds the recipe's protocol has on these items; 1 for a protocol without folds."""
    match recipe.protocol:
        case GroupedFolds(folds=folds):
            return folds
        case LeaveOneOut(by=by):
            return len(group_names(items, by))
        case CrossLanguage(target_folds=int(folds)):
            return folds
    return 1


def one_fold(recipe: Recipe, fold: int) -> Recipe:
    """The recipe of one fold of a protocol that has folds."""
    return recipe.model_copy(update={"protocol": recipe.protocol.model_copy(update={"fold": fold})})


def inner_count(recipe: Recipe, gathered: Gathered, by: str) -> int:
    """How many inner folds by ``by`` the training items of the recipe's split have; see ``Inner``.

    Raises:
        InputError: items that name no such group.
    """
    return len(inner_groups(gathered.items, outer_split(recipe, gathered), by))


def pool_folds(recipe: Recipe, folder: str | Path) -> Run:
    """Write ``metrics.json`` of a folder whose folds (``fold-00``, ...) are all finished.

    Raises:
        InputError: a fold that is not finished.
    """
    folder = Path(folder)
    write_json(folder / "metrics.json", _pooled(recipe, list(Run(folder).folds)))
    return Run(folder)


def is_pooled(folder: Path, folds: Sequence[Path]) -> bool:
    """Whether ``metrics.json`` of a folder is of these folds as they are: of their figures and of the epochs they kept.

    When they were written says nothing of that: folds may come from machines whose clocks differ.
    """
    try:
        pooled, *own = (json.loads((path / "metrics.json").read_text(encoding="utf-8")) for path in (folder, *folds))
        each = [(metrics["test"], metrics["selected_epoch"]) for metrics in own]
        return list(zip(pooled["per_fold"], pooled["selected_epoch"], strict=True)) == each
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _pooled(recipe: Recipe, runs: list[Run]) -> dict[str, Any]:
    """The figures of all folds' answers together, and those of each fold."""
    tests = [run.predictions.query("split == 'test'") for run in runs]
    truth = np.concatenate([np.stack(list(test["target"])) for test in tests])
    per_fold = [run.metrics["test"] for run in runs]
    # Each fold has a space of its own, so what is measured across folds means nothing: their mean stands for it.
    pooled = _means(per_fold) | _scored(tests, recipe)
    first = runs[0].metrics
    validation, learned = (_means([run.metrics[part] for run in runs if part in run.metrics]) for part in MEASURED)
    kept = ("name", "seed", "allowed", "selection", "geometry")
    apart = [set(run.metrics["keeps_apart"]) for run in runs]
    classes = [run.metrics["classes"] for run in runs]
    if any(names != classes[0] for names in classes):  # by their bounds, which each fold has learned for itself
        classes[0] = [f"bin {place}" for place in range(1, len(classes[0]) + 1)]
    absent = absent_classes(truth, classes[0])
    return {
        **{key: first[key] for key in kept},
        "classes": classes[0],
        "protocol": _told(recipe, len(runs)),
        "keeps_apart": [group for group in first["keeps_apart"] if all(group in fold for fold in apart)],
        "transductive": any(run.metrics["transductive"] for run in runs),
        "folds": len(runs),
        "counts": {"test": len(truth)},
        "test": pooled,
        **({"validate": validation} if validation else {}),
        **({"learned": learned} if learned else {}),
        **({"absent": {"test": absent}} if absent else {}),
        **(_of_modalities(recipe, runs) if recipe.modalities else {}),
        "over_speakers": over_speakers(_tally(tests)),
        **_of_probes(runs),
        "per_fold": per_fold,
        "selected_epoch": [run.metrics["selected_epoch"] for run in runs],
    }


def _told(recipe: Recipe, folds: int) -> str:
    if isinstance(recipe.protocol, CrossLanguage):
        return f"other speakers of {recipe.protocol.target} train too, {folds} folds"
    by = getattr(recipe.protocol, "by", "")
    return f"leave one {by} out" if isinstance(recipe.protocol, LeaveOneOut) else f"{folds} folds by {by}"


def _scored(answers: list[pd.DataFrame], recipe: Recipe) -> dict[str, float | None]:
    """The scores of all folds' answers together."""
    together = pd.concat(answers, ignore_index=True)
    truth, probabilities = (np.stack(list(together[name])) for name in ("target", "probabilities"))
    found: dict[str, float | None] = {**scores(truth, probabilities, ordered=recipe.labels.ordered)}
    if all("value" in each for each in answers):  # each fold's own levels, led back to one unit
        found |= value_scores(together["value"], together["predicted_value"])
    return found


def _of_modalities(recipe: Recipe, runs: list[Run]) -> dict[str, Any]:
    """Figures of each subset of modalities, pooled where every fold has kept its answers, and of how two match."""
    names = ["+".join(chosen) for chosen in subsets(recipe.modalities)]
    shown = [run.shown for run in runs if run.shown is not None]
    pooled, by_modality, matching = len(shown) == len(runs), {}, {}
    for name in names:
        if there := [run.by_modality[name] for run in runs if name in run.by_modality]:
            # Folds of before answers were kept have their figures alone, and so the means of these.
            scored = _scored([each[each["shown"] == name] for each in shown], recipe) if pooled else _means(there)
            by_modality[name] = {**scored, "items": _items(there)}
        # A fold has a space of its own, so an item is sought among those of its own fold.
        if there := [run.matching[name] for run in runs if name in run.matching]:
            matching[name] = {**_means(there), "items": _items(there), "folds": len(there)}
    told = {"by_modality": by_modality, "by_modality_pooled": pooled, "matching": matching}
    return {key: value for key, value in told.items() if value or value is False}


def _of_probes(runs: list[Run]) -> dict[str, Any]:
    """Each fold has a space of its own: means of what is told of groups, and of how many items and groups.

    Items that are not finite are counted over all folds together.
    """
    names = dict.fromkeys(name for run in runs for name in run.probes)
    found = {name: _means([run.probes[name] for run in runs if name in run.probes]) for name in names}
    lost: dict[str, dict[str, int]] = {}
    for part, counts in ((part, each) for run in runs for part, each in run.probes_not_finite.items()):
        so_far = lost.setdefault(part, dict.fromkeys(counts, 0))
        lost[part] = {key: so_far[key] + count for key, count in counts.items()}
    return {**({"probes": found} if found else {}), **({"probes_not_finite": lost} if lost else {})}


def _tally(answers: list[pd.DataFrame]) -> Tally:
    together = pd.concat(answers, ignore_index=True)
    truth, probabilities = (np.stack(list(together[name])) for name in ("target", "probabilities"))
    speakers = together["speaker"].astype("string").fillna("").to_numpy(str)
    return tally(together["item"].to_numpy(str), speakers, truth, probabilities)


def _items(folds: list[dict[str, float]]) -> int:
    return sum(int(figures["items"]) for figures in folds)


def _means(folds: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Every figure's mean over the folds that have it, such as one with several items; none where it exists in none."""
    names = dict.fromkeys(name for figures in folds for name in figures)
    return {name: _mean([figures.get(name) for figures in folds]) for name in names}


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None and not np.isnan(value)]
    return float(np.mean(there)) if there else None
