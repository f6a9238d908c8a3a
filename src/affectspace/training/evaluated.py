"""The items of one split and what a model said of each."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Evaluated"]


@dataclass(frozen=True)
class Evaluated:
    """The items of one split and what the selected model said of each, as arrays.

    Args:
        items: ``(n,)`` corpus/id.
        speakers: ``(n,)``.
        targets: ``(n, classes)`` probabilities of the raters.
        probabilities: ``(n, classes)`` of the model.
        embeddings: ``(n, dimensions)``.
        folds: ``(n,)`` which fold answered; all 0 for a run of one fold. Embeddings of different
            folds lie in different spaces, so their distances mean nothing.
    """

    items: np.ndarray
    speakers: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray
    folds: np.ndarray

    def __len__(self) -> int:
        return len(self.items)
