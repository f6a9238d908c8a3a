"""Real-valued labels cut into equally filled levels, and predictions over the levels turned back into values."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "FewerBinsWarning",
    "bin_centres",
    "bin_of",
    "ensemble_value",
    "equal_mass_thresholds",
    "expected_value",
]


class FewerBinsWarning(UserWarning):
    """There are fewer distinct values than bins were asked for, so that each value has a bin of its own."""


def equal_mass_thresholds(values: ArrayLike, bins: int) -> np.ndarray:
    r"""Thresholds that cut values into bins of as equal a number of values as can be.

    Equal values are never parted. The cuts between distinct values are those that are nearest, in the sum of
    squares over all cuts, to the ranks :math:`k n / b`; so distinct values fill bins alike to within one. A threshold
    is the least value of the bin above it, which makes the cuts the same after any increasing transform.

    Args:
        values: ``(n,)`` finite numbers, of training items only: cuts that saw test items leak.
        bins: how many, 2 or more.

    Returns:
        float64 ``(bins - 1,)``, strictly increasing, as :class:`affectspace.labels.Levels` takes them: bin ``k`` holds
        ``thresholds[k-1] <= value < thresholds[k]``, and none is empty. Fewer where there are fewer distinct values.

    Raises:
        ValueError: fewer than 2 bins, values that are not one row of finite numbers, or all of them equal.

    Warns:
        FewerBinsWarning: there are fewer distinct values than bins.

    Cost: a sort, and operations of distinct values times bins.

    Source of the bins: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural
    Networks", 2016, Sec. 4.6 (3 to 10 bins). What is done with ties is ours.

    Example:
        >>> equal_mass_thresholds([0.1, 0.2, 0.4, 0.7, 1.5, 9.0], bins=3)
        array([0.4, 1.5])
        >>> equal_mass_thresholds([1, 1, 1, 1, 2, 3], bins=3)  # four ones stay together
        array([2., 3.])
    """
    if bins < 2:
        raise ValueError(f"bins is {bins}; a scale is cut into 2 or more")
    ordered = np.sort(_finite("values", values))
    cuts = np.flatnonzero(np.diff(ordered)) + 1  # where a new value begins: how many values lie below
    if not len(cuts):
        raise ValueError(
            f"the {len(ordered)} values are all {ordered[0]:g}; two different ones are needed for two bins"
            if len(ordered)
            else "there are no values to cut; give those of the training items"
        )
    if len(cuts) < bins - 1:
        warnings.warn(
            FewerBinsWarning(f"there are {len(cuts) + 1} distinct values, so as many bins and not {bins}"), stacklevel=2
        )
        return ordered[cuts]
    return ordered[cuts[_nearest(cuts, len(ordered) * np.arange(1, bins) / bins)]]


def bin_of(values: ArrayLike, thresholds: ArrayLike) -> np.ndarray:
    """The bin of each value: int64, of the shape of the values, from 0 for what lies below all thresholds.

    Raises:
        ValueError: a value or threshold that is not finite, or thresholds that do not increase.

    Example:
        >>> bin_of([0.0, 2.5, 9.0], [2.5, 4.0])
        array([0, 1, 2])
    """
    cuts = _finite("thresholds", thresholds)
    if (np.diff(cuts) <= 0).any():
        raise ValueError(f"thresholds are {cuts.tolist()}; they increase strictly")
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError("values hold NaN or infinity, which lie in no bin; leave such items out")
    return np.searchsorted(cuts, found, side="right").astype(np.int64)


def bin_centres(values: ArrayLike, thresholds: ArrayLike) -> np.ndarray:
    """The mean of the training values in each bin: what a prediction of that bin stands for.

    Args:
        values: ``(n,)`` finite numbers, of training items only.
        thresholds: ``(bins - 1,)``, as :func:`equal_mass_thresholds` makes them.

    Returns:
        float64 ``(bins,)``, strictly increasing.

    Raises:
        ValueError: as :func:`bin_of`, or a bin without any value.

    Example:
        >>> bin_centres([1.0, 2.0, 3.0, 7.0], [3.0])
        array([1.5, 5. ])
    """
    found = _finite("values", values)
    index = bin_of(found, thresholds)
    bins = len(np.asarray(thresholds)) + 1
    counts = np.bincount(index, minlength=bins)
    if empty := np.flatnonzero(counts == 0).tolist():
        raise ValueError(f"bin {empty[0]} of 0..{bins - 1} holds no value; cut the values that the centres are made of")
    return np.bincount(index, weights=found, minlength=bins) / counts


def expected_value(probabilities: ArrayLike, centres: ArrayLike) -> np.ndarray:
    r"""Predictions over bins as one value each: :math:`\sum_k p_k c_k`.

    Args:
        probabilities: ``(items, bins)``, 0 or more, rows summing to one.
        centres: ``(bins,)`` finite numbers, as of :func:`bin_centres`.

    Returns:
        float64 ``(items,)``, between the lowest and the highest centre.

    Raises:
        ValueError: shapes that do not match, or rows that are no probabilities.

    Source: Hou, Yu & Samaras 2016, Sec. 4.6.

    Example:
        >>> expected_value([[0.5, 0.5], [0.0, 1.0]], [1.5, 5.0])
        array([3.25, 5.  ])
    """
    levels = _finite("centres", centres)
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(levels):
        raise ValueError(f"probabilities have shape {rows.shape}; {len(levels)} centres need (items, {len(levels)})")
    sums = rows.sum(1)
    if not ((rows >= 0).all() and np.isclose(sums, 1, rtol=0, atol=1e-3).all()):
        raise ValueError("a row of probabilities is negative, NaN or does not sum to one; give a softmax, not logits")
    return (rows @ levels) / sums  # float32 rows sum to one only nearly, which would move large values


def ensemble_value(probabilities: Sequence[ArrayLike], centres: Sequence[ArrayLike]) -> np.ndarray:
    """The mean of the expected values of several models, each with bins of its own, such as 3 to 10 of them.

    Args:
        probabilities: of each model ``(items, its bins)``.
        centres: of each model ``(its bins,)``.

    Returns:
        float64 ``(items,)``; of a single model, its :func:`expected_value`.

    Raises:
        ValueError: no model, not as many centres as models, models of different numbers of items, or as
            :func:`expected_value`.

    Source: Hou, Yu & Samaras 2016, Sec. 4.6.

    Example:
        >>> ensemble_value([[[0.5, 0.5]], [[0.0, 1.0, 0.0]]], [[0.0, 2.0], [0.0, 3.0, 6.0]])
        array([2.])
    """
    if not probabilities or len(probabilities) != len(centres):
        raise ValueError(f"{len(probabilities)} models have {len(centres)} rows of centres; give one or more of both")
    found = [expected_value(p, c) for p, c in zip(probabilities, centres)]
    if len(counts := sorted({len(values) for values in found})) > 1:
        raise ValueError(f"the models predict {counts[0]} and {counts[1]} items; give the same items of each")
    return np.mean(found, axis=0)


def _nearest(cuts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which increasing choice of the cuts is nearest to those wanted, in the sum of squares."""
    cost = (cuts - wanted[0]) ** 2
    came: list[np.ndarray] = []
    for place in wanted[1:]:
        best = np.minimum.accumulate(cost)
        # the last cut, of those so far, that costs least
        reached = np.maximum.accumulate(np.where(cost == best, np.arange(len(cuts)), 0))
        came.append(np.r_[0, reached[:-1]])
        cost = np.r_[np.inf, best[:-1]] + (cuts - place) ** 2
    chosen = [int(cost.argmin())]
    for earlier in reversed(came):
        chosen.append(int(earlier[chosen[-1]]))
    return np.array(chosen[::-1])


def _finite(name: str, numbers: ArrayLike) -> np.ndarray:
    row = np.asarray(numbers, dtype=np.float64)
    if row.ndim != 1 or not np.isfinite(row).all():
        raise ValueError(f"{name} have shape {row.shape}, or hold NaN or infinity; expected one row of finite numbers")
    return row
