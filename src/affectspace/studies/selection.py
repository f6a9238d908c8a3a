"""Settings and epoch by the mean validation UAR of inner runs, which have never seen a test item.

What was tried and what was chosen is recorded in ``selection.json``.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from affectspace.errors import InputError
from affectspace.files import write_json
from affectspace.studies.data import Question, StudyData, fold_key
from affectspace.studies.plan import Choice, Planned
from affectspace.studies.recipes import StudyRecipes, points
from affectspace.studies.status import Status

__all__ = ["Best", "Selection", "Tried", "choose", "outcomes", "stand_in"]

EQUAL = 1e-12  # means of the same figures in another order may differ by rounding


@dataclass(frozen=True)
class Tried:
    """One point of a grid and what its inner runs have reached.

    Args:
        recipe: name of the recipe.
        settings: by dotted key.
        curves: validation UAR ``(runs, epochs)``, over inner groups and seeds; one column where no epoch
            is to be chosen; nothing but NaN where a run diverged.
        diverged: how many runs did.
        stage: "shared" where it was tried for all recipes, "own" where for this one alone.
    """

    recipe: str
    settings: dict[str, Any]
    curves: np.ndarray
    diverged: int = 0
    stage: Literal["shared", "own"] = "shared"

    @property
    def mean(self) -> np.ndarray:
        """``(epochs,)``; NaN where one of the runs has no figure."""
        return np.asarray(self.curves, dtype=float).mean(0)

    def told(self, chooses_epoch: bool) -> dict[str, Any]:
        """What is recorded of it: its best epoch, mean and spread over its runs there, and how many those are."""
        mean = self.mean
        known = bool(np.isfinite(mean).any())
        best = int(_earliest(mean)) if known else 0
        spread = float(np.std(self.curves[:, best], ddof=1)) if len(self.curves) > 1 and known else None
        return {
            "recipe": self.recipe,
            "stage": self.stage,
            "set": self.settings,
            "epoch": best + 1 if chooses_epoch and known else None,
            "uar": float(mean[best]) if known else None,
            "sd": spread,
            "runs": len(self.curves),
            **({"diverged": self.diverged} if self.diverged else {}),
        }


@dataclass(frozen=True)
class Best:
    """The chosen point, the chosen epoch (from 1), and the mean curve of the point."""

    settings: dict[str, Any]
    epoch: int
    curve: tuple[float, ...]


def choose(tried: Sequence[Tried]) -> Best:
    """The settings and the epoch with the highest mean; of equals the earliest epoch, then the first settings.

    Raises:
        InputError: no point has a figure.

    Example:
        >>> flat = Tried("CE", {"a": 0}, np.array([[0.5, 0.6, 0.6], [0.5, 0.8, 0.8]]))
        >>> late = Tried("CE", {"a": 1}, np.array([[0.5, 0.5, 0.7], [0.5, 0.5, 0.7]]))
        >>> choose([late, flat])
        Best(settings={'a': 0}, epoch=2, curve=(0.5, 0.7, 0.7))
    """
    means = [point.mean for point in tried]
    tops = [float(np.nanmax(mean)) if np.isfinite(mean).any() else -np.inf for mean in means]
    if not tops or max(tops) == -np.inf:
        raise InputError("no point of the grid has a validation UAR, so nothing can be chosen; look at its runs")
    limit = max(tops) - EQUAL
    level = [(int(_earliest(mean)), place) for place, (mean, top) in enumerate(zip(means, tops)) if top >= limit]
    epoch, place = min(level)
    curve = tuple(float(value) for value in means[place])
    return Best(tried[place].settings, epoch + 1, curve)


def _earliest(mean: np.ndarray) -> int:
    """The first place of the highest figure, from 0."""
    return int(np.flatnonzero(mean >= np.nanmax(mean) - EQUAL)[0])


class Selection:
    """Choices as they come, and the record of what was tried for them.

    Args:
        recipes: of the study.
        data: its data.
        folder: the study's.

    Attributes:
        record: what is kept, by question; empty where nothing is to be chosen.
        open: names of recipes that wait for a choice, by question; only of questions where any does.
    """

    def __init__(self, recipes: StudyRecipes, data: StudyData, folder: Path):
        self.recipes = recipes
        self.data = data
        self.folder = folder
        asked = data.questions if recipes.chooser is not None or recipes.own_grids else ()
        self.record: dict[str, dict[str, Any]] = {
            _key(question): {"shared": {"set": {}, "epoch": None}, "own": {}, "tried": [], "curve": []}
            for question in asked
        }
        self.open: dict[Question, list[str]] = {}

    def shared(self, grid: Sequence[Planned], status: Status) -> dict[Question, Choice]:
        """What is chosen for all recipes, by question; without those whose grid runs are not all settled."""
        search = self.recipes.study.searched
        found = {}
        for question in self.data.questions:
            if search.recipe is None:
                found[question] = Choice()
                continue
            runs = [run for run in grid if (run.split, run.fold) == question]
            if best := self._best(question, runs, status, search.epoch):
                epoch = best.epoch if search.epoch else None
                found[question] = Choice(best.settings, epoch)
                entry = self.record[_key(question)]
                entry["shared"] = {"set": best.settings, "epoch": epoch}
                entry["curve"] = list(best.curve) if search.epoch else []
        return found

    def own(self, choices: dict[Question, Choice], own: Sequence[Planned], status: Status) -> dict[Question, Choice]:
        """The same choices with what single recipes choose for themselves, where their runs are all settled."""
        found = {}
        for question, choice in choices.items():
            settings: dict[str, dict[str, Any]] = {}
            for name in self.recipes.own_grids:
                runs = [run for run in own if (run.split, run.fold, run.recipe) == (*question, name)]
                if best := self._best(question, runs, status):
                    settings[name] = best.settings
                    self.record[_key(question)]["own"][name] = best.settings
            found[question] = replace(choice, own=settings)
        for question in self.data.questions:
            made = found.get(question)
            entries = self.recipes.study.trained
            waiting = [each.name for each in entries if made is None or (each.grid and each.name not in made.own)]
            if waiting:
                self.open[question] = self.record[_key(question)]["open"] = waiting
        return found

    def write(self) -> None:
        """Keep the record; where nothing is to be chosen any more, what an earlier plan chose is none."""
        path = self.folder / "selection.json"
        if self.record:
            write_json(path, self.record)
        else:
            path.unlink(missing_ok=True)

    def _best(self, question: Question, runs: Sequence[Planned], status: Status, by_epoch: bool = False) -> Best | None:
        """The best of the points; None where some runs are not settled, or every point has one that diverged."""
        whole = {run.folder for run in status.finished}
        bad = {run.folder for run in status.diverged}
        if not runs or not all(run.folder in whole or run.folder in bad for run in runs):
            return None
        by_point: dict[int, list[Planned]] = {}
        for run in runs:
            assert run.point is not None
            by_point.setdefault(run.point, []).append(run)
        stage, name = "own" if runs[0].stage == "own" else "shared", runs[0].recipe
        values = self.recipes.own_grids[name] if stage == "own" else self.recipes.study.searched.values
        tried = []
        for settings, its in zip(points(values), by_point.values(), strict=True):
            diverged = sum(run.folder in bad for run in its)
            none = np.full((len(its), 1), np.nan)
            curves = none if diverged else _curves([self.folder / run.folder for run in its], by_epoch)
            tried.append(Tried(name, settings, curves, diverged, stage))
        self.record[_key(question)]["tried"] += [point.told(by_epoch) for point in tried]
        return choose(tried) if any(not point.diverged for point in tried) else None


def _key(question: Question) -> str:
    return f"{question[0]}/{fold_key(question[1])}"


def _curves(folders: Sequence[Path], by_epoch: bool) -> np.ndarray:
    """Validation UAR ``(runs, epochs)`` of inner runs, which have no test items."""
    rows = []
    for folder in folders:
        try:
            if by_epoch:
                lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
                row = [json.loads(line)["validate"]["uar"] for line in lines]
            else:
                row = [json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["validate"]["uar"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"the records of run {folder} are damaged ({error}); remove it, and it is run again"
            ) from None
        rows.append([np.nan if uar is None else float(uar) for uar in row])
    return np.array(rows)


def stand_in(recipes: StudyRecipes, data: StudyData, choices: dict[Question, Choice]) -> dict[Question, Choice]:
    """The choices, and where they are not made yet the first settings and the last epoch, which costs most.

    It serves to count and to foresee runs, never to train any.
    """
    search, found = recipes.study.searched, {}
    own = {name: points(values)[0] for name, values in recipes.own_grids.items()}
    for split, fold in data.questions:
        guess = Choice()
        if search.recipe is not None:
            first = points(search.values)[0]
            epochs = recipes.of(search.recipe, split, first).training.epochs
            guess = Choice(first, epochs if search.epoch else None)
        known = choices.get((split, fold), guess)
        found[split, fold] = replace(known, own=own | known.own)
    return found


def outcomes(
    recipes: StudyRecipes, data: StudyData, choices: dict[Question, Choice], epochs: Collection[int]
) -> Iterator[dict[Question, Choice]]:
    """The choices, and those that are not made yet in every way in which they may still fall.

    Every question is given the same, and every recipe the settings of the same place in its own grid: each
    run depends on its own alone.

    Args:
        recipes: of the study.
        data: its data.
        choices: that are made.
        epochs: which of those that may be chosen to look at; the last one is always.
    """
    search = recipes.study.searched
    own = {name: points(values) for name, values in recipes.own_grids.items()}
    for settings in points(search.values) if search.recipe else [{}]:
        last = {}
        if search.recipe is not None and search.epoch:
            last = {s.name: recipes.of(search.recipe, s.name, settings).training.epochs for s in recipes.study.splits}
        for epoch in sorted({*epochs, *last.values()}) if last else [0]:
            for place in range(max(map(len, own.values()), default=1)):
                chosen = {name: tried[min(place, len(tried) - 1)] for name, tried in own.items()}
                found = {}
                for split, fold in data.questions:
                    guess = Choice(settings, min(epoch, last[split]) if last else None)
                    known = choices.get((split, fold), guess)
                    found[split, fold] = replace(known, own=chosen | known.own)
                yield found
