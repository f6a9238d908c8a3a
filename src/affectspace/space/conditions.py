"""Conditions on the columns of a table, as people type them: ``split=test``, ``corpus=a|b``, ``label!=happy``."""

import difflib
import re
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import pandas as pd

from affectspace.errors import InputError

__all__ = ["as_number", "matching", "parsed", "refuse_column", "refuse_nobody", "refuse_value"]

SHOWN = 8


def matching(items: pd.DataFrame, conditions: Sequence[str]) -> np.ndarray:
    """Which rows every condition holds for.

    Args:
        items: a table.
        conditions: ``column=value``, ``column=one|other``, ``column!=value``; an empty value is a missing cell.

    Returns:
        bool ``(rows,)``.

    Raises:
        InputError: no condition at all, a column that there is not, or a value that does not occur in it.

    Example:
        >>> table = pd.DataFrame({"split": ["train", "test", None], "take": [1, 2, 2]})
        >>> matching(table, ["take=2", "split!="]).tolist()
        [False, True, False]
        >>> matching(table, ["split=tset"])
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: no item has split 'tset'; did you mean 'test'? ...
    """
    held = np.ones(len(items), dtype=bool)
    for condition in conditions:
        name, differ, values = parsed(condition)
        refuse_column([str(column) for column in items.columns], name)
        held &= _among(items[name], values) ^ differ
    return held


def parsed(condition: str) -> tuple[str, bool, list[str]]:
    """The column of a condition, whether its cells are to differ from the values, and the values.

    Raises:
        InputError: no condition at all.

    Example:
        >>> parsed("label!=happy|sad")
        ('label', True, ['happy', 'sad'])
    """
    parts = re.fullmatch(r"([^!=]+?)\s*(!?=)\s*(.*)", condition.strip(), re.DOTALL)
    if not parts:
        raise InputError(f"{condition!r} is no condition; write column=value, column=one|other or column!=value")
    name, sign, given = parts.groups()
    return name, sign == "!=", given.split("|")


def _among(column: pd.Series, values: Sequence[str]) -> np.ndarray:
    """Which cells are one of the values, as text or, in a column of numbers, as numbers."""
    cells = column.astype("string").fillna("")
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        cells, values = cells.map(as_number), [as_number(value) for value in values]
    there = set(cells.unique()) | {""}
    for value in values:
        if value not in there:
            refuse_value(str(column.name), value, sorted(there - {""}))
    return cells.isin(list(values)).to_numpy(bool)


def refuse_value(name: str, value: str, legal: Sequence[str]) -> NoReturn:
    """Say that a value does not occur in a column, and which does.

    Raises:
        InputError: always.
    """
    near = difflib.get_close_matches(value, legal, 1, 0.5)
    told = ", ".join(legal[:SHOWN]) + (f" and {len(legal) - SHOWN} more" if len(legal) > SHOWN else "")
    raise InputError(
        f"no item has {name} {value!r}; "
        + (f"did you mean {near[0]!r}? " if near else "")
        + (f"There are {told}" if legal else "it is unknown for all")
    )


def refuse_nobody(conditions: Sequence[str]) -> NoReturn:
    """Say that nobody meets all conditions, though each could be met.

    Raises:
        InputError: always.
    """
    if len(conditions) > 1:
        raise InputError(f"no item has {' and '.join(conditions)}; each occurs, but not together")
    name, differ, values = parsed(conditions[0])
    if values == [""]:
        raise InputError(f"no item has {conditions[0]}: {name} is {'missing' if differ else 'known'} for all")
    raise InputError(f"no item has {conditions[0]}")


def refuse_column(legal: Sequence[str], name: str) -> None:
    """Refuse a column that there is not.

    Raises:
        InputError: it names the nearest.
    """
    if name not in legal:
        near = difflib.get_close_matches(name, legal, 1, 0.5)
        raise InputError(
            f"the items have no column {name!r}; "
            + (f"did you mean {near[0]!r}? " if near else "")
            + f"There are {', '.join(legal)}"
        )


def as_number(text: str) -> str:
    """A number in the form in which numbers are compared; any other text as it is."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text
