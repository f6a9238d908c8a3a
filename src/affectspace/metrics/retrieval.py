"""Whether the nearest items are of the same class, for every number of neighbours from one table.

Both functions take

* ``labels_of_neighbours``: the class of each query's neighbours, nearest first, integers, shape
  ``(queries, neighbours)``; negative where a neighbour's class is unknown, or there is none;
* ``labels``: the class of each query, shape ``(queries,)``; queries of unknown class (negative) are
  left out;
* ``ks``: how many neighbours to look at, each from 1 to the width of the table.

A query does not count as its own neighbour: leave it out of the table (as
:meth:`affectspace.neighbours.nearest.Neighbours.of_items` does). Both raise ``ValueError`` for shapes
that do not match, labels that are not integers, a ``k`` outside the table, and when no query has a
class.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["accuracy_at_k", "recall_at_k"]


def recall_at_k(labels_of_neighbours: ArrayLike, labels: ArrayLike, ks: Sequence[int]) -> dict[int, float]:
    """Share of queries with at least one item of their class among the first k neighbours, for each k.

    In [0, 1], higher is better; never falls with k. A neighbour of unknown class, or one that is not
    there, is no hit.

    Source: Jégou, Douze & Schmid, "Product Quantization for Nearest Neighbor Search", 2011, for
    neighbours; Oh Song et al., "Deep Metric Learning via Lifted Structured Feature Embedding", 2016,
    for classes.

    Example:
        >>> recall_at_k([[1, 0], [1, 1], [0, -1]], [0, 1, 1], ks=[1, 2])
        {1: 0.3333333333333333, 2: 0.6666666666666666}
    """
    near, own = _checked(labels_of_neighbours, labels, ks)
    hits = np.logical_or.accumulate(near == own[:, None], axis=1)
    return {int(k): float(hits[:, k - 1].mean()) for k in ks}


def accuracy_at_k(labels_of_neighbours: ArrayLike, labels: ArrayLike, ks: Sequence[int]) -> dict[int, float]:
    """Share of the first k neighbours that are of the query's class, mean over queries, for each k.

    In [0, 1], higher is better; also called precision at k. It is a share of the neighbours whose class
    is known, so that an item that nobody labelled is no error; a query that has none of them within k
    has a share of 0.

    Example:
        >>> accuracy_at_k([[0, 1], [1, -1], [-1, -1]], [0, 1, 1], ks=[1, 2])
        {1: 0.6666666666666666, 2: 0.5}
    """
    near, own = _checked(labels_of_neighbours, labels, ks)
    right = (near == own[:, None]).cumsum(1)
    known = (near >= 0).cumsum(1)
    return {int(k): float((right[:, k - 1] / np.maximum(known[:, k - 1], 1)).mean()) for k in ks}


def _checked(labels_of_neighbours: ArrayLike, labels: ArrayLike, ks: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours' classes and the own class of every query that has one."""
    near, own = np.asarray(labels_of_neighbours), np.asarray(labels)
    if near.ndim != 2 or own.shape != near.shape[:1]:
        raise ValueError(
            f"labels_of_neighbours has shape {near.shape} and labels {own.shape}; "
            "expected (queries, neighbours) and (queries,)"
        )
    for name, array in (("labels_of_neighbours", near), ("labels", own)):
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} has type {array.dtype}; classes are integers, negative where unknown")
    for k in ks:
        if not 1 <= k <= near.shape[1]:
            raise ValueError(f"k is {k} and the table holds {near.shape[1]} neighbours; search for as many as max(ks)")
    known = own >= 0
    if not known.any():
        raise ValueError(f"none of the {len(own)} queries has a class; retrieval needs at least one that has")
    return near[known], own[known]
