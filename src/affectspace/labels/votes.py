"""Ratings counted and averaged item by item."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.tables import empty_cells

__all__ = [
    "Judgements",
    "column_numbers",
    "judgements",
    "mean_ratings",
    "number_columns",
    "numbers",
    "rows_of",
    "texts",
    "vote_shares",
]

PLACES = ["id", "start", "end"]  # numbers that are no label


@dataclass(frozen=True)
class Judgements:
    """The judgements of one dimension that have a value: parallel arrays of strings.

    Args:
        items: ids.
        raters: names; None where unknown.
        values: as they were written.
        missing: the items (with repetition) of the judgements that were skipped for want of a value.
    """

    items: np.ndarray
    raters: np.ndarray
    values: np.ndarray
    missing: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def where(self, mask: np.ndarray) -> "Judgements":
        """Those for which ``mask`` holds."""
        return Judgements(self.items[mask], self.raters[mask], self.values[mask], self.missing)


def judgements(ratings: pd.DataFrame, dimension: str) -> Judgements:
    """The judgements of ``dimension``; missing values, and the word NaN that tables write for them, are set aside."""
    chosen = texts(ratings, "dimension") == dimension
    items, raters, values = (texts(ratings, column)[chosen] for column in ("item", "rater", "value"))
    missing = np.array([value is None or value.strip().lower() == "nan" for value in values], bool)
    return Judgements(items[~missing], raters[~missing], values[~missing], items[missing])


def rows_of(items: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """The row of ``items`` that each id names; -1 where none is.

    Raises:
        InputError: two items have one id, so that a judgement could belong to either.
    """
    ids = pd.Index(texts(items, "id"))
    if len(names) and not ids.is_unique:
        raise InputError(
            f"item id {ids[ids.duplicated()][0]!r} occurs more than once, so its ratings are ambiguous; "
            "ids are unique within a corpus, and targets are made one corpus at a time"
        )
    return ids.get_indexer(pd.Index(names)) if len(names) else np.empty(0, np.int64)


def numbers(judged: Judgements, dimension: str, low: float = -np.inf, high: float = np.inf) -> np.ndarray:
    """The values as float64.

    Raises:
        InputError: a value that is no finite number, or outside ``low..high``; it names the item, the
            rater, the value and the scale.
    """
    values = np.asarray(pd.to_numeric(judged.values, errors="coerce"), float)
    illegal = np.flatnonzero(~((values >= low) & (values <= high) & np.isfinite(values)))
    if len(illegal):
        first = illegal[0]
        others = f" (and {len(illegal) - 1:,} more ratings are illegal)" if len(illegal) > 1 else ""
        rater = "an unnamed rater" if judged.raters[first] is None else f"rater {judged.raters[first]!r}"
        known = np.isfinite([low, high]).all()
        raise InputError(
            f"item {judged.items[first]!r}: {rater} gave {dimension!r} the value {judged.values[first]!r}{others}; "
            + (f"the scale runs from {low:g} to {high:g}; " if known else "a rating here is a finite number; ")
            + "correct or remove the rating, or state the true scale"
        )
    return values


def number_columns(items: pd.DataFrame) -> list[str]:
    """Columns of the items that :func:`column_numbers` may read: more of their cells are numbers than not.

    Example:
        >>> number_columns(pd.DataFrame({"id": ["1", "2"], "age": ["31", None], "name": ["x", "7"], "note": None}))
        ['age']
    """
    found = []
    for name in items.columns.difference(PLACES, sort=False):
        cells = items[name].dropna()
        if len(cells) and pd.to_numeric(cells.astype("string"), errors="coerce").notna().mean() > 0.5:
            found.append(str(name))
    return found


def column_numbers(items: pd.DataFrame, column: str) -> np.ndarray:
    """A column of the items as float64 ``(items,)``, NaN where :func:`~affectspace.tables.empty_cells` has none.

    Raises:
        InputError: a cell that is no finite number; it names the item and the cell.

    Example:
        >>> column_numbers(pd.DataFrame({"id": ["a", "b", "c"], "age": ["31.5", None, "NaN"]}), "age")
        array([31.5,  nan,  nan])
    """
    cells, known = texts(items, column), ~empty_cells(items[column]).to_numpy()
    values = np.full(len(cells), np.nan)
    values[known] = np.asarray(pd.to_numeric(cells[known], errors="coerce"), float)
    illegal = np.flatnonzero(known & ~np.isfinite(values))
    if len(illegal):
        first = illegal[0]
        others = f" (and {len(illegal) - 1:,} more cells are illegal)" if len(illegal) > 1 else ""
        raise InputError(
            f"item {items['id'].iloc[first]!r}: {column} has the value {cells[first]!r}{others}; levels are cut "
            f"of finite numbers, so correct it, leave the cell empty, or declare [scales.{column}] with low and high "
            "in corpus.toml, which sets such items aside"
        )
    return values


def mean_ratings(
    items: pd.DataFrame, ratings: pd.DataFrame, dimension: str, low: float = -np.inf, high: float = np.inf
) -> tuple[np.ndarray, int]:
    """The mean over raters of a numeric dimension; judgements on other items are ignored.

    Returns:
        float64, shape ``(items,)``, NaN for an item that nobody rated; and how many judgements were
        skipped since their value is missing.

    Raises:
        InputError: as :func:`numbers` and :func:`rows_of`.

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b"]})
        >>> ratings = pd.DataFrame({"item": ["a", "a"], "rater": ["x", "y"],
        ...                         "dimension": "valence", "value": ["1", "4"]})
        >>> mean_ratings(items, ratings, "valence", 1, 5)
        (array([2.5, nan]), 0)
    """
    judged = judgements(ratings, dimension)
    rows = rows_of(items, judged.items)
    values = numbers(judged.where(rows >= 0), dimension, low, high)
    rows = rows[rows >= 0]
    count = np.bincount(rows, minlength=len(items))
    total = np.bincount(rows, weights=values, minlength=len(items))
    skipped = int((rows_of(items, judged.missing) >= 0).sum())
    return np.divide(total, count, out=np.full(len(items), np.nan), where=count > 0), skipped


def vote_shares(counts: np.ndarray, soft: bool = True) -> np.ndarray:
    """Vote counts as distributions, or as the majority.

    Args:
        counts: non-negative, shape ``(items, classes)``.
        soft: each class's share of the votes; else the majority takes all, and equal leaders share it.

    Returns:
        float64, same shape; NaN rows where there is no vote.

    Example:
        >>> vote_shares(np.array([[3, 1], [2, 2]]))
        array([[0.75, 0.25],
               [0.5 , 0.5 ]])
        >>> vote_shares(np.array([[3, 1], [2, 2]]), soft=False)
        array([[1. , 0. ],
               [0.5, 0.5]])
    """
    votes = np.asarray(counts, float)
    if not soft:
        votes = ((votes == votes.max(1, keepdims=True)) & (votes > 0)).astype(float)
    total = votes.sum(1, keepdims=True)
    return np.divide(votes, total, out=np.full_like(votes, np.nan), where=total > 0)


def texts(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column as an array of strings, None where a cell is missing."""
    values = table[column].astype("string")
    cells = values.to_numpy(dtype=object, copy=True)
    cells[values.isna().to_numpy()] = None
    return cells
