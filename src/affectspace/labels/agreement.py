"""How far raters agree."""

from dataclasses import dataclass
from typing import Literal, Protocol

import krippendorff
import numpy as np
import pandas as pd

from affectspace.labels.votes import Judgements, judgements, numbers

__all__ = ["Agreement", "agreement", "judged_by_people"]

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
        InputError: a value of a numeric scale that is no number or lies outside it; it names the item
            and the rater.

    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011; Hayes & Krippendorff, 2007.

    Example:
        >>> ratings = pd.DataFrame({"item": list("aabbcc"), "rater": ["x", "y"] * 3, "dimension": "emotion",
        ...                         "value": ["sad", "sad", "angry", "angry", "sad", "angry"]})
        >>> found = agreement(ratings, "emotion")
        >>> round(found.alpha, 3), found.raters, found.items
        (0.444, 2, 3)
    """
    level = "nominal" if scale is None else "interval"
    judged = judged_by_people(ratings, dimension)
    raters = None if any(rater is None for rater in judged.raters) else len({*judged.raters})
    items = pd.factorize(judged.items)[0]
    per_item = np.bincount(items)
    average = len(judged) / len(per_item) if len(per_item) else 0.0
    facts = (level, raters, int((per_item > 1).sum()), average)
    if scale is not None:
        domain, places = np.unique(numbers(judged, dimension, scale.low, scale.high), return_inverse=True)
    else:
        places = pd.factorize(judged.values)[0]
        domain = np.arange(places.max(initial=-1) + 1)

    if not len(judged):
        means = len(judgements(ratings, dimension))
        reason = f"{dimension!r} has published means only" if means else f"there are no ratings of {dimension!r}"
        return Agreement(None, *facts, reason=reason)
    if facts[2] == 0:
        return Agreement(None, *facts, reason="no item has two ratings or more")
    paired = per_item[items] > 1
    items, places = pd.factorize(items[paired])[0], places[paired]
    if (places == places[0]).all():
        return Agreement(None, *facts, reason="all ratings are equal, so agreement cannot be told from chance")
    shape = (items.max() + 1, len(domain))
    if shape[0] * shape[1] ** 2 > DENSE:
        return Agreement(_alpha(items, domain[places], level), *facts)
    counts = np.bincount(items * shape[1] + places, minlength=shape[0] * shape[1]).reshape(shape)
    alpha = krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=level)
    return Agreement(float(alpha), *facts)


def judged_by_people(ratings: pd.DataFrame, dimension: str) -> Judgements:
    """The judgements of a dimension that can agree: with a value, of an item, and no published means."""
    found = judgements(ratings, dimension)
    return found.where((found.raters != MEAN) & (found.items != None))  # noqa: E711 - elementwise


def _alpha(items: np.ndarray, values: np.ndarray, level: str) -> float:
    """The same alpha from sums alone, for many items with many distinct values.

    The library builds a table of items x values x values, which a slider from 0 to 100 on ten
    thousand clips takes to gigabytes.
    """

    def disagreement(groups: np.ndarray) -> np.ndarray:
        """Over ordered pairs within each group, the sum of squared differences, or of differing pairs."""
        size = np.bincount(groups).astype(float)
        if level == "nominal":
            cells, same = np.unique(np.stack([groups, values]), axis=1, return_counts=True)
            return size**2 - np.bincount(cells[0], weights=same.astype(float) ** 2)
        centred = values - values.mean()  # keeps the difference of large sums exact enough
        return 2 * (size * np.bincount(groups, centred**2) - np.bincount(groups, centred) ** 2)

    observed = (disagreement(items) / (np.bincount(items) - 1)).sum()
    expected = disagreement(np.zeros_like(items))[0] / (len(items) - 1)
    return float(1 - observed / expected)
