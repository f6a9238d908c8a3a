"""Vectors that an index is asked about."""

import numpy as np
from numpy.typing import ArrayLike

from affectspace.errors import InputError

__all__ = ["as_asked"]


def as_asked(vectors: ArrayLike, k: int, dimensions: int) -> np.ndarray:
    """Queries of the right shape.

    Raises:
        InputError: of other dimensions than the index.
        ValueError: k below 1, or no rows of numbers.
    """
    if k < 1:
        raise ValueError(f"k is {k}; ask for at least 1 neighbour")
    asked = np.asarray(vectors)
    if asked.ndim != 2:
        raise ValueError(f"vectors has shape {asked.shape}; expected (queries, {dimensions})")
    if asked.shape[1] != dimensions:
        raise InputError(
            f"the query has {asked.shape[1]} dimensions and the index {dimensions}; ask with vectors of the model of "
            "the index, or index what this model embeds"
        )
    return asked
