"""Figures after each epoch, read from ``metrics.jsonl``."""

import json
from typing import Any

import pandas as pd

from affectspace.training.run_files import RunFiles, number

__all__ = ["epoch_rows", "epoch_table"]


def epoch_table(files: RunFiles, finished: bool) -> pd.DataFrame:
    """One row an epoch, figures under dotted names; without rows where there is no file.

    A figure that an epoch does not have is NaN, as one that is not finite. For arguments and errors see
    :func:`epoch_rows`.
    """
    table = pd.DataFrame.from_dict(epoch_rows(files, finished), orient="index").sort_index()
    table.index = pd.Index(table.index.astype(int), name="epoch")
    return table


def epoch_rows(files: RunFiles, finished: bool) -> dict[int, dict[str, float]]:
    """The figures that each epoch has, by epoch and dotted name; NaN for those that are not finite.

    Args:
        files: of one run.
        finished: whether the run is; in one that is not, the last line may be cut off.

    Raises:
        InputError: a damaged line.
    """
    path = files.path / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows: dict[int, dict[str, float]] = {}
    for place, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            # A run that went on from an earlier checkpoint tells an epoch twice; the later one is true.
            rows[int(row["epoch"])] = _flat({key: value for key, value in row.items() if key != "epoch"})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if place == len(lines) and not finished:
                break  # killed while writing its last line
            raise files.damaged(f"metrics.jsonl (line {place})", error) from error
    return rows


def _flat(row: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested figures under dotted names."""
    flat: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = number(value)
    return flat
