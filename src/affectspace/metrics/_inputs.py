"""Truth and predictions in their several forms, checked and brought into one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["class_count", "distributions", "leading_classes", "predicted_classes"]

TIE = 1e-6  # far above what float32 rounding parts, far below the share of one vote
SUM = 1e-3


def class_count(arrays: Sequence[ArrayLike], stated: int | None = None) -> int:
    """How many classes there are: columns where there are any, else what is stated, else the largest index plus one."""
    widths = {np.shape(array)[1] for array in arrays if np.ndim(array) == 2}
    if stated is not None:
        widths.add(stated)
    if len(widths) > 1:
        raise ValueError(f"the arguments speak of {' and '.join(map(str, sorted(widths)))} classes; they need to agree")
    if widths:
        return widths.pop()
    return int(max(np.max(np.asarray(array), initial=0) for array in arrays)) + 1


def distributions(values: ArrayLike, classes: int | None = None, name: str = "truth") -> np.ndarray:
    """Probabilities, or class indices as one-hot rows: float64, shape ``(items, classes)``."""
    array = np.asarray(values)
    if array.size == 0:
        raise ValueError(f"{name} has shape {array.shape} and holds no items; give at least one")
    if array.ndim == 1:
        if array.dtype.kind not in "iu":
            raise ValueError(
                f"{name} has one dimension and type {array.dtype}; class indices are integers, "
                "and probabilities have shape (items, classes)"
            )
        count = int(array.max()) + 1 if classes is None else classes
        outside = array[(array < 0) | (array >= count)]
        if len(outside):
            raise ValueError(f"{name} holds class {outside[0]}, outside 0..{count - 1}; correct it or set classes")
        return np.eye(count)[array]
    if array.ndim != 2 or (classes is not None and array.shape[1] != classes):
        wanted = "classes" if classes is None else classes
        raise ValueError(
            f"{name} has shape {array.shape}; expected (items,) indices or (items, {wanted}) probabilities"
        )
    array = array.astype(np.float64)
    if np.isnan(array).any():
        row = int(np.flatnonzero(np.isnan(array).any(1))[0])
        raise ValueError(f"{name} holds NaN in row {row}; leave out items that have no value")
    if (array < 0).any():
        raise ValueError(
            f"{name} holds the probability {array.min():.6g}; probabilities are not negative (softmax first?)"
        )
    mass = array.sum(1)
    worst = int(np.abs(mass - 1).argmax())
    if not abs(mass[worst] - 1) <= SUM:
        raise ValueError(
            f"{name} sums to {mass[worst]:.4f} in row {worst}; divide each row by its sum (softmax first?)"
        )
    return array


def leading_classes(truth: ArrayLike, classes: int) -> np.ndarray:
    """Which classes lead each item, several where they are tied: bool, shape ``(items, classes)``."""
    probabilities = distributions(truth, classes, "truth")
    return probabilities >= probabilities.max(1, keepdims=True) - TIE


def predicted_classes(predicted: ArrayLike, classes: int) -> np.ndarray:
    """The predicted class of each item, int64; of equal probabilities the first."""
    return distributions(predicted, classes, "predicted").argmax(1)
