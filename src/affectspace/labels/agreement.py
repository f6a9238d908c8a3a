"""How far raters agree."""

from dataclasses import dataclass
from typing import Literal, Protocol

import krippendorff
import numpy as np
import pandas as pd

from affectspace.errors import InputError

__all__ = ["Agreement", "agreement"]

MEAN = "mean"  # the rater of a published mean, who is no rater to agree with
DENSE = 20_000_000  # entries of the items x values x values table that the library builds


class Ends(Protocol):
    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha of one dimension, and what it rests on.

    Args:
        alpha: 1 is perfect agreement, 0 what chance gives, below 0 systematic disagreement; None
            where it is not defined.
        level: ``"nominal"`` (a disagreement is a disagreement) for categories, ``"interval"``
            (squared differences) for numbers.
        raters: how many raters are named; None when some judgements name none.
        items: how many items have two judgements or more; only they can agree.
        ratings_per_item: mean number of judgements over the items that were judged at all.
        reason: why there is no alpha; empty where there is one.
    """

    alpha: float | None
    level: Literal["nominal", "interval"]
    raters: int | None
    items: int
    ratings_per_item: float
    reason: str = ""


def agreement(ratings: pd.DataFrame, dimension: str, scale: Ends | None = None) -> Agreement:
    """Krippendorff's alpha over the judgements of one dimension.

    Alpha needs to know how often an item was given each value, not by whom, so raters without a name
    count like any other. Judgements without a value, and a published mean (rater ``"mean"``), are
    left out. There is no alpha when no item has two judgements, or all judgements are equal.

    Args:
        ratings: with the columns ``item``, ``rater``, ``dimension``, ``value``, of one corpus.
        dimension: which of them.
        scale: the ends of a numeric scale (anything with ``low`` and ``high``); None for categories.

    Raises:
        InputError: a value of a numeric scale that is no number or lies outside it.

    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011; Hayes & Krippendorff, 2007.

    Example:
        >>> ratings = pd.DataFrame({"item": list("aabbcc"), "rater": ["x", "y"] * 3, "dimension": "emotion",
        ...                         "value": ["sad", "sad", "angry", "angry", "sad", "angry"]})
        >>> found = agreement(ratings, "emotion")
        >>> round(found.alpha, 3), found.raters, found.items
        (0.444, 2, 3)
    """
    level = "nominal" if scale is None else "interval"
    mine = ratings[(ratings["dimension"] == dimension).fillna(False).to_numpy(bool)]
    judged = mine[mine["value"].notna() & mine["item"].notna() & ~(mine["rater"] == MEAN).fillna(False)]
    raters = None if judged["rater"].isna().any() else int(judged["rater"].nunique())
    items = pd.factorize(judged["item"])[0]
    per_item = np.bincount(items) if len(items) else np.zeros(0, int)
    facts = (level, raters, int((per_item > 1).sum()), float(per_item.mean()) if len(per_item) else 0.0)

    if not len(judged):
        published = f"{dimension!r} has published means only" if len(mine) else f"there are no ratings of {dimension!r}"
        return Agreement(None, *facts, reason=published)
    values, domain = _values(judged, dimension, scale)
    if facts[2] == 0:
        return Agreement(None, *facts, reason="no item has two ratings or more")
    paired = per_item[items] > 1
    if len(np.unique(values[paired])) < 2:
        return Agreement(
            None, *facts, reason=f"all ratings of {dimension!r} are equal, so chance cannot be told from agreement"
        )
    items, values = pd.factorize(items[paired])[0], values[paired]
    if (items.max() + 1) * len(domain) ** 2 > DENSE:
        return Agreement(_alpha(items, domain[values] if scale else values, level), *facts)
    counts = np.zeros((items.max() + 1, len(domain)), np.int64)
    np.add.at(counts, (items, values), 1)
    alpha = krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=level)
    return Agreement(float(alpha), *facts)


def _values(judged: pd.DataFrame, dimension: str, scale: Ends | None) -> tuple[np.ndarray, np.ndarray]:
    """The place of each value among the distinct ones, and these: numbers of a scale, else their places."""
    if scale is None:
        places, names = pd.factorize(judged["value"])
        return places, np.arange(len(names))
    numbers = pd.to_numeric(judged["value"], errors="coerce").to_numpy(float, na_value=np.nan)
    illegal = np.flatnonzero(~((numbers >= scale.low) & (numbers <= scale.high)))
    if len(illegal):
        bad = judged.iloc[illegal[0]]
        raise InputError(
            f"item {bad['item']!r}: {dimension!r} has the rating {bad['value']!r}; the scale runs from "
            f"{scale.low:g} to {scale.high:g}; correct the rating or state the scale's true ends"
        )
    domain, places = np.unique(numbers, return_inverse=True)
    return places, domain


def _alpha(items: np.ndarray, values: np.ndarray, level: str) -> float:
    """The same alpha from sums alone, for many items with many distinct values.

    The library builds a table of items x values x values, which a slider from 0 to 100 on ten
    thousand clips takes to gigabytes.
    """

    def disagreement(groups: np.ndarray) -> np.ndarray:
        """Over ordered pairs within each group, the sum of squared differences, or of differing pairs."""
        size = np.bincount(groups).astype(float)
        if level == "nominal":
            _, same = np.unique(np.stack([groups, values]), axis=1, return_counts=True)
            first = np.unique(np.stack([groups, values]), axis=1)[0]
            return size**2 - np.bincount(first, weights=same.astype(float) ** 2)
        centred = values - values.mean()  # keeps the difference of large sums exact enough
        return 2 * (size * np.bincount(groups, centred**2) - np.bincount(groups, centred) ** 2)

    observed = (disagreement(items) / (np.bincount(items) - 1)).sum()
    expected = disagreement(np.zeros_like(items))[0] / (len(items) - 1)
    return float(1 - observed / expected)
