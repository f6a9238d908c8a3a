"""The two ends of a numeric scale as classes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.labels.dimensions import scale_means
from affectspace.labels.naming import check_names
from affectspace.labels.targets import Targets, reasons

__all__ = ["Poles"]


@dataclass(frozen=True)
class Poles:
    r"""The two ends of a numeric scale, each rating being a vote split between them.

    .. math:: r \mapsto \left[\frac{high - r}{high - low},\; \frac{r - low}{high - low}\right]

    averaged over raters. The map is linear, so the mean of the votes is the vote of the mean, and a
    published mean gives the same target as the ratings behind it. The middle of the scale is a tie,
    ``[0.5, 0.5]``.

    Args:
        names: the low end, the high end.
        low, high: the ends of the scale.

    Raises:
        InputError: not two different names, or ``low`` not below ``high``.

    Example:
        >>> items = pd.DataFrame({"id": ["a"]})
        >>> ratings = pd.DataFrame({"item": ["a", "a"], "rater": ["1", "2"],
        ...                         "dimension": "valence", "value": ["1", "3"]})
        >>> Poles().targets(items, ratings, "valence").values
        array([[0.75, 0.25]])
    """

    names: tuple[str, ...] = ("negative", "positive")
    low: float = 1.0
    high: float = 5.0

    def __post_init__(self):
        object.__setattr__(self, "names", check_names(self.names))
        if len(self.names) != 2:
            raise InputError(f"poles are the two ends of a scale; {len(self.names)} names were given: {self.names}")
        if not -np.inf < self.low < self.high < np.inf:
            raise InputError(f"the scale runs from {self.low} to {self.high}; low must be less than high, both finite")

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = "valence",
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """Targets of the items of one corpus, in their order; ``label_map`` plays no part in a scale.

        Raises:
            InputError: the corpus has no ratings of ``dimension``, or one is off the scale.
        """
        mean, skipped = scale_means(items, ratings, dimension, self.low, self.high)
        width = self.high - self.low
        values = np.stack([(self.high - mean) / width, (mean - self.low) / width], 1)
        return Targets(values, reasons(f"no rating of {dimension!r}", ~np.isnan(mean)), "ratings", skipped)
