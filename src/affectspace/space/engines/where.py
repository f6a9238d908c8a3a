"""Conditions on columns of Arrow: the rows that :mod:`affectspace.space.conditions` finds, and no copy as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from affectspace.errors import InputError
from affectspace.space.conditions import as_number, parsed, refuse_column, refuse_value
from affectspace.space.space_columns import TEXTS

__all__ = ["columns_named", "legal_columns", "matching_parts", "refuse_lists"]

pc: Any = pyarrow.compute  # its functions are made at import, where type checkers do not see them
NEAR = 1e-5  # two numbers that are written alike with six digits lie nearer than this share


def legal_columns(kinds: Mapping[str, str]) -> list[str]:
    """The columns that a condition may name: those of the index, and those that every space has."""
    return list(dict.fromkeys(["id", *kinds, *TEXTS]))


def columns_named(conditions: Sequence[str], kinds: Mapping[str, str]) -> list[tuple[str, bool, list[str]]]:
    """Conditions as :func:`affectspace.space.conditions.parsed` takes them apart, their columns checked.

    Raises:
        InputError: no condition, or a column that there is not or that holds lists.
    """
    found = [parsed(condition) for condition in conditions]
    for name, _, _ in found:
        refuse_column(legal_columns(kinds), name)
        refuse_lists(name, kinds)
    return found


def refuse_lists(name: str, kinds: Mapping[str, str]) -> None:
    """Refuse a condition on a column of lists."""
    if kinds.get(name) == "numbers":
        raise InputError(f"the column {name!r} holds lists of numbers; a condition asks for single values")


def matching_parts(
    parts: Sequence[pa.Table],
    live: Sequence[np.ndarray | None],
    kinds: Mapping[str, str],
    conditions: Sequence[str],
) -> list[np.ndarray]:
    """Which rows of each part every condition holds for.

    Args:
        parts: tables of the same columns.
        live: of each part the rows that count, bool; None for all.
        kinds: of the columns.
        conditions: as of :func:`affectspace.space.conditions.matching`.

    Returns:
        bool ``(rows,)`` for each part; nobody that does not count.

    Raises:
        InputError: as there.

    Example:
        >>> table = pa.table({"split": ["train", "test", None], "take": [1, 2, 2]})
        >>> matching_parts([table], [None], {"split": "text", "take": "integer"}, ["take=2", "split!="])[0].tolist()
        [False, True, False]
    """
    held = [np.ones(len(part), bool) if alive is None else alive.copy() for part, alive in zip(parts, live)]
    for name, differ, values in columns_named(conditions, kinds):
        columns = [part.column(name) if name in part.column_names else None for part in parts]
        among = [np.zeros(len(part), bool) for part in parts]
        for value in values:
            occurs = value == ""
            for column, found, alive in zip(columns, among, live):
                equal = _equal(column, len(found), value)
                occurs = occurs or bool((equal if alive is None else equal & alive).any())
                found |= equal
            if not occurs:
                refuse_value(name, value, _legal(columns, live))
        for rows, found in zip(held, among):
            rows &= found ^ differ
    return held


def _equal(column: pa.ChunkedArray | None, rows: int, value: str) -> np.ndarray:
    """Which cells are a value, bool ``(rows,)``; the empty value is a missing cell."""
    if column is None:
        return np.full(rows, value == "")
    kind = column.type
    if value == "":
        missing = pc.is_null(column, nan_is_null=True)
        return _mask(
            pc.or_(missing, pc.fill_null(pc.equal(column, ""), False)) if pa.types.is_string(kind) else missing
        )
    if pa.types.is_string(kind):
        return _mask(pc.equal(column, value))
    if pa.types.is_boolean(kind):
        return _mask(pc.equal(column, value == "True")) if value in ("True", "False") else np.zeros(rows, bool)
    try:
        wanted = float(value)
    except ValueError:
        return np.zeros(rows, bool)
    cells = column.to_numpy().astype(np.float64, copy=False)
    near = (cells == wanted) | (np.abs(cells - wanted) <= NEAR * abs(wanted))
    alike = [cell for cell in np.unique(cells[near]) if f"{cell:g}" == as_number(value)]
    return near & np.isin(cells, alike)


def _mask(cells: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(cells, False).to_numpy()


def _legal(columns: Sequence[pa.ChunkedArray | None], live: Sequence[np.ndarray | None]) -> list[str]:
    """What there is in a column, as text."""
    there: set[str] = set()
    for column, alive in zip(columns, live):
        if column is not None:
            kept = column if alive is None else column.filter(pa.array(alive))
            cells = [cell for cell in pc.unique(kept).to_pylist() if cell is not None and cell == cell]
            numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
            there |= {as_number(str(cell)) if numbers else str(cell) for cell in cells}
    return sorted(there - {""})
