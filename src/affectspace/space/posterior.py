"""What the other items' labels say of each item: out-of-fold posteriors, linear in the vectors."""

import hashlib

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

__all__ = ["out_of_fold", "twins"]

FITTED = 20_000  # items that a fold learns from at most; more change nothing but the time
RIDGE = 1.0  # over the number of items: what sklearn calls C = 1
STEPS = 200
ROWS = 65_536


def out_of_fold(vectors: np.ndarray, targets: np.ndarray, folds: int = 5, seed: int = 0) -> np.ndarray:
    """Class probabilities of each item by softmax regression on the items of the other folds.

    Folds are drawn without looking at targets, so an item's own target has no part in what is said of it. Items with
    one vector are in one fold, as nothing could tell whose target it was. Where all have, each is given the mean of
    the others' targets.

    Args:
        vectors: ``(items, dimensions)``.
        targets: ``(items, classes)`` distributions, one-hot or soft.
        folds: how many, at most one an item.
        seed: of the folds.

    Returns:
        float64 ``(items, classes)``, rows that sum to one.

    Raises:
        ValueError: fewer than two items.

    Example:
        >>> vectors = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> targets = np.eye(2)[[0, 0, 1, 1]]
        >>> out_of_fold(vectors, targets, folds=4).argmax(1).tolist()
        [0, 0, 1, 1]
    """
    items = len(vectors)
    if items < 2:
        raise ValueError(f"{items} item has no others to learn from; give at least two")
    points = np.asarray(vectors, dtype=np.float64)
    points = points - points.mean(0)
    points /= np.abs(points).max(initial=0) or 1.0  # before squares, which must stay in range
    points /= np.sqrt((points**2).mean()) or 1.0
    points = np.hstack([points, np.ones((items, 1))])
    rng = np.random.default_rng(seed)
    _, group = twins(vectors)
    groups = int(group.max()) + 1
    if groups == 1:
        return (targets.sum(0) - targets) / (items - 1)
    fold_of = rng.permutation(np.arange(groups) % min(folds, groups))[group]
    found = np.empty(targets.shape)
    for fold in range(fold_of.max() + 1):
        rows = np.flatnonzero(fold_of != fold)
        rows = rows if len(rows) <= FITTED else np.sort(rng.choice(rows, FITTED, replace=False))
        weights = _fit(points[rows], targets[rows])
        asked = np.flatnonzero(fold_of == fold)
        for start in range(0, len(asked), ROWS):
            part = asked[start : start + ROWS]
            found[part] = softmax(points[part] @ weights, axis=1)
    return found


def twins(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which items have the very same vector, as one picture under several names has.

    Returns:
        The first row of each vector, in order of the rows, ``(groups,)``; and of each item its group ``(items,)``.

    Example:
        >>> first, group = twins(np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0], [-0.0, 1.0]]))
        >>> first.tolist(), group.tolist()
        ([0, 1], [0, 1, 0, 1])
    """
    # Zero is added so that -0 has the bytes of 0.
    digests = [hashlib.blake2b((row + 0.0).tobytes(), digest_size=16).digest() for row in vectors]
    group, _ = pd.factorize(np.array(digests, dtype=object))
    return np.unique(group, return_index=True)[1], group


def _fit(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Weights ``(dimensions + 1, classes)`` of least cross-entropy; the last row, the bias, is not held small."""
    items, shape = len(points), (points.shape[1], targets.shape[1])
    held = np.append(np.full(shape[0] - 1, RIDGE / items), 0.0)[:, None]

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        logs = log_softmax(points @ weights, axis=1)
        slope = points.T @ (np.exp(logs) - targets) / items + held * weights
        return float(-(targets * logs).sum() / items + (held * weights**2).sum() / 2), slope.ravel()

    start = np.zeros(shape)
    start[-1] = np.log(targets.sum(0) + 1)
    return minimize(cost, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x.reshape(shape)
