"""Ordered classes, and the numbers that are yet to be cut into them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.labels.classes import Classes
from affectspace.labels.dimensions import OWN_LABEL, dimensions, scale_means
from affectspace.labels.naming import check_names
from affectspace.labels.targets import Targets, reasons
from affectspace.labels.votes import column_numbers, number_columns

__all__ = ["Levels", "Uncut"]


@dataclass(frozen=True)
class Levels:
    """Ordered classes, the lowest first.

    Without thresholds the levels are named labels, read as :class:`Classes` reads them (votes as
    shares, else the own label). With thresholds a numeric dimension is cut: the mean rating ``r``
    belongs to level ``k`` when ``thresholds[k-1] <= r < thresholds[k]``, one-hot. The dimension
    ``"label"`` cuts the item's own label, read as a number; where nobody rates a dimension, it is the
    column of the items that bears its name, such as an age.

    Args:
        names: the levels; may be left out with thresholds, by which they then are named, in as many digits as tell
            them apart.
        thresholds: strictly increasing, one fewer than the levels.

    Raises:
        InputError: fewer than two levels, thresholds that do not increase or do not fit the names.

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b"], "label": ["19", "40"]})
        >>> Levels(("young", "old"), thresholds=(40,)).targets(items, None, "label").values
        array([[1., 0.],
               [0., 1.]])
        >>> Levels(thresholds=(2.5, 3.5)).names
        ('below 2.5', '2.5 to 3.5', '3.5 and above')
    """

    names: tuple[str, ...] = ()
    thresholds: tuple[float, ...] | None = None

    def __post_init__(self):
        cuts = None if self.thresholds is None else tuple(float(cut) for cut in self.thresholds)
        object.__setattr__(self, "thresholds", cuts)
        if cuts is not None:
            if not cuts or not np.isfinite(cuts).all() or any(b <= a for a, b in pairwise(cuts)):
                raise InputError(
                    f"thresholds are {list(cuts)}; give finite numbers that increase strictly, at least one"
                )
            if not self.names:
                told = _in_digits(cuts)
                between = [f"{a} to {b}" for a, b in pairwise(told)]
                object.__setattr__(self, "names", (f"below {told[0]}", *between, f"{told[-1]} and above"))
            if len(self.names) != len(cuts) + 1:
                raise InputError(
                    f"{len(cuts)} thresholds cut a scale into {len(cuts) + 1} levels, but {len(self.names)} are named: "
                    f"{', '.join(self.names)}"
                )
        object.__setattr__(self, "names", check_names(self.names))

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = OWN_LABEL,
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """Targets of the items of one corpus, in their order.

        Raises:
            InputError: as :meth:`Classes.targets`; with thresholds as :meth:`Uncut.targets`.
        """
        if self.thresholds is None:
            return Classes(self.names).targets(items, ratings, dimension, label_map)
        whole = Uncut().targets(items, ratings, dimension)
        assert whole.numbers is not None
        level = np.searchsorted(self.thresholds, whole.numbers, side="right")
        values = np.full((len(items), len(self.names)), np.nan)
        values[whole.usable] = np.eye(len(self.names))[level[whole.usable]]
        return replace(whole, values=values)


@dataclass(frozen=True)
class Uncut:
    """A numeric label or rating that is not cut into levels yet: a single level, which holds every value.

    Thresholds that are learned come of training items alone, and which items train is known only once it is known
    which have a target.

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b"], "label": ["1.5", "40"]})
        >>> found = Uncut().targets(items)
        >>> found.values.tolist(), found.numbers.tolist()
        ([[1.0], [1.0]], [1.5, 40.0])
    """

    names: tuple[str, ...] = ("any value",)

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = OWN_LABEL,
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """Targets of the items of one corpus, in their order; ``label_map`` plays no part in a scale.

        Raises:
            InputError: a value that is no number, or neither ratings nor a column of items of the name ``dimension``.
        """
        column, skipped = dimension or OWN_LABEL, 0
        own = column == OWN_LABEL or (column in items and column not in dimensions(ratings))
        if own:
            numbers = column_numbers(items, column)
        else:
            numbers, skipped = scale_means(items, ratings, column, columns=number_columns(items))
        known = ~np.isnan(numbers)
        why = reasons(f"no {column}" if own else f"no rating of {column!r}", known)
        values = np.where(known, 1.0, np.nan)[:, None]
        return Targets(values, why, "label" if own else "ratings", skipped, numbers)


def _in_digits(cuts: Sequence[float]) -> list[str]:
    """Numbers in six digits, or in as many more as it takes to tell them apart."""
    for digits in range(6, 17):
        if len(set(told := [f"{cut:.{digits}g}" for cut in cuts])) == len(cuts):
            return told
    return [repr(cut) for cut in cuts]
