"""What label spaces make of items, and why some have no target."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

__all__ = ["Targets", "reasons"]


@dataclass(frozen=True)
class Targets:
    """What training sees of each item.

    Args:
        values: float64, shape ``(items, classes)``; a row sums to one, or is all NaN where the item
            has no target.
        reasons: one string an item, by position: why it has no target; missing where it has one.
        source: ``"ratings"`` when raters' judgements were used, ``"label"`` for the item's own label.
        skipped: how many judgements were skipped since their value is missing.
        numbers: ``(items,)`` the number of which each row was made, NaN where there is none; None of categories.
    """

    values: np.ndarray
    reasons: pd.Series
    source: Literal["ratings", "label"]
    skipped: int = 0
    numbers: np.ndarray | None = None

    @property
    def usable(self) -> np.ndarray:
        """Which items have a target: bool, shape ``(items,)``."""
        return ~np.isnan(self.values[:, 0])

    @property
    def left_out(self) -> dict[str, int]:
        """How many items have no target, by reason, the most frequent first."""
        return {str(reason): int(count) for reason, count in self.reasons.value_counts().items()}


def reasons(why: np.ndarray | str, has_target: np.ndarray) -> pd.Series:
    """Why each item has no target, missing where it has one, as :class:`Targets` keeps it.

    Example:
        >>> reasons("no label", np.array([True, False])).tolist()
        [<NA>, 'no label']
    """
    return pd.Series(why, index=range(len(has_target)), dtype="string").mask(has_target)
