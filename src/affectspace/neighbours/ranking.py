"""Who the k nearest are, told from what an index finds: distances taken anew, equals told apart by their rows."""

from collections.abc import Callable
from typing import Any, Protocol

import faiss
import numpy as np

__all__ = ["SPARE", "Searched", "filled", "nearest"]

SPARE = 16  # more are asked for than wanted, so that the order among equals can be told
PAIRS = 2**15  # whose distances are taken at a time
EPS = float(np.finfo(np.float32).eps)
ENTRIES = 2**20  # found at a time


class Searched(Protocol):
    """What is ranked: vectors behind an index that finds candidates by distances of float32."""

    @property
    def items(self) -> int:
        """How many."""
        ...

    @property
    def longest(self) -> float:
        """Length of the longest vector."""
        ...

    def find(self, queries: np.ndarray, wide: int, allowed: Any) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and rows ``(q, wide)`` of the nearest, -1 for none; ``allowed`` is a selector or None."""
        ...

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of these rows, float32 ``(rows, dimensions)``."""
        ...


def nearest(
    searched: Searched,
    queries: np.ndarray,
    k: int,
    wide: int,
    allowed: Any,
    count: int,
    told: Callable[[np.ndarray], np.ndarray],
    complete: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances and rows ``(q, k)``, chosen from the ``wide`` nearest that the index finds.

    The distances of what faiss finds are taken anew, since it ranks by float32: without a filter by
    products, which miss by some digits of the vectors' lengths, with one by differences, which miss
    by some digits of the distance. So whom it left out is no nearer than its last one, up to that.
    Queries for which this does not settle who the k nearest are, be it that all lie close together
    far from zero or that many are equally near, ask again by differences, and then for more.

    Args:
        searched: what is searched.
        queries: float32 ``(q, dimensions)``.
        k, wide: how many are wanted, and how many candidates are asked for.
        allowed: a selector of faiss, or None for everybody.
        count: how many are allowed.
        told: squared distances, float64, to those that people are told; what is equal there is equal.
        complete: whether the index misses nobody but by the digits of float32; else what it finds is all there is.
    """
    wide = min(wide, count)
    most = max(1, ENTRIES // wide)
    if len(queries) > most:
        parts = [queries[start : start + most] for start in range(0, len(queries), most)]
        both = [nearest(searched, part, k, wide, allowed, count, told, complete) for part in parts]
        return np.concatenate([one for one, _ in both]), np.concatenate([other for _, other in both])
    queries = np.ascontiguousarray(queries)  # faiss is given a pointer
    found, rows = searched.find(queries, wide, allowed)
    squared = _squared(searched, queries, rows)
    order = np.lexsort((np.where(rows < 0, searched.items, rows), told(squared)))[:, :k]
    best, names = filled(np.take_along_axis(squared, order, 1), np.take_along_axis(rows, order, 1), k)
    if wide == count or not complete:
        return best, names
    last = found[:, -1].astype(np.float64)
    if allowed is None:
        lengths = np.sqrt(np.einsum("nd,nd->n", queries, queries, dtype=np.float64))
        bound = np.maximum(last - 8 * EPS * (lengths + searched.longest) ** 2, 0)
    else:
        bound = last * max(0, 1 - queries.shape[1] * EPS)
    unsettled = told(best[:, -1]) >= told(bound)
    if unsettled.any():
        distinct, back = np.unique(queries[unsettled], axis=0, return_inverse=True)
        wider = wide if allowed is None else 4 * wide
        again = nearest(searched, distinct, k, wider, allowed or faiss.IDSelectorAll(), count, told, complete)
        best[unsettled], names[unsettled] = (array[back.ravel()] for array in again)
    return best, names


def filled(squared: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The same with k columns, where fewer were found."""
    short = ((0, 0), (0, k - rows.shape[1]))
    return np.pad(squared, short, constant_values=np.inf), np.pad(rows, short, constant_values=-1)


def _squared(searched: Searched, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Squared distances ``(q, wide)`` float64 of the pairs, infinite where the row is -1."""
    squared = np.full(rows.shape, np.inf)
    flat, named = squared.reshape(-1), rows.reshape(-1)
    for start in range(0, len(named), PAIRS):
        pair = start + np.flatnonzero(named[start : start + PAIRS] >= 0)
        gap = np.subtract(queries[pair // rows.shape[1]], searched.read(named[pair]), dtype=np.float64)
        flat[pair] = np.einsum("nd,nd->n", gap, gap)
    return squared
