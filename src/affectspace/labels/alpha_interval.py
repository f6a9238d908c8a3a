"""How sure Krippendorff's alpha is: resampled over items."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, vstack

from affectspace.labels.agreement import Ends, judged_by_people
from affectspace.labels.votes import numbers

__all__ = ["AlphaInterval", "alpha_interval"]

MOST_LEVELS = 20  # an ordinal scale has few of them; of a slider's many, distances say more than ranks
LEFT_OVER = 0.05  # on both sides together

Level = Literal["nominal", "ordinal", "interval"]
Alphas = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class AlphaInterval:
    """Alpha at one level of measurement, and between what it would lie if other such items had been rated.

    Args:
        level: how unlike two values are: ``"nominal"`` unequal or not, ``"ordinal"`` by how many judgements lie
            between, ``"interval"`` by their squared difference.
        alpha: of all items.
        low, high: the 95 % interval.
        items: how many with two judgements or more.
    """

    level: Level
    alpha: float
    low: float
    high: float
    items: int


def alpha_interval(
    ratings: pd.DataFrame,
    dimension: str,
    scale: Ends | None = None,
    level: Level | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> AlphaInterval | None:
    r"""Krippendorff's alpha with a bootstrap interval over items.

    .. math:: \alpha = 1 - \frac{\sum_u \sum_{i \ne j} \delta^2(x_{ui}, x_{uj}) / (m_u - 1)}
                                {\sum_{a \ne b} \delta^2(x_a, x_b) / (n - 1)}

    Items are drawn with replacement, their judgements with them, and what is expected by chance is counted anew for
    each draw. Judgements of one item thus stay together; that one rater judges many items is not drawn anew, so the
    interval speaks of other items by these raters.

    Args:
        ratings: as for :func:`affectspace.labels.agreement`.
        dimension: which of them.
        scale: the ends of a numeric scale; None for categories.
        level: by default nominal for categories and interval for numbers. Ordinal is for numbers.
        resamples: how many draws, at least 1.
        seed: of the draws.

    Returns:
        None where alpha is not defined (:func:`affectspace.labels.agreement` says why), and at the ordinal level where
        the values are not at most 20 whole numbers.

    Raises:
        InputError: as for :func:`affectspace.labels.agreement`.
        ValueError: ordinal categories.

    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011; resampling items: Zapf et al., "Measuring
    inter-rater reliability for nominal data - which coefficients and confidence intervals are appropriate?", 2016.

    Example:
        >>> ratings = pd.DataFrame({"item": list("aabbcc"), "rater": ["x", "y"] * 3, "dimension": "emotion",
        ...                         "value": ["sad", "sad", "angry", "angry", "sad", "angry"]})
        >>> found = alpha_interval(ratings, "emotion")
        >>> round(found.alpha, 3), found.low < found.alpha < found.high
        (0.444, True)
    """
    level = level or ("nominal" if scale is None else "interval")
    if scale is None and level != "nominal":
        raise ValueError(f"categories have no {level} distances; give the ends of their scale, or ask for nominal")
    judged = judged_by_people(ratings, dimension)
    values = judged.values if scale is None else numbers(judged, dimension, scale.low, scale.high)
    items = pd.factorize(judged.items)[0]
    paired = np.bincount(items)[items] > 1 if len(items) else np.zeros(0, bool)
    items = pd.factorize(items[paired])[0]
    domain, places = np.unique(np.asarray(values)[paired].astype(str if scale is None else float), return_inverse=True)
    if len(domain) < 2 or (level == "ordinal" and (len(domain) > MOST_LEVELS or (domain % 1 != 0).any())):
        return None
    alphas = _by_coincidences if level == "ordinal" else _by_counts if level == "nominal" else _by_moments
    told = alphas(items, places, domain)
    count = int(items.max()) + 1
    drawn = _resampled(told, count, resamples, seed)
    low, high = np.nanquantile(drawn, [LEFT_OVER / 2, 1 - LEFT_OVER / 2])
    return AlphaInterval(level, float(told(np.ones((1, count)))[0]), float(low), float(high), count)


def _resampled(told: Alphas, count: int, resamples: int, seed: int) -> np.ndarray:
    """Alpha of each draw, NaN where all that was drawn is equal."""
    generator = np.random.default_rng(seed)
    block = max(1, 2_000_000 // count)
    drawn = []
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        rows = generator.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        drawn.append(told(np.bincount(rows.ravel(), minlength=size * count).reshape(size, count).astype(float)))
    return np.concatenate(drawn)


def _alpha(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def _by_counts(items: np.ndarray, places: np.ndarray, domain: np.ndarray) -> Alphas:
    """Nominal: pairs differ or not, so squared counts of the values are enough."""
    counts = csr_array((np.ones(len(items)), (items, places)), shape=(items.max() + 1, len(domain)))
    counts.sum_duplicates()
    size = np.bincount(items).astype(float)
    differing = (size**2 - np.asarray(counts.multiply(counts).sum(1)).ravel()) / (size - 1)

    def told(weights: np.ndarray) -> np.ndarray:
        totals = weights @ counts
        n = totals.sum(1)
        return _alpha(weights @ differing, (n**2 - (totals**2).sum(1)) / (n - 1))

    return told


def _by_moments(items: np.ndarray, places: np.ndarray, domain: np.ndarray) -> Alphas:
    """Interval: squared differences of all pairs follow from sums and sums of squares."""
    values = domain[places] - domain[places].mean()  # keeps the difference of large sums exact enough
    size = np.bincount(items).astype(float)
    sums, squares = np.bincount(items, values), np.bincount(items, values**2)
    apart = 2 * (size * squares - sums**2) / (size - 1)
    moments = np.stack([size, sums, squares], 1)

    def told(weights: np.ndarray) -> np.ndarray:
        n, total, square = (weights @ moments).T
        return _alpha(weights @ apart, 2 * (n * square - total**2) / (n - 1))

    return told


def _by_coincidences(items: np.ndarray, places: np.ndarray, domain: np.ndarray) -> Alphas:
    """Ordinal: the distance of two values is that of their middle ranks, which each draw has of its own."""
    levels = len(domain)
    counts = np.zeros((items.max() + 1, levels))
    np.add.at(counts, (items, places), 1)
    apart = vstack([_pairs(block) for block in np.array_split(counts, -(-len(counts) // 10_000))])

    def told(weights: np.ndarray) -> np.ndarray:
        totals = weights @ counts
        ranks = totals.cumsum(1) - totals / 2
        squared = (ranks[:, :, None] - ranks[:, None, :]) ** 2
        observed = ((weights @ apart).reshape(squared.shape) * squared).sum((1, 2))
        chance = totals[:, :, None] * totals[:, None, :] / (totals.sum(1) - 1)[:, None, None]
        return _alpha(observed, (chance * squared).sum((1, 2)))

    return told


def _pairs(counts: np.ndarray) -> csr_array:
    """How often an item has each pair of values ``(items, values * values)``, over its judgements less one.

    A value is 0 from itself, so its pairs with itself need not be taken off.
    """
    both = counts[:, :, None] * counts[:, None, :] / (counts.sum(1) - 1)[:, None, None]
    return csr_array(both.reshape(len(counts), -1))
