"""Ratings counted and averaged item by item, and the targets that come of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from affectspace.errors import InputError

__all__ = ["Targets", "mean_ratings", "select_ratings", "vote_shares"]


@dataclass(frozen=True)
class Targets:
    """What training sees of each item.

    Args:
        values: float64, shape ``(items, classes)``; a row sums to one, or is all NaN where the item
            has no target.
        reasons: one string an item, by position: why it has no target; missing where it has one.
        source: ``"ratings"`` when raters' judgements were used, ``"label"`` for the item's own label.
        skipped: how many judgements were skipped since their value is missing.
    """

    values: np.ndarray
    reasons: pd.Series
    source: Literal["ratings", "label"]
    skipped: int = 0

    @property
    def usable(self) -> np.ndarray:
        """Which items have a target: bool, shape ``(items,)``."""
        return ~np.isnan(self.values[:, 0])

    @property
    def left_out(self) -> dict[str, int]:
        """How many items have no target, by reason, the most frequent first."""
        return {str(reason): int(count) for reason, count in self.reasons.value_counts().items()}


def select_ratings(items: pd.DataFrame, ratings: pd.DataFrame, dimension: str) -> tuple[pd.DataFrame, np.ndarray, int]:
    """The judgements of one dimension on these items.

    Judgements on other items are ignored, and those without a value are skipped and counted.

    Returns:
        the judgements, the row of ``items`` that each belongs to (int64), and how many were skipped.

    Raises:
        InputError: two items have one id, so that a judgement could belong to either.
    """
    chosen = ratings[(ratings["dimension"] == dimension).fillna(False).to_numpy(bool)]
    ids = pd.Index(items["id"].astype("string"))
    if len(chosen) and not ids.is_unique:
        twice = ids[ids.duplicated()][0]
        raise InputError(
            f"item id {twice!r} occurs more than once, so its ratings are ambiguous; "
            "ids are unique within a corpus, and targets are made one corpus at a time"
        )
    rows = ids.get_indexer(pd.Index(chosen["item"].astype("string"))) if len(chosen) else np.empty(0, np.int64)
    missing = chosen["value"].isna().to_numpy(bool) & (rows >= 0)
    kept = (rows >= 0) & ~missing
    return chosen[kept], rows[kept].astype(np.int64), int(missing.sum())


def mean_ratings(
    items: pd.DataFrame, ratings: pd.DataFrame, dimension: str, low: float = -np.inf, high: float = np.inf
) -> tuple[np.ndarray, int]:
    """The mean over raters of a numeric dimension.

    Returns:
        float64, shape ``(items,)``, NaN for an item that nobody rated; and how many judgements were
        skipped since their value is missing.

    Raises:
        InputError: a value that is no number, or outside ``low..high``; it names the item and rater.

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b"]})
        >>> ratings = pd.DataFrame({"item": ["a", "a"], "rater": ["x", "y"],
        ...                         "dimension": "valence", "value": ["1", "4"]})
        >>> mean_ratings(items, ratings, "valence", 1, 5)
        (array([2.5, nan]), 0)
    """
    chosen, rows, skipped = select_ratings(items, ratings, dimension)
    values = pd.to_numeric(chosen["value"], errors="coerce").to_numpy(float, na_value=np.nan)
    # the word NaN, in any case, is a missing value that a table wrote out
    written = np.isnan(values)
    if written.any():
        written &= (chosen["value"].astype("string").str.strip().str.lower() == "nan").to_numpy(bool)
        chosen, rows, values, skipped = chosen[~written], rows[~written], values[~written], skipped + int(written.sum())
    illegal = np.flatnonzero(~((values >= low) & (values <= high) & np.isfinite(values)))
    if len(illegal):
        bad = chosen.iloc[illegal[0]]
        others = f" (and {len(illegal) - 1} more)" if len(illegal) > 1 else ""
        rater = "an unnamed rater" if pd.isna(bad["rater"]) else f"rater {bad['rater']!r}"
        bounds = (
            f"the scale runs from {low:g} to {high:g}"
            if np.isfinite([low, high]).all()
            else "a rating is a finite number"
        )
        raise InputError(
            f"item {bad['item']!r}: {rater} gave {dimension!r} the value {bad['value']!r}{others}; {bounds}; "
            "correct the rating, remove it, or state the scale's true ends"
        )
    count = np.bincount(rows, minlength=len(items))
    total = np.bincount(rows, weights=values, minlength=len(items))
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
