"""Settings and epoch by the mean validation UAR of inner runs, which have never seen a test item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from affectspace.errors import InputError

__all__ = ["Best", "Tried", "choose"]

EQUAL = 1e-12  # means of the same figures in another order may differ by rounding


@dataclass(frozen=True)
class Tried:
    """One point of a grid and what its inner runs have reached.

    Args:
        recipe: name of the recipe.
        settings: by dotted key.
        curves: validation UAR ``(runs, epochs)``, over inner groups and seeds; one column where no epoch
            is to be chosen; nothing but NaN where a run diverged.
        diverged: how many runs did.
    """

    recipe: str
    settings: dict[str, Any]
    curves: np.ndarray
    diverged: int = 0

    @property
    def mean(self) -> np.ndarray:
        """``(epochs,)``; NaN where one of the runs has no figure."""
        return np.asarray(self.curves, dtype=float).mean(0)

    def told(self, chooses_epoch: bool) -> dict[str, Any]:
        """What is recorded of it: its best epoch, mean and spread over its runs there, and how many those are."""
        mean = self.mean
        known = bool(np.isfinite(mean).any())
        best = int(_earliest(mean)) if known else 0
        spread = float(np.std(self.curves[:, best], ddof=1)) if len(self.curves) > 1 and known else None
        return {
            "recipe": self.recipe,
            "set": self.settings,
            "epoch": best + 1 if chooses_epoch and known else None,
            "uar": float(mean[best]) if known else None,
            "sd": spread,
            "runs": len(self.curves),
            **({"diverged": self.diverged} if self.diverged else {}),
        }


@dataclass(frozen=True)
class Best:
    """The chosen point, the chosen epoch (from 1), and the mean curve of the point."""

    settings: dict[str, Any]
    epoch: int
    curve: tuple[float, ...]


def choose(tried: Sequence[Tried]) -> Best:
    """The settings and the epoch with the highest mean; of equals the earliest epoch, then the first settings.

    Raises:
        InputError: no point has a figure.

    Example:
        >>> flat = Tried("CE", {"a": 0}, np.array([[0.5, 0.6, 0.6], [0.5, 0.8, 0.8]]))
        >>> late = Tried("CE", {"a": 1}, np.array([[0.5, 0.5, 0.7], [0.5, 0.5, 0.7]]))
        >>> choose([late, flat])
        Best(settings={'a': 0}, epoch=2, curve=(0.5, 0.7, 0.7))
    """
    means = [point.mean for point in tried]
    tops = [float(np.nanmax(mean)) if np.isfinite(mean).any() else -np.inf for mean in means]
    if not tops or max(tops) == -np.inf:
        raise InputError("no point of the grid has a validation UAR, so nothing can be chosen; look at its runs")
    limit = max(tops) - EQUAL
    level = [(int(_earliest(mean)), place) for place, (mean, top) in enumerate(zip(means, tops)) if top >= limit]
    epoch, place = min(level)
    curve = tuple(float(value) for value in means[place])
    return Best(tried[place].settings, epoch + 1, curve)


def _earliest(mean: np.ndarray) -> int:
    """The first place of the highest figure, from 0."""
    return int(np.flatnonzero(mean >= np.nanmax(mean) - EQUAL)[0])
