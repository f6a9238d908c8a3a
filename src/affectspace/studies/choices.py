"""What inner runs have chosen, read from their folders, and the record of it: ``selection.json``."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from affectspace.errors import InputError
from affectspace.files import write_json
from affectspace.studies.plan import Choice, Fold, Planned, Shape, fold_key, questions, stages_of
from affectspace.studies.select import Best, Tried, choose
from affectspace.studies.states import State
from affectspace.studies.study import Cells, points

__all__ = ["Selection", "stand_in"]


class Selection:
    """Choices as they come, and the record of what was tried for them.

    Args:
        cells: of the study.
        shape: of its data.
        folder: the study's.
    """

    def __init__(self, cells: Cells, shape: Shape, folder: Path):
        self.cells = cells
        self.shape = shape
        self.folder = folder
        self.record: dict[str, dict[str, Any]] = {}

    def shared(self, grid: Sequence[Planned], state: State) -> dict[tuple[str, Fold], Choice]:
        """What is chosen for all recipes, by question; without those whose grid runs are not all settled."""
        chooses, _ = stages_of(self.cells)
        search = self.cells.study.searched
        found = {}
        for question in questions(self.cells, self.shape):
            if not chooses:
                found[question] = Choice()
                continue
            runs = [run for run in grid if (run.split, run.fold) == question]
            if best := self._best(question, runs, state, search.epoch):
                epoch = best.epoch if search.epoch else None
                found[question] = Choice(best.settings, epoch)
                self._entry(question)["shared"] = {"set": best.settings, "epoch": epoch}
                self._entry(question)["curve"] = list(best.curve) if search.epoch else []
        return found

    def own(
        self, choices: dict[tuple[str, Fold], Choice], own: Sequence[Planned], state: State
    ) -> dict[tuple[str, Fold], Choice]:
        """The same choices with what single recipes choose for themselves, where their runs are all settled."""
        found = {}
        for question, choice in choices.items():
            settings: dict[str, dict[str, Any]] = {}
            for name in stages_of(self.cells)[1]:
                runs = [run for run in own if (run.split, run.fold, run.recipe) == (*question, name)]
                if best := self._best(question, runs, state):
                    settings[name] = best.settings
                    self._entry(question)["own"][name] = best.settings
            found[question] = replace(choice, own=settings)
        return found

    def write(self) -> None:
        """Keep the record, where there is one."""
        if self.record:
            write_json(self.folder / "selection.json", self.record)

    def _entry(self, question: tuple[str, Fold]) -> dict[str, Any]:
        empty = {"shared": {"set": {}, "epoch": None}, "own": {}, "tried": [], "curve": []}
        return self.record.setdefault(f"{question[0]}/{fold_key(question[1])}", empty)

    def _best(
        self, question: tuple[str, Fold], runs: Sequence[Planned], state: State, by_epoch: bool = False
    ) -> Best | None:
        """The best of the points; None where some runs are not settled, or every point has one that diverged."""
        whole = {run.folder for run in state.finished}
        bad = {run.folder for run in state.diverged}
        if not runs or not all(run.folder in whole or run.folder in bad for run in runs):
            return None
        by_point: dict[int, list[Planned]] = {}
        for run in runs:
            assert run.point is not None
            by_point.setdefault(run.point, []).append(run)
        stage, name = runs[0].stage, runs[0].recipe
        values = self.cells.grid_of(name) if stage == "own" else self.cells.study.searched.values
        tried = []
        for settings, its in zip(points(values), by_point.values(), strict=True):
            diverged = sum(run.folder in bad for run in its)
            curves = _curves([self.folder / run.folder for run in its], by_epoch) if not diverged else None
            tried.append(Tried(name, settings, np.full((len(its), 1), np.nan) if curves is None else curves, diverged))
        self._entry(question)["tried"] += [point.told(by_epoch) for point in tried]
        return choose(tried) if any(not point.diverged for point in tried) else None


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


def stand_in(cells: Cells, shape: Shape, choices: dict[tuple[str, Fold], Choice]) -> dict[tuple[str, Fold], Choice]:
    """The choices, and where they are not made yet the first settings and the last epoch, which costs most.

    It serves to count and to foresee runs, never to train any.
    """
    search, (chooses, own) = cells.study.searched, stages_of(cells)
    found = {}
    for split, fold in questions(cells, shape):
        guess = Choice()
        if chooses and search.recipe is not None:
            first = points(search.values)[0]
            epochs = cells.recipe(search.recipe, split, first).training.epochs
            guess = Choice(first, epochs if search.epoch else None)
        known = choices.get((split, fold), guess)
        found[split, fold] = replace(known, own={name: points(cells.grid_of(name))[0] for name in own} | known.own)
    return found
