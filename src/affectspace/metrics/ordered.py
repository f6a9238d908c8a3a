"""Figures of classes that stand in an order: levels of arousal, ages, ratings.

Every function takes

* ``truth``: class indices ``(items,)``, probabilities ``(items, classes)`` such as raters' votes, or,
  where a function says so, true values ``(items,)`` of floating point in the unit of ``centres``;
* ``predicted``: class indices or probabilities, or values in the same way;
* ``centres``: what each level stands for, ascending, such as the middle of its ages; default the
  levels' own numbers 0, 1, 2 and so on.

Ties among leading classes are those of :mod:`affectspace.metrics.classification`: a torn item is as
near as the nearest of its leading classes. All raise ``ValueError`` for no items, numbers of items
that differ, NaN, rows that do not sum to one, indices outside the classes, and centres that do not
ascend.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from affectspace.labels.bins import expected_value
from affectspace.metrics._inputs import class_count, distributions, leading_classes, predicted_classes
from affectspace.metrics._ranks import mean_ranks
from affectspace.metrics.classification import accuracy

__all__ = ["exact_match", "expected_level", "mean_absolute_error", "r_squared", "spearman", "within_one"]

DIGITS = 6  # far coarser than what float32 rounding parts, as for tied classes


def expected_level(probabilities: ArrayLike, centres: ArrayLike | None = None) -> np.ndarray:
    r"""The mean level of each item, :math:`\sum_c p_c\, v_c`: float64, shape ``(items,)``.

    That of :func:`affectspace.labels.expected_value`, for levels that ascend and class indices besides.

    Args:
        probabilities: shape ``(items, classes)``; class indices ``(items,)`` are one-hot.
        centres: :math:`v`, shape ``(classes,)``, ascending; default 0, 1, 2 and so on.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural
    Networks", 2016, which predicts real-valued labels by it.

    Example:
        >>> expected_level([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]).tolist()
        [0.5, 2.0]
        >>> expected_level([[0.5, 0.5]], centres=[10, 30]).tolist()
        [20.0]
    """
    count = None if centres is None else len(np.atleast_1d(np.asarray(centres)))
    given = distributions(probabilities, count, "probabilities")
    return expected_value(given, _centres(centres, given.shape[1]))


def exact_match(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """Share of items whose most probable level is the true one (AEM). In [0, 1], higher is better.

    The same number as :func:`affectspace.metrics.accuracy`, under the name that papers on ages use.

    Example:
        >>> exact_match([0, 1, 2, 3], [0, 1, 3, 0])
        0.5
    """
    return accuracy(truth, predicted, classes)


def within_one(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """Share of items whose most probable level is the true one or beside it (AEO). In [0, 1], higher is better.

    Example:
        >>> within_one([0, 1, 2, 3], [0, 1, 3, 0])
        0.75
    """
    return float(np.mean(_levels_away(truth, predicted, classes) <= 1))


def mean_absolute_error(
    truth: ArrayLike,
    predicted: ArrayLike,
    centres: ArrayLike | None = None,
    by: Literal["expected", "argmax"] = "expected",
) -> float:
    """Mean distance of the predicted from the true level, in levels or in the unit of ``centres``.

    0 or more, lower is better. By ``"expected"`` values, both sides are their :func:`expected_level`
    (raters' votes have a mean, too); by ``"argmax"`` both are their most probable level, the nearest
    one of a torn truth. Values ``(items,)`` of floating point are taken as they are on either side.

    Raises:
        ValueError: as the module says, or ``by`` something else.

    Example:
        >>> mean_absolute_error([0, 2], [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
        0.5
        >>> mean_absolute_error([0, 2], [[0.6, 0.4, 0.0], [0.0, 0.6, 0.4]], by="argmax")
        0.5
        >>> mean_absolute_error([21.0, 44.0], [0, 1], centres=[20, 40])
        2.5
    """
    if by not in ("expected", "argmax"):
        raise ValueError(f"by is {by!r}; it is 'expected' or 'argmax'")
    count = _count(truth, predicted, centres)
    guess = _values(predicted, centres, count, "predicted", by)
    if by == "argmax" and not _is_values(truth):
        leading = leading_classes(truth, count)
        _same_items(len(leading), len(guess))
        gaps = np.abs(_centres(centres, count) - guess[:, None])
        return float(np.where(leading, gaps, np.inf).min(1).mean())
    true = _values(truth, centres, count, "truth", by)
    _same_items(len(true), len(guess))
    return float(np.abs(true - guess).mean())


def spearman(truth: ArrayLike, predicted: ArrayLike, centres: ArrayLike | None = None) -> float:
    """Spearman's rank correlation of the expected predicted level and the true value.

    In [-1, 1], higher is better. Equal values share their mean rank. Probabilities on either side
    become their :func:`expected_level`; values ``(items,)`` of floating point are taken as they are.
    NaN, since there is nothing to order, when all items are alike in either, or for one item.

    Example:
        >>> round(spearman([0.1, 0.5, 3.0], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), 6)
        1.0
        >>> round(spearman([0, 1, 2, 2], [2, 1, 0, 0]), 6)
        -1.0
    """
    count = _count(truth, predicted, centres)
    sides = [_values(side, centres, count, name) for side, name in ((truth, "truth"), (predicted, "predicted"))]
    _same_items(*map(len, sides))
    # Expected levels carry the rounding of their sums, which is not an order; values are as they are.
    span = np.ptp(_centres(centres, count)) or 1.0
    given = zip((truth, predicted), sides)
    x, y = (mean_ranks(side if _is_values(array) else np.round(side / span, DIGITS)) for array, side in given)
    x -= x.mean()
    y -= y.mean()
    spread = np.sqrt(x @ x) * np.sqrt(y @ y)
    return float(np.clip(x @ y / spread, -1, 1)) if spread > 0 else float("nan")


def r_squared(truth: ArrayLike, predicted: ArrayLike, centres: ArrayLike | None = None) -> float:
    r"""The share of the true values' variance that predictions explain (R²).

    .. math:: 1 - \sum_n (y_n - f_n)^2 \Big/ \sum_n (y_n - \bar y)^2

    At most 1, higher is better; 0 is what always predicting the mean of these very items gives, and worse predictions
    are below it. Both sides are read as by :func:`spearman`. NaN where all true values are equal.

    Example:
        >>> r_squared([20.0, 30.0, 40.0], [25.0, 30.0, 35.0])
        0.75
    """
    count = _count(truth, predicted, centres)
    true, guess = (_values(side, centres, count, name) for side, name in ((truth, "truth"), (predicted, "predicted")))
    _same_items(len(true), len(guess))
    spread = float(np.square(true - true.mean()).sum())
    return 1 - float(np.square(true - guess).sum()) / spread if np.ptp(true) > 0 else float("nan")


def _levels_away(truth: ArrayLike, predicted: ArrayLike, classes: int | None) -> np.ndarray:
    """From each predicted level to the nearest leading one: whole numbers, shape ``(items,)``."""
    count = class_count([truth, predicted], classes)
    leading = leading_classes(truth, count)
    guess = predicted_classes(predicted, count)
    _same_items(len(leading), len(guess))
    return np.where(leading, np.abs(np.arange(count) - guess[:, None]), count).min(1)


def _is_values(array: ArrayLike) -> bool:
    return np.ndim(array) == 1 and np.asarray(array).dtype.kind == "f"


def _count(truth: ArrayLike, predicted: ArrayLike, centres: ArrayLike | None) -> int:
    sides = [side for side in (truth, predicted) if not _is_values(side)]
    stated = None if centres is None else len(np.atleast_1d(np.asarray(centres)))
    return class_count(sides, stated) if sides else stated or 1


def _values(array: ArrayLike, centres: ArrayLike | None, count: int, name: str, by: str = "expected") -> np.ndarray:
    if not _is_values(array):
        given = distributions(array, count, name)
        levels = _centres(centres, count)
        return expected_value(given, levels) if by == "expected" else levels[given.argmax(1)]
    values = np.asarray(array, np.float64)
    if not len(values):
        raise ValueError(f"{name} has shape {values.shape} and holds no items; give at least one")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"{name} is {values[row]} in row {row}; leave out items that have no value")
    return values


def _centres(centres: ArrayLike | None, count: int) -> np.ndarray:
    if centres is None:
        return np.arange(count, dtype=np.float64)
    values = np.asarray(centres, np.float64)
    if values.shape != (count,):
        raise ValueError(f"centres has shape {values.shape}; expected ({count},), one value a level")
    if not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        raise ValueError(f"centres are {values.tolist()}; levels stand in ascending order of finite values")
    return values


def _same_items(truth: int, predicted: int) -> None:
    if truth != predicted:
        raise ValueError(f"truth has {truth} items and predicted {predicted}; give one prediction an item")
