"""Search through all vectors, or through some, where they lie: exact, and nothing is built."""

from functools import cached_property
from typing import Any

import faiss
import numpy as np

from affectspace.neighbours.ranking import SPARE, nearest

__all__ = ["Among", "Scan", "best", "exact", "told"]

GATHERED = 65_536  # vectors copied together at a time


def told(squared: np.ndarray) -> np.ndarray:
    """Distances as people are told them, float32."""
    return np.sqrt(squared).astype(np.float32)


class Among:
    """Who may be found, in the forms that are asked for, each made once.

    Args:
        mask: bool ``(n,)``.
    """

    def __init__(self, mask: np.ndarray):
        self.mask = mask
        self._per_list: np.ndarray | None = None

    @cached_property
    def rows(self) -> np.ndarray:
        """Those who may, ascending."""
        return np.flatnonzero(self.mask)

    @cached_property
    def selector(self) -> Any:
        """As faiss asks for it."""
        bitmap: Any = faiss.IDSelectorBitmap
        self._bits = np.packbits(self.mask, bitorder="little")
        return bitmap(self._bits)

    def per_list(self, list_of: np.ndarray, lists: int) -> np.ndarray:
        """How many each list holds, int64 ``(lists,)``."""
        if self._per_list is None:
            self._per_list = np.bincount(list_of[self.rows], minlength=lists)
        return self._per_list


class Scan:
    """Vectors that are all looked at.

    Args:
        vectors: contiguous float32 ``(n, dimensions)``, mapped or held.
        longest: length of the longest.
    """

    def __init__(self, vectors: np.ndarray, longest: float):
        self.vectors, self.longest, self.items = vectors, longest, len(vectors)

    def find(self, queries: np.ndarray, wide: int, allowed: Any) -> tuple[np.ndarray, np.ndarray]:
        """As :class:`~affectspace.neighbours.ranking.Searched` asks."""
        found, rows = np.empty((len(queries), wide), np.float32), np.empty((len(queries), wide), np.int64)
        x, held, distances, labels = (faiss.swig_ptr(array) for array in (queries, self.vectors, found, rows))
        faiss.knn_L2sqr(x, held, queries.shape[1], len(queries), self.items, wide, distances, labels, None, allowed)
        return found, rows

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of these rows."""
        return self.vectors[rows]


def exact(
    vectors: np.ndarray, longest: float, queries: np.ndarray, k: int, rows: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances and rows ``(q, k)`` of the nearest, of equal ones the lower row first.

    Args:
        vectors, longest: as of :class:`Scan`.
        queries: float32 ``(q, dimensions)``.
        k: how many.
        rows: who may be found, ascending; None for all.
    """
    if rows is None:
        return nearest(Scan(vectors, longest), queries, k, k + SPARE, None, len(vectors), told, complete=True)
    parts = []
    for start in range(0, len(rows), GATHERED):
        some = rows[start : start + GATHERED]
        held = np.ascontiguousarray(vectors[some])
        squared, places = nearest(
            Scan(held, longest), queries, k, k + SPARE, faiss.IDSelectorAll(), len(some), told, complete=True
        )
        parts.append((squared, np.where(places < 0, -1, some[places])))
    return best(parts, len(queries), k)


def best(parts: list[tuple[np.ndarray, np.ndarray]], queries: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of several answers, of equal ones the lower row first; infinite and -1 where there are fewer.

    Example:
        >>> one, other = (np.array([[1.0, 4.0]]), np.array([[7, 2]])), (np.array([[1.0, np.inf]]), np.array([[3, -1]]))
        >>> best([one, other], 1, 3)
        (array([[1., 1., 4.]]), array([[3, 7, 2]]))
    """
    empty = np.full((queries, k), np.inf), np.full((queries, k), -1, np.int64)
    squared, rows = (np.concatenate(arrays, axis=1) for arrays in zip(empty, *parts))
    last = np.iinfo(np.int64).max
    order = np.lexsort((np.where(rows < 0, last, rows), told(squared)))[:, :k]
    return np.take_along_axis(squared, order, 1), np.take_along_axis(rows, order, 1)
