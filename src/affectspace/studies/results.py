"""A study folder, read: what was planned, what is finished, and its figures as tables."""

import json
import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.studies.answers import Judged, fused_figures, fused_unseen, judge, tested_items
from affectspace.studies.choices import Choices
from affectspace.studies.records import RECORDS
from affectspace.studies.study import CHOSEN, slug
from affectspace.studies.words import listed
from affectspace.training.records import fault_in
from affectspace.training.run import Run

__all__ = ["FIGURES", "PARTS", "PLACES", "StudyResults", "open_study"]

FIGURES = (
    "uar", "chance_uar", "accuracy", "macro_precision", "macro_f1", "f1_of_macro", "weighted_f1", "weighted_precision",
    "jensen_shannon", "ece", "similarity_rho", "similarity_error",
)  # fmt: skip
PLACES = ("recipe", "split", "seed", "selected_epoch", "seconds", "folder")  # of a run, besides its figures
PARTS = ("unseen", "by_modality", "matching", "probes")  # of a run, told of each corpus, subset, pair or group
MISSING_COLUMNS = ("recipe", "split", "seed", "state", "folder")
CURVE_COLUMNS = ("recipe", "split", "seed", "epoch", "part", "uar")


def open_study(folder: str | Path) -> "StudyResults":
    """A study folder, finished or not.

    Raises:
        InputError: there is no such folder, or no readable ``study.toml`` in it.

    Example:
        >>> open_study("nowhere")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: there is no study folder nowhere; affectspace study makes one
    """
    return StudyResults(folder)


