"""The files of a run folder, each read with its faults told as those of the run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.tables import read_table
from affectspace.training.records import RECORDS, fault_in

__all__ = ["RunFiles", "number"]


@dataclass(frozen=True)
class RunFiles:
    """Reads files below a run folder.

    Args:
        path: the folder.
    """

    path: Path

    def text(self, name: str) -> str:
        """A file of text.

        Raises:
            InputError: it cannot be read, or is no text.
        """
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self.damaged(name, error) from error

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file that holds a table of the shape that its readers rely on.

        Raises:
            InputError: it cannot be read, or has another shape.
        """
        try:
            value = json.loads(self.text(name))
        except ValueError as error:
            raise self.damaged(name, error) from error
        if not isinstance(value, dict):
            raise self.damaged(name, f"it holds a {type(value).__name__} where a table is expected")
        if fault := fault_in(RECORDS[name], value):
            raise self.damaged(name, fault)
        return value

    def table(self, path: Path, columns: Sequence[str]) -> pd.DataFrame:
        """A Parquet file with these columns, and maybe others.

        Raises:
            InputError: there is none, it cannot be read, or it lacks a column.
        """
        name = path.relative_to(self.path) if path.is_relative_to(self.path) else path
        if not path.is_file():
            raise self.missing(str(name))
        try:
            table = read_table(path)
        except InputError as error:
            raise self.damaged(str(name), error) from error
        if missing := [column for column in columns if column not in table]:
            raise self.damaged(str(name), f"column {missing[0]!r} is missing")
        return table

    def matrix(self, column: pd.Series, name: str, width: int | None = None) -> np.ndarray:
        """``(rows, width)`` float64 of a column of lists from the file ``name``.

        Raises:
            InputError: lists of several lengths, or not of ``width`` where one is given.
        """
        try:
            matrix = np.stack([np.asarray(row, dtype=np.float64) for row in column])
        except (ValueError, TypeError) as error:
            raise self.damaged(name, f"rows of {column.name!r} differ in length") from error
        if width is not None and matrix.shape[1:] != (width,):
            raise self.damaged(name, f"{column.name!r} has {matrix.shape[1]} entries a row for {width} classes")
        return matrix

    def missing(self, name: str) -> InputError:
        """The error of a file that is not there."""
        return InputError(f"run {self.path} has no {name}; its folder is not complete")

    def damaged(self, name: str, why: object) -> InputError:
        """The error of a file that is there, but not what training wrote."""
        reason = str(why).strip().splitlines()[0] if str(why).strip() else type(why).__name__
        return InputError(
            f"{name} of run {self.path} is damaged ({reason}); restore the folder from a copy, or train again"
        )


def number(value: Any) -> float:
    """A figure as JSON keeps it: None stands for NaN.

    Example:
        >>> number(None), number(1)
        (nan, 1.0)
    """
    return float("nan") if value is None else float(value)
