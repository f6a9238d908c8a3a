"""Which of the ten votes on an image of FER+ its authors train on."""

from typing import Literal

import numpy as np

__all__ = ["ferplus_votes"]

_CLASSES = 8  # the emotions; unknown and "not a face" stand behind them
_MOST = 3  # emotions of one image


def ferplus_votes(
    counts: np.ndarray, rule: Literal["probability", "majority", "multi_target"] = "probability"
) -> np.ndarray:
    """Votes that are kept of each image; no vote where the image is discarded.

    A single vote for a class is taken for a slip and removed first; shares below are of what remains.

    - ``"probability"``: the largest classes, ties together, until three quarters of the votes are gathered or
      three classes are. *Unknown* and *not a face* end the gathering and are dropped. An image is discarded
      when one of them leads, when half of the votes or fewer are kept, or more than three classes.
    - ``"majority"``: the one class with more than half of the votes.
    - ``"multi_target"``: classes with 30 % of the votes or more, which must together hold more than half.

    Args:
        counts: whole numbers, shape ``(images, 10)``: the eight emotions, unknown, not a face.
        rule: which of the authors' schemes.

    Returns:
        int64, shape ``(images, 8)``.

    Raises:
        ValueError: another number of columns, or another rule.

    Source: Barsoum, Zhang, Canton Ferrer & Zhang, "Training Deep Networks for Facial Expression Recognition
    with Crowd-Sourced Label Distribution", 2016, with the preprocessing that its authors have released.

    Example:
        >>> votes = np.array([[6, 3, 1, 0, 0, 0, 0, 0, 0, 0], [2, 2, 0, 0, 0, 0, 0, 0, 6, 0]])
        >>> ferplus_votes(votes).tolist()
        [[6, 3, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]]
        >>> ferplus_votes(votes, "majority").tolist()
        [[6, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]]
    """
    keepers = {"probability": _probability, "majority": _majority, "multi_target": _multi_target}
    if rule not in keepers:
        raise ValueError(f"rule is {rule!r}; legal: {', '.join(map(repr, keepers))}")
    counts = np.asarray(counts, np.int64)
    if counts.ndim != 2 or counts.shape[1] != _CLASSES + 2:
        raise ValueError(f"counts have shape {counts.shape}; expected (images, 10)")
    kept = np.zeros_like(counts)
    for row, votes in enumerate(np.where(counts > 1, counts, 0)):
        keep = keepers[rule](votes)
        # The first of the largest leads, as in the authors' own code.
        if votes[keep].sum() * 2 > votes.sum() and min(keep, key=lambda k: (-votes[k], k)) < _CLASSES:
            kept[row, keep] = votes[keep]
    return kept[:, :_CLASSES]


def _probability(votes: np.ndarray) -> list[int]:
    keep: list[int] = []
    gathered, total = 0, votes.sum()
    left = votes.copy()
    while gathered * 4 < total * 3 and len(keep) < _MOST:
        for k in np.flatnonzero(left == left.max()).tolist():
            gathered += left[k]
            left[k] = 0
            if k >= _CLASSES:
                return (keep or [k]) if len(keep) <= _MOST else []
            keep.append(k)
    return keep if len(keep) <= _MOST else []


def _majority(votes: np.ndarray) -> list[int]:
    return [int(votes.argmax())]


def _multi_target(votes: np.ndarray) -> list[int]:
    return np.flatnonzero((votes * 10 >= votes.sum() * 3) & (votes > 0)).tolist()
