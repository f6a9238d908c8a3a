"""Where a scale is cut into levels, and what number each level stands for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from affectspace.labels.bins import bin_centres, expected_value

__all__ = ["Cut"]


@dataclass(frozen=True)
class Cut:
    """Levels of a numeric label, and the way back to numbers.

    Args:
        thresholds: ``(levels - 1,)``, strictly increasing: each begins the level above it.
        means: ``(levels,)`` the mean of the training values in each level.

    Raises:
        ValueError: not as many means as levels, or what is not finite.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural Networks", 2016,
    Sec. 4.6.

    Example:
        >>> cut = Cut.learned([18.0, 22.0, 40.0, 60.0], thresholds=[30])
        >>> cut.means
        (20.0, 50.0)
        >>> cut.values([[0.5, 0.5], [0.0, 1.0]]).tolist()
        [35.0, 50.0]
    """

    thresholds: tuple[float, ...]
    means: tuple[float, ...]

    def __post_init__(self):
        levels = len(self.thresholds) + 1
        if len(self.means) != levels or not np.isfinite([*self.thresholds, *self.means]).all():
            raise ValueError(
                f"means are {list(self.means)}; thresholds {list(self.thresholds)} make {levels} levels, which need a "
                "finite mean each"
            )

    @classmethod
    def learned(cls, values: ArrayLike, thresholds: ArrayLike) -> "Cut":
        """The means of training values ``(n,)`` between thresholds.

        Raises:
            ValueError: values or thresholds that are not finite, thresholds that do not increase, or a level without
                any value.
        """
        cuts = np.asarray(thresholds, dtype=np.float64)
        return cls(tuple(cuts.tolist()), tuple(bin_centres(values, cuts).tolist()))

    def values(self, probabilities: ArrayLike) -> np.ndarray:
        """The number that a row of probabilities over the levels predicts: its expected mean.

        Args:
            probabilities: ``(items, levels)``, rows summing to one.

        Returns:
            float64 ``(items,)``, between the lowest and the highest mean.

        Raises:
            ValueError: as :func:`affectspace.labels.expected_value`.
        """
        return expected_value(probabilities, self.means)
