"""A run folder, read: what training left behind, finished or not, one fold or several."""

import re
import shlex
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.training.epoch_table import epoch_table
from affectspace.training.evaluated import Evaluated
from affectspace.training.run_files import RunFiles, number
from affectspace.training.snapshots import Snapshots, snapshot_files

__all__ = ["Run", "holds_run"]

PREDICTION_COLUMNS = ("item", "split", "speaker", "target", "probabilities", "embedding")
SHOWN_COLUMNS = ("item", "shown", "target", "probabilities")
NO_SCORES: dict[str, float] = {}


class Run:
    """A light reader of a run folder; each file is read when it is asked for, and only once.

    A folder with ``fold-00``, ``fold-01``, ... is a run of several folds: :attr:`folds` holds them,
    :attr:`metrics` the pooled figures, and :attr:`predictions` those of all folds in one table.

    Args:
        path: the folder that ``affectspace train`` wrote.

    Raises:
        InputError: no such folder, or a folder that holds no run. Later, when a file is asked for:
            the run is not finished yet (the message holds the command that resumes it), or the file
            is missing or damaged.

    Example:
        >>> Run("nowhere")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: there is no run folder nowhere; affectspace train makes one
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._files = RunFiles(self.path)
        if not self.path.is_dir():
            raise InputError(f"there is no run folder {path}; affectspace train makes one")
        below = sorted(p for p in self.path.iterdir() if re.fullmatch(r"fold-\d+", p.name) and holds_run(p))
        self.folds: tuple[Run, ...] = tuple(Run(p) for p in below)
        if not self.folds and not holds_run(self.path):
            if (self.path / "study.toml").is_file():
                raise InputError(f"{path} is a study; its page is {self.path / 'report.html'}, its runs lie in runs/")
            raise InputError(f"{path} is not a run folder (it has no recipe.toml); give the folder that training wrote")

    @classmethod
    def elsewhere(cls, path: str | Path) -> "Run":
        """A run that another process has written, maybe on another machine: nothing is asked before a file is.

        Example:
            >>> Run.elsewhere("nowhere").finished
            False
        """
        run = cls.__new__(cls)
        run.path, run.folds = Path(path), ()
        run._files = RunFiles(run.path)
        return run

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def finished(self) -> bool:
        """Whether the final figures are there; they are the last thing that training writes."""
        return (self.path / "metrics.json").is_file()

    @property
    def parts(self) -> "tuple[Run, ...]":
        """The folds, or the run itself where it has none."""
        return self.folds or (self,)

    @property
    def name(self) -> str:
        """The recipe's name, or the folder's where the recipe gives none."""
        return str(self.recipe.get("name") or self.path.name)

    @property
    def resume_command(self) -> str:
        """What to type to finish the run."""
        return f"affectspace train --resume {shlex.quote(str(self.path))}"

    # ---- what was asked for

    @cached_property
    def recipe_text(self) -> str:
        """The resolved recipe as it stands in the folder; that of the first fold where the whole has none."""
        return self._first_text("recipe.toml")

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe."""
        try:
            return tomllib.loads(self.recipe_text)
        except tomllib.TOMLDecodeError as error:
            raise self._files.damaged("recipe.toml", error) from error

    @cached_property
    def environment(self) -> str:
        """Versions of everything, as recorded when the run began; empty where there is no record."""
        return self._first_text("environment.txt", needed=False)

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the run was given: corpora, counts, what was left out and why. Empty where there is no record."""
        path = self.data_file
        return RunFiles(path.parent).json("data.json") if path else {}

    @property
    def data_file(self) -> Path | None:
        """Where :attr:`data` stands: of several folds, which share their corpora, in the first."""
        files = (part.path / "data.json" for part in (self, *self.folds[:1]))
        return next((file for file in files if file.is_file()), None)

    @cached_property
    def split(self) -> pd.DataFrame:
        """One row an item: key, part (train, validate, test, unseen), corpus, speaker; empty where there is no record.

        Every item of a run of several folds is tested once, so there it has the rows of the first fold.
        """
        path = self.parts[0].path / "split.parquet"
        return self._files.table(path, ("key", "part")) if path.is_file() else pd.DataFrame(columns=["key", "part"])

    # ---- what happened

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """Figures after each epoch: index ``epoch``; columns ``loss``, ``terms.*``, ``validate.*``, ``test.*``.

        There for unfinished runs too. A run of several folds gives the mean of its folds.
        """
        if self.folds:
            return pd.concat([fold.epochs for fold in self.folds]).groupby(level="epoch").mean()
        return epoch_table(self._files, self.finished)

    @cached_property
    def timing(self) -> dict[str, Any]:
        """``seconds`` of the whole run, summed over folds; empty where there is no record."""
        if self.folds:
            known = [fold.timing["seconds"] for fold in self.folds if "seconds" in fold.timing]
            return {"seconds": float(sum(known))} if len(known) == len(self.folds) else {}
        return self._files.json("timing.json") if (self.path / "timing.json").is_file() else {}

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The final figures.

        Raises:
            InputError: the run is not finished, or ``metrics.json`` is damaged.
        """
        if not self.finished:
            done = (
                f"{len(self.epochs)} epochs done"
                if not self.folds
                else f"{sum(f.finished for f in self.folds)} folds done"
            )
            raise InputError(f"run {self.path} is not finished ({done}); finish it with: {self.resume_command}")
        return self._files.json("metrics.json")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of targets and probabilities."""
        return tuple(str(name) for name in self.metrics["classes"])

    @property
    def seed(self) -> int | None:
        """The seed of the run, None where it is not recorded."""
        return self.metrics.get("seed", self.recipe.get("seed"))

    @property
    def selection(self) -> str:
        """How the epoch was chosen: "validation", by the best validation UAR, or "last", by no figure at all."""
        return str(self.metrics.get("selection") or "validation")

    @property
    def selected_epochs(self) -> tuple[int, ...]:
        """The epoch that validation selected, one for each fold."""
        selected = self.metrics.get("selected_epoch")
        return tuple(selected) if isinstance(selected, list) else () if selected is None else (int(selected),)

    def scores(self, split: str = "test") -> dict[str, float]:
        """Final figures of ``"test"`` or ``"validate"``, or of what terms have ``"learned"``.

        Empty where there was no such split, or nothing to learn; NaN for none.
        """
        return {key: number(value) for key, value in (self.metrics.get(split) or NO_SCORES).items()}

    @property
    def by_modality(self) -> dict[str, dict[str, float]]:
        """Final figures of the test items by some modalities alone, named with a ``+`` between, as :meth:`scores`.

        ``items`` is how many have any of them. Empty for a single modality. Fewer modalities come first, and else they
        stand as in the recipe. Of several folds, see :attr:`pools_modalities`.
        """
        return self._in_order(self._figures("by_modality"))

    @property
    def pools_modalities(self) -> bool:
        """Whether :attr:`by_modality` is of all items' answers together, as :meth:`scores`.

        False for several folds of which one was trained before answers were kept: the means of the folds' figures.
        """
        return not self.folds or bool(self.metrics.get("by_modality_pooled"))

    @property
    def shown(self) -> pd.DataFrame | None:
        """Test items by some modalities alone, one row each time: item, shown, target, probabilities.

        It is what :attr:`by_modality` comes of. None of several folds, of a single modality, and of a run that was
        trained before these were kept.
        """
        path = self.path / "predictions_by_modality.parquet"
        return self._files.table(path, SHOWN_COLUMNS) if path.is_file() else None

    @property
    def matching(self) -> dict[str, dict[str, float]]:
        """How well latents of two modalities match, of the test ``items`` that have both, as :attr:`by_modality`.

        Of several folds the means of theirs, each of its own items, and how many ``folds`` have such items. Recall that
        chance reaches always, among no more than k items, tells nothing and is left out.
        """
        found = self._in_order(self._figures("matching"))
        for figures in found.values():
            for key in [key for key, value in figures.items() if key.startswith("chance_recall") and value >= 1]:
                figures.pop(key.removeprefix("chance_"), None)
                del figures[key]
        return found

    @property
    def probes(self) -> dict[str, dict[str, float]]:
        """How well speakers and languages are told ``before`` the net and ``after`` it, beside ``chance``.

        By name, as :func:`affectspace.training.probes.probe_figures`; of several folds the means of theirs. Empty where
        nothing of the kind was asked, and for a run that was trained before it could be.
        """
        return self._figures("probes")

    @property
    def probes_not_finite(self) -> dict[str, dict[str, int]]:
        """By part, how many ``items`` of those drawn for :attr:`probes` were left out as not finite; empty for none."""
        return self.metrics.get("probes_not_finite") or {}

    @property
    def unseen(self) -> dict[str, dict[str, float]]:
        """Final figures of each corpus of which training saw nothing, as :meth:`scores`; empty where there is none."""
        return self._figures("unseen")

    def _in_order(self, found: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        """By the number of modalities in a name, and then as the recipe has them."""
        place = {name: row for row, name in enumerate(self.recipe.get("modalities") or {})}

        def key(joined: str) -> tuple[int, list[int]]:
            names = joined.split("+")
            return len(names), [place.get(name, len(place)) for name in names]

        return {name: found[name] for name in sorted(found, key=key)}

    def _figures(self, part: str) -> dict[str, dict[str, float]]:
        return {
            name: {key: number(value) for key, value in figures.items()}
            for name, figures in (self.metrics.get(part) or {}).items()
        }

    @property
    def neighbours(self) -> tuple[int, dict[int, float]] | None:
        """How many training items vote on an item, as validation items chose, and macro F1 with each number tried.

        None where the space was not measured, nothing validates, or each fold has chosen for itself.
        """
        chosen = self.metrics.get("neighbours")
        return chosen and (int(chosen["k"]), {int(k): float(f1) for k, f1 in chosen["macro_f1"].items()})

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row an item: item, split, speaker, target, probabilities, embedding; ``fold`` too where there are any."""
        if self.folds:
            tables = [fold.predictions.assign(fold=number) for number, fold in enumerate(self.folds)]
            return pd.concat(tables, ignore_index=True)
        self.metrics  # noqa: B018  (an unfinished run says so, rather than that a file is missing)
        return self._files.table(self.path / "predictions.parquet", PREDICTION_COLUMNS)

    def evaluated(self, split: str = "test") -> Evaluated | None:
        """The items of a split as arrays; None where it has none."""
        table = self.predictions[self.predictions["split"] == split]
        if not len(table):
            return None
        classes = len(self.classes)
        return Evaluated(
            items=table["item"].astype(str).to_numpy(object),
            speakers=table["speaker"].astype("string").fillna("").to_numpy(object),
            targets=self._files.matrix(table["target"], "predictions.parquet", classes),
            probabilities=self._files.matrix(table["probabilities"], "predictions.parquet", classes),
            embeddings=self._files.matrix(table["embedding"], "predictions.parquet"),
            folds=table["fold"].to_numpy() if "fold" in table else np.zeros(len(table), dtype=int),
        )

    @cached_property
    def snapshots(self) -> Snapshots:
        """Embeddings of test items during training: epoch -> DataFrame of item, target, embedding.

        Empty for a run of several folds, whose embeddings lie in different spaces: ask its folds.
        """
        return Snapshots({} if self.folds else snapshot_files(self.path), self._files)

    def _first_text(self, name: str, needed: bool = True) -> str:
        for part in (self, *self.folds[:1]):
            if (part.path / name).is_file():
                return part._files.text(name)
        if needed:
            raise self._files.missing(name)
        return ""


def holds_run(path: Path) -> bool:
    """Whether a folder is that of a run, or of one fold."""
    return (path / "recipe.toml").is_file()