class StudyResults:
    """A light reader of a study folder; each file is read when it is asked for, and only once.

    Figures come from the ``metrics.json`` of each run; predictions, which are a thousand times larger,
    are read only for what asks speaker by speaker, and not kept. Runs that are not finished, or whose
    settings are not chosen yet, are listed in :attr:`missing` and counted nowhere else.

    A recipe that fuses others has no runs of its own: where those of all its members are finished, their
    mean answers are read from their predictions, and what follows from these stands beside the others.

    Args:
        folder: that ``affectspace study`` wrote.

    Attributes:
        name, recipes, splits, seeds, baseline: of the study file.
        fuses: the names of the members of each recipe that fuses others, sorted.
        trained: the other recipes.
        chooser: the recipe whose inner runs choose for all; None where none does.
        chosen: keys of recipes that the study itself chooses.

    Raises:
        InputError: no such folder, no readable study in it. Later, when a run is asked for whose files
            are damaged: which file of which run.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(f"there is no study folder {folder}; affectspace study makes one")
        path = self.folder / "study.toml"
        if not path.is_file():
            raise InputError(f"{folder} is not a study folder (it has no study.toml); give the folder of a study")
        try:
            plan = tomllib.loads(path.read_text(encoding="utf-8"))
            seeds = plan["seeds"]
            self.name = str(plan.get("name") or self.folder.name)
            self.recipes = _names(plan["recipes"], "recipes")
            self.fuses = {
                str(each["name"]): tuple(sorted(each["fuses"])) for each in plan["recipes"] if each.get("fuses")
            }
            self.trained = tuple(name for name in self.recipes if name not in self.fuses)
            self.splits = _names(plan["splits"], "splits")
            self.seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(int(seed) for seed in seeds)
            self.baseline = str(plan.get("baseline") or next(iter(self.trained), ""))
            shared = plan.get("grid") or {}
            self.chooser = str(shared["recipe"]) if shared.get("recipe") else None
            grids = [shared.get("values") or {}, *(entry.get("grid") or {} for entry in plan["recipes"])]
            self.chosen = frozenset(key for grid in grids for key in grid) | {*(CHOSEN if shared.get("epoch") else ())}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # TOML's own errors are ValueErrors
            what = f"{error} is missing" if isinstance(error, KeyError) else error
            raise self._damaged("study.toml", what) from error
        if self.baseline not in self.trained:
            raise self._damaged("study.toml", f"baseline {self.baseline!r} is none of {', '.join(self.trained)}")
        if unknown := [name for several in self.fuses.values() for name in several if name not in self.trained]:
            raise self._damaged("study.toml", f"{unknown[0]!r}, which is fused, is none of {', '.join(self.trained)}")
        self._judged: dict[tuple[str, str, str], dict[int, Judged]] = {}

    def __repr__(self) -> str:
        return f"StudyResults({str(self.folder)!r})"

    @property
    def planned(self) -> int:
        """How many runs the study has once it is finished; one of several folds is one, what is fused none."""
        return len(self.trained) * len(self.splits) * len(self.seeds)

    @property
    def finished(self) -> bool:
        """Whether every planned run is."""
        return not len(self.missing)

    # ---- figures

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row a finished run, or what is fused of such, in the order of the study file.

        ``recipe``, ``split``, ``seed``; the figures of the test items, and of what terms have learned, as in
        ``metrics.json``, NaN where undefined, ``FIGURES`` first and then whatever else some run has, those of an
        unseen corpus under ``unseen.CORPUS.FIGURE``, those by some modalities alone under
        ``by_modality.NAME+NAME.FIGURE``, and of how two match under ``matching.NAME+NAME.FIGURE``;
        of how well speakers, say, are told, under ``probes.NAME.before`` and so on;
        ``selected_epoch``, a number, or a list with one a fold; ``seconds``, NaN where not recorded; ``folder``,
        within the study's. What is fused has the figures that follow from probabilities, no epoch, no seconds and no
        folder.
        """
        rows, figures = [], dict.fromkeys(FIGURES)
        for recipe, split in product(self.recipes, self.splits):
            for seed, (run, *others) in self._runs(recipe, split).items():
                found = self._fused(recipe, split, [run, *others]) if others else self._figures(run)
                figures |= dict.fromkeys(found)
                rows.append({
                    "recipe": recipe, "split": split, "seed": seed, **found,
                    "selected_epoch": [] if others else run.metrics.get("selected_epoch"),
                    "seconds": np.nan if others else float(run.timing.get("seconds") or np.nan),
                    "folder": "" if others else run.path.relative_to(self.folder).as_posix(),
                })  # fmt: skip
        table = pd.DataFrame(rows, columns=[*PLACES[:3], *figures, *PLACES[3:]])
        return table.astype(dict.fromkeys(figures, float))

    @cached_property
    def missing(self) -> pd.DataFrame:
        """One row a planned run that is not finished: recipe, split, seed, state in words, folder.

        What is fused is missing while a run of a member is, and has no folder.
        """
        rows = []
        for recipe, split, seed in product(self.recipes, self.splits, self.seeds):
            if recipe in self.fuses:
                waits = [name for name in self.fuses[recipe] if (name, split, seed) not in self._opened]
                if waits and self.alike(recipe, split):
                    rows.append((recipe, split, seed, f"waits for {listed(waits)}", ""))
                continue
            folder = self.run_folder(recipe, split, seed)
            waits = (recipe, split) in self.open
            if waits or not (folder / "metrics.json").is_file():
                where = folder.relative_to(self.folder).as_posix()
                rows.append((recipe, split, seed, "waits for a choice" if waits else _state(folder), where))
        return pd.DataFrame(rows, columns=list(MISSING_COLUMNS))

    @cached_property
    def curves(self) -> pd.DataFrame:
        """UAR after each epoch of finished runs that recorded it: recipe, split, seed, epoch, part, uar.

        ``part`` is "test" or "validate". A run of several folds has the mean of its folds, as far as
        all of them went.
        """
        tables = []
        for recipe, split, seed, run in self._finished():
            parts = [part.epochs for part in run.parts]
            last = min((table.index.max() for table in parts if len(table)), default=0)
            for name in ("test", "validate"):
                if all(f"{name}.uar" in table for table in parts):
                    each = pd.concat([table[f"{name}.uar"] for table in parts]).dropna().groupby(level="epoch").mean()
                    each = each[each.index <= last]
                    tables.append(
                        pd.DataFrame({"epoch": each.index, "uar": each.to_numpy()}).assign(
                            recipe=recipe, split=split, seed=seed, part=name
                        )
                    )
        return pd.concat(tables, ignore_index=True)[list(CURVE_COLUMNS)] if tables else pd.DataFrame(
            columns=list(CURVE_COLUMNS)
        )  # fmt: skip

    # ---- answers

    def judged(self, recipe: str, split: str, part: str = "test") -> list[Judged]:
        """What each finished run said of the test items, or the unseen ones, by speaker, one a seed; kept once read.

        Of a recipe that fuses others, what their runs of each seed said together.
        """
        return [*self._judged_by_seed(recipe, split, part).values()]

    def members(self, recipe: str) -> tuple[str, ...]:
        """The recipes whose runs answer for a recipe: those that it fuses, or itself."""
        return self.fuses.get(recipe, (recipe,))

    def alike(self, recipe: str, split: str, part: str = "test") -> bool:
        """Whether the members of a recipe were judged on the same items with the same labels, seed by seed.

        True of one that fuses none, and while no seed is finished by all members.
        """
        if recipe not in self.fuses:
            return True
        if len({run.classes for name in self.fuses[recipe] if (run := self.example(split, name))}) > 1:
            return False
        each = [self._judged_by_seed(name, split, part) for name in self.fuses[recipe]]
        shared = set(self.seeds).intersection(*each)
        return all(len({its[seed].digest for its in each}) == 1 for seed in shared)

    def items(self, recipe: str, split: str) -> list[str]:
        """Which items the first finished run of a recipe was judged on, "corpus/id", sorted."""
        run = self.example(split, self.members(recipe)[0])
        return tested_items(run) if run else []

    def example(self, split: str, recipe: str | None = None) -> Run | None:
        """A finished run of a split, of the baseline where there is one: for protocol, corpora and licences.

        A recipe that fuses others has none.
        """
        order = [recipe] if recipe is not None else [self.baseline, *self.recipes]
        return next((run for name in order for _, _, _, run in self._finished(name, split)), None)

    def examples(self, split: str) -> list[Run]:
        """A finished run of each recipe on a split, as far as there are any."""
        found = [self.example(split, recipe) for recipe in self.recipes]
        return [run for run in found if run is not None]

    # ---- how it came about

    @cached_property
    def selection(self) -> dict[str, Any]:
        """What was tried on training items, and what was chosen: ``selection.json``; empty where there is none."""
        return self._json("selection.json")

    @cached_property
    def choices(self) -> Choices:
        """What :attr:`selection` tells of what was chosen, and among how much."""
        return Choices(self.selection)

    @property
    def open(self) -> frozenset[tuple[str, str]]:
        """Recipe and split of which some settings are not chosen yet; a run of theirs may be one by another choice."""
        return self.choices.open

    @property
    def shared_settings(self) -> int:
        """Among how many settings :attr:`chooser` has chosen for all; 1 where among none, or an epoch alone."""
        return self.choices.shared_settings

    @property
    def shared_epochs(self) -> int:
        """Among how many epochs :attr:`chooser` has chosen for all, on the split with most; 1 where among none."""
        return self.choices.shared_epochs

    @property
    def own_settings(self) -> dict[str, int]:
        """Among how many each recipe that is trained has chosen for itself alone, 1 where among none."""
        return {name: self.choices.own_settings(name) for name in self.trained}

    @cached_property
    def timing(self) -> dict[str, Any]:
        """Predicted and actual seconds: ``timing.json``; empty where there is none."""
        return self._json("timing.json")

    @cached_property
    def versions(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Of affectspace and torch, where finished runs have seen several versions: each with its recipes."""
        seen: dict[str, dict[str, dict[str, None]]] = {"affectspace": {}, "torch": {}}
        for recipe, _, _, run in self._finished():
            for line in {line for part in run.parts for line in part.environment.splitlines()}:
                package, _, version = line.partition(" ")
                if package in seen:
                    seen[package].setdefault(version.strip(), {})[recipe] = None
        return {
            package: {version: tuple(recipes) for version, recipes in sorted(found.items())}
            for package, found in seen.items()
            if len(found) > 1
        }

    def run_folder(self, recipe: str, split: str, seed: int) -> Path:
        """Where a run of the study is, or will be."""
        return self.folder / "runs" / slug(recipe) / slug(split) / f"seed-{seed}"

    def _finished(self, recipe: str | None = None, split: str | None = None) -> Iterator[tuple[str, str, int, Run]]:
        for name, where, seed in product(self.trained, self.splits, self.seeds):
            if recipe in (None, name) and split in (None, where) and (name, where, seed) in self._opened:
                yield name, where, seed, self._opened[name, where, seed]

    @cached_property
    def _opened(self) -> dict[tuple[str, str, int], Run]:
        keys = product(self.trained, self.splits, self.seeds)
        folders = {key: self.run_folder(*key) for key in keys if key[:2] not in self.open}
        return {key: Run(folder) for key, folder in folders.items() if (folder / "metrics.json").is_file()}

    def _runs(self, recipe: str, split: str) -> dict[int, list[Run]]:
        """By seed the finished run of a recipe, or those of all members, where they can be fused."""
        members, found = self.members(recipe), {}
        for seed in self.seeds if self.alike(recipe, split) else ():
            keys = [(name, split, seed) for name in members]
            if all(key in self._opened for key in keys):
                found[seed] = [self._opened[key] for key in keys]
        return found

    def _judged_by_seed(self, recipe: str, split: str, part: str) -> dict[int, Judged]:
        key = (recipe, split, part)
        if key not in self._judged:
            self._judged[key] = {seed: judge(runs, part) for seed, runs in self._runs(recipe, split).items()}
        return self._judged[key]

    def _fused(self, recipe: str, split: str, runs: Sequence[Run]) -> dict[str, float]:
        figures = fused_figures(runs)
        if all(run.unseen for run in runs) and self.alike(recipe, split, "unseen"):
            for corpus, found in fused_unseen(runs).items():
                figures |= {f"unseen.{corpus}.{key}": value for key, value in found.items()}
        return figures

    def _figures(self, run: Run) -> dict[str, float]:
        figures = self._test_figures(run)
        for part in PARTS:
            for name, found in getattr(run, part).items():
                figures |= {f"{part}.{name}.{key}": value for key, value in found.items()}
        return figures

    def _test_figures(self, run: Run) -> dict[str, float]:
        figures = run.scores("test") | run.scores("learned")
        if "uar" not in figures:
            raise InputError(
                f"metrics.json of run {run.path} has no UAR of test items; remove that run's folder and go on with the "
                "study, which trains it again"
            )
        return figures

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.is_file():
            return {}
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._damaged(name, error) from error
        if not isinstance(value, dict):
            raise self._damaged(name, f"it holds a {type(value).__name__} where a table is expected")
        if fault := fault_in(RECORDS[name], value):
            raise self._damaged(name, fault)
        return value

    def _damaged(self, name: str, why: object) -> InputError:
        reason = (str(why).strip() or type(why).__name__).splitlines()[0]
        return InputError(f"{name} of study {self.folder} is damaged ({reason}); restore it, or begin the study anew")


def _names(entries: Sequence[dict[str, Any]], what: str) -> tuple[str, ...]:
    names = tuple(str(entry["name"]) for entry in entries)
    if not names:
        raise ValueError(f"{what} are missing")
    if len({slug(name) for name in names}) < len(names):
        raise ValueError(f"two {what} have one name, or names that make one folder: {', '.join(names)}")
    return names


def _state(folder: Path) -> str:
    """How far a run is that has no final figures."""
    folds = sorted(folder.glob("fold-[0-9]*"))
    if any(folder.rglob("diverged/batch.json")):
        return "diverged"
    if folds:
        done = sum((fold / "metrics.json").is_file() for fold in folds)
        return f"{done} fold{'s' if done != 1 else ''} done"
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return "not begun"
    epochs = path.read_bytes().count(b"\n")
    return f"{epochs} epoch{'s' if epochs != 1 else ''} done"
