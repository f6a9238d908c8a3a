"""A run folder, read: what training left behind, finished or not, one fold or several."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.tables import read_table
from affectspace.training.records import fault_in

__all__ = ["Evaluated", "Run", "Snapshots", "holds_run"]

PREDICTION_COLUMNS = ("item", "split", "speaker", "target", "probabilities", "embedding")
SNAPSHOT_COLUMNS = ("item", "target", "embedding")
NO_SCORES: dict[str, float] = {}


@dataclass(frozen=True)
class Evaluated:
    """The items of one split and what the selected model said of each, as arrays.

    Args:
        items: ``(n,)`` corpus/id.
        speakers: ``(n,)``.
        targets: ``(n, classes)`` probabilities of the raters.
        probabilities: ``(n, classes)`` of the model.
        embeddings: ``(n, dimensions)``.
        folds: ``(n,)`` which fold answered; all 0 for a run of one fold. Embeddings of different
            folds lie in different spaces, so their distances mean nothing.
    """

    items: np.ndarray
    speakers: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray
    folds: np.ndarray

    def __len__(self) -> int:
        return len(self.items)


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
        if not self.path.is_dir():
            raise InputError(f"there is no run folder {path}; affectspace train makes one")
        below = sorted(p for p in self.path.iterdir() if re.fullmatch(r"fold-\d+", p.name) and holds_run(p))
        self.folds: tuple[Run, ...] = tuple(Run(p) for p in below)
        if not self.folds and not holds_run(self.path):
            if (self.path / "study.toml").is_file():
                raise InputError(f"{path} is a study; its page is {self.path / 'report.html'}, its runs lie in runs/")
            raise InputError(f"{path} is not a run folder (it has no recipe.toml); give the folder that training wrote")

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
            raise self._damaged("recipe.toml", error) from error

    @cached_property
    def environment(self) -> str:
        """Versions of everything, as recorded when the run began; empty where there is no record."""
        return self._first_text("environment.txt", needed=False)

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the run was given: corpora, counts, what was left out and why. Empty where there is no record."""
        path = self.data_file
        return Run(path.parent)._json("data.json") if path else {}

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
        return self._table(path, ("key", "part")) if path.is_file() else pd.DataFrame(columns=["key", "part"])

    # ---- what happened

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """Figures after each epoch: index ``epoch``; columns ``loss``, ``terms.*``, ``validate.*``, ``test.*``.

        There for unfinished runs too. A run of several folds gives the mean of its folds.
        """
        if self.folds:
            return pd.concat([fold.epochs for fold in self.folds]).groupby(level="epoch").mean()
        path = self.path / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        rows: dict[int, dict[str, float]] = {}
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                # A run that went on from an earlier checkpoint tells an epoch twice; the later one is true.
                rows[int(row["epoch"])] = _flat({key: value for key, value in row.items() if key != "epoch"})
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if number == len(lines) and not self.finished:
                    break  # killed while writing its last line
                raise self._damaged(f"metrics.jsonl (line {number})", error) from error
        table = pd.DataFrame.from_dict(rows, orient="index").sort_index()
        table.index = pd.Index(table.index.astype(int), name="epoch")
        return table

    @cached_property
    def timing(self) -> dict[str, Any]:
        """``seconds`` of the whole run, summed over folds; empty where there is no record."""
        if self.folds:
            known = [fold.timing["seconds"] for fold in self.folds if "seconds" in fold.timing]
            return {"seconds": float(sum(known))} if len(known) == len(self.folds) else {}
        return self._json("timing.json") if (self.path / "timing.json").is_file() else {}

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
        return self._json("metrics.json")

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
        return {key: _number(value) for key, value in (self.metrics.get(split) or NO_SCORES).items()}

    @property
    def unseen(self) -> dict[str, dict[str, float]]:
        """Final figures of each corpus of which training saw nothing, as :meth:`scores`; empty where there is none."""
        return {
            corpus: {key: _number(value) for key, value in figures.items()}
            for corpus, figures in (self.metrics.get("unseen") or {}).items()
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
        return self._table(self.path / "predictions.parquet", PREDICTION_COLUMNS)

    def evaluated(self, split: str = "test") -> Evaluated | None:
        """The items of a split as arrays; None where it has none."""
        table = self.predictions[self.predictions["split"] == split]
        if not len(table):
            return None
        classes = len(self.classes)
        return Evaluated(
            items=table["item"].astype(str).to_numpy(object),
            speakers=table["speaker"].astype("string").fillna("").to_numpy(object),
            targets=self._matrix(table["target"], "predictions.parquet", classes),
            probabilities=self._matrix(table["probabilities"], "predictions.parquet", classes),
            embeddings=self._matrix(table["embedding"], "predictions.parquet"),
            folds=table["fold"].to_numpy() if "fold" in table else np.zeros(len(table), dtype=int),
        )

    @cached_property
    def snapshots(self) -> "Snapshots":
        """Embeddings of test items during training: epoch -> DataFrame of item, target, embedding.

        Empty for a run of several folds, whose embeddings lie in different spaces: ask its folds.
        """
        return Snapshots({} if self.folds else _snapshot_files(self.path), self)

    # ---- reading

    def _first_text(self, name: str, needed: bool = True) -> str:
        for part in (self, *self.folds[:1]):
            if (part.path / name).is_file():
                return part._text(name)
        if needed:
            raise InputError(f"run {self.path} has no {name}; its folder is not complete")
        return ""

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._damaged(name, error) from error

    def _json(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(self._text(name))
        except ValueError as error:
            raise self._damaged(name, error) from error
        if not isinstance(value, dict):
            raise self._damaged(name, f"it holds a {type(value).__name__} where a table is expected")
        if fault := fault_in(name, value):
            raise self._damaged(name, fault)
        return value

    def _table(self, path: Path, columns: Sequence[str]) -> pd.DataFrame:
        name = path.relative_to(self.path) if path.is_relative_to(self.path) else path
        if not path.is_file():
            raise InputError(f"run {self.path} has no {name}; its folder is not complete")
        try:
            table = read_table(path)
        except InputError as error:
            raise self._damaged(str(name), error) from error
        if missing := [column for column in columns if column not in table]:
            raise self._damaged(str(name), f"column {missing[0]!r} is missing")
        return table

    def _matrix(self, column: pd.Series, name: str, width: int | None = None) -> np.ndarray:
        try:
            matrix = np.stack([np.asarray(row, dtype=np.float64) for row in column])
        except (ValueError, TypeError) as error:
            raise self._damaged(name, f"rows of {column.name!r} differ in length") from error
        if width is not None and matrix.shape[1:] != (width,):
            raise self._damaged(name, f"{column.name!r} has {matrix.shape[1]} entries a row for {width} classes")
        return matrix

    def _damaged(self, name: str, why: object) -> InputError:
        reason = str(why).strip().splitlines()[0] if str(why).strip() else type(why).__name__
        return InputError(
            f"{name} of run {self.path} is damaged ({reason}); restore the folder from a copy, or train again"
        )


class Snapshots(Mapping[int, pd.DataFrame]):
    """Epoch -> table, each read when it is asked for: a long run may hold more than fits in memory.

    Args:
        files: epoch -> Parquet file.
        run: the run that they belong to.
    """

    def __init__(self, files: dict[int, Path], run: Run):
        self._files = files
        self._run = run
        self._read: dict[int, pd.DataFrame] = {}

    def __getitem__(self, epoch: int) -> pd.DataFrame:
        if epoch not in self._read:
            self._read[epoch] = self._run._table(self._files[epoch], SNAPSHOT_COLUMNS)
        return self._read[epoch]

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def embeddings(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Items ``(n,)``, targets ``(n, classes)`` and embeddings ``(n, dimensions)`` at an epoch."""
        table, name = self[epoch], str(self._files[epoch].relative_to(self._run.path))
        targets = self._run._matrix(table["target"], name)
        return table["item"].astype(str).to_numpy(object), targets, self._run._matrix(table["embedding"], name)


def holds_run(path: Path) -> bool:
    """Whether a folder is that of a run, or of one fold."""
    return (path / "recipe.toml").is_file()


def _snapshot_files(path: Path) -> dict[int, Path]:
    files = {int(m[1]): p for p in path.glob("snapshots/*.parquet") if (m := re.fullmatch(r"epoch-(\d+)", p.stem))}
    return dict(sorted(files.items()))


def _flat(row: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested figures under dotted names."""
    flat: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = _number(value)
    return flat


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
