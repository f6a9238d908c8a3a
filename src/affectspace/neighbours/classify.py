"""Classes of items from those they lie near: votes of neighbours, or the nearest class mean.

Targets are class indices ``(n,)``, negative where unknown, or probabilities ``(n, classes)`` such as
raters' votes, whose row is NaN where unknown. Unknown items have no vote.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from affectspace.losses import MAPClassifier
from affectspace.metrics import macro_f1

__all__ = ["ChosenK", "choose_k", "leading_labels", "map_classifier", "neighbour_votes", "soft_targets"]

TIE = 1e-6  # of shares of votes, as for leading classes in affectspace.metrics


class ChosenK(NamedTuple):
    """A number of neighbours, and the figure that each number tried had."""

    k: int
    curve: dict[int, float]


def soft_targets(targets: ArrayLike, classes: int) -> np.ndarray:
    """Targets in either form as float64 ``(n, classes)``, NaN in the rows of unknown items.

    Raises:
        ValueError: another shape or type, or an index beyond the classes.

    Example:
        >>> soft_targets([1, -1], 2)
        array([[ 0.,  1.],
               [nan, nan]])
    """
    given = np.asarray(targets)
    if given.ndim == 2 and given.shape[1] == classes and given.dtype.kind in "fiu":
        return given.astype(np.float64)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(
            f"targets have type {given.dtype} and shape {given.shape}; "
            f"expected class indices (items,) or probabilities (items, {classes})"
        )
    if len(given) and given.max() >= classes:
        raise ValueError(f"targets hold class {given.max()}, outside 0..{classes - 1}; -1 is unknown")
    votes = np.eye(classes)[np.maximum(given, 0)]
    votes[given < 0] = np.nan
    return votes


def leading_labels(targets: ArrayLike, classes: int) -> np.ndarray:
    """The most probable class of each item, int64 ``(n,)``; -1 where it is unknown or several are tied.

    Example:
        >>> leading_labels([[0.2, 0.8], [0.5, 0.5]], 2)
        array([ 1, -1])
    """
    votes = soft_targets(targets, classes)
    known = np.flatnonzero(~np.isnan(votes).any(1))
    labels = np.full(len(votes), -1)
    leading = votes[known] >= votes[known].max(1, keepdims=True, initial=0) - TIE
    single = leading.sum(1) == 1
    labels[known[single]] = leading[single].argmax(1)
    return labels


def neighbour_votes(rows: np.ndarray, targets: ArrayLike, classes: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """What the k nearest neighbours of each query say.

    Each neighbour has one vote, which it may spread over classes. Where classes are tied, the farthest
    neighbours are left out, one after another, until one of the tied classes leads; if none ever does,
    the first of them is taken.

    Args:
        rows: of the neighbours in ``targets``, nearest first, shape ``(q, k or more)``; -1 for none, as
            :class:`affectspace.neighbours.nearest.Neighbours` gives them.
        targets: of the items that were searched.
        classes: how many.
        k: how many neighbours have a vote.

    Returns:
        Probabilities ``(q, classes)``, the mean of the votes, and predictions ``(q,)``. A query none of
        whose neighbours has a vote gets equal probabilities and the first class.

    Raises:
        ValueError: fewer than k columns, or targets as :func:`soft_targets`.

    Example:
        >>> probabilities, predictions = neighbour_votes(np.array([[0, 1, 2, 3]]), [1, 0, 0, 1], 2, k=4)
        >>> probabilities, predictions  # of two against two, the nearest three have a majority
        (array([[0.5, 0.5]]), array([0]))
    """
    if not 1 <= k <= rows.shape[1]:
        raise ValueError(f"k is {k} and {rows.shape[1]} neighbours were searched; it is from 1 to that")
    votes = np.nan_to_num(soft_targets(targets, classes), nan=0.0)
    # The last row is that of "none", which the index -1 finds by itself.
    votes = np.concatenate([votes, np.zeros((1, classes))])
    total = np.zeros((len(rows), classes))
    for column in range(k):
        total += votes[rows[:, column]]
    cast = total.sum(1, keepdims=True)
    probabilities = np.where(cast > 0, total / np.where(cast > 0, cast, 1), 1 / classes)
    tied = _leaders(total, np.ones_like(total, bool))
    torn = np.flatnonzero(tied.sum(1) > 1)
    total = total[torn]
    for column in range(k - 1, 0, -1):
        if not len(torn):
            break
        total -= votes[rows[torn, column]]
        tied[torn] = _leaders(total, tied[torn])
        still = tied[torn].sum(1) > 1
        torn, total = torn[still], total[still]
    return probabilities, tied.argmax(1)


def choose_k(
    rows: np.ndarray,
    targets: ArrayLike,
    truth: ArrayLike,
    classes: int,
    ks: Sequence[int] = (1, 3, 5, 7, 9, 11, 15, 21, 31),
    figure: Callable[..., float] = macro_f1,
) -> ChosenK:
    """The number of neighbours that predicts validation items best, and how well each did.

    Args:
        rows: neighbours of the validation items among the training items, as for
            :func:`neighbour_votes`, at least ``max(ks)`` columns; one search serves every k.
        targets: of the training items.
        truth: of the validation items, whose unknown ones are left out.
        classes: how many.
        ks: what to try.
        figure: of :mod:`affectspace.metrics.classification`, higher is better.

    Returns:
        The best k, of equal ones the smallest, and the curve.

    Raises:
        ValueError: no k to try, no validation item of known class, or as :func:`neighbour_votes`.

    Example:
        >>> rows = np.array([[0, 1, 2], [3, 2, 1]])
        >>> choose_k(rows, [1, 0, 0, 1], [0, 1], classes=2, ks=[1, 3])
        ChosenK(k=1, curve={1: 0.3333333333333333, 3: 0.3333333333333333})
    """
    true = soft_targets(truth, classes)
    known = ~np.isnan(true).any(1)
    if not len(ks) or not known.any():
        raise ValueError(f"{len(ks)} numbers of neighbours and {known.sum()} items of known class; give at least one")
    curve = {
        int(k): figure(true[known], neighbour_votes(rows[known], targets, classes, k)[1], classes) for k in sorted(ks)
    }
    return ChosenK(max(curve, key=lambda k: curve[k]), curve)


def map_classifier(
    embeddings: ArrayLike, targets: ArrayLike, classes: int, sigma: float = 0.5, prior: Literal["batch"] | None = None
) -> MAPClassifier:
    """A classifier by the class means of these items, which should be those of training.

    Args:
        embeddings: shape ``(n, dimensions)``.
        targets: of the same items; unknown ones are left out.
        classes: how many; one without items is never predicted.
        sigma, prior: see :meth:`affectspace.losses.MAPClassifier.fit`.

    Raises:
        ValueError: as there, or no item of known class.

    Example:
        >>> classifier = map_classifier([[0.0], [2.0], [9.0], [5.0]], [0, 0, 1, -1], classes=2)
        >>> classifier.predict(torch.tensor([[4.0], [6.0]]))
        tensor([0, 1])
    """
    votes = soft_targets(targets, classes)
    known = ~np.isnan(votes).any(1)
    given = torch.as_tensor(np.asarray(embeddings)[known])
    return MAPClassifier.fit(given, torch.as_tensor(votes[known]).to(given), sigma, prior)


def _leaders(total: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Which of these classes have the most votes, several where tied."""
    held = np.where(among, total, -np.inf)
    return held >= held.max(1, keepdims=True, initial=-np.inf) - TIE
