"""Nearest neighbours of embedded items: exact up to some hundred thousand, by inverted lists beyond."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import ArrayLike

from affectspace.neighbours.indexes import (
    Metric,
    as_queries,
    exact_index,
    find,
    inverted_index,
    read,
    selector,
    threads_of_torch,
)
from affectspace.neighbours.ranking import SPARE, nearest

__all__ = ["EXACT_UP_TO", "RECALL", "Neighbours"]

EXACT_UP_TO = 200_000
"""Up to so many items ``kind="auto"`` is exact."""

RECALL = 0.99
"""What an approximate search is set to find of the 10 nearest, measured when it is built."""

QUERIES = 1024  # answered at a time
SAMPLED = 200  # queries that recall is measured with


class Neighbours:
    """Answers which items are nearest, to any vector or to each item.

    Distances are Euclidean, or ``1 - cosine`` in [0, 2]. A zero vector has no direction: its cosine
    distance is 0 from another zero vector and 1, a right angle, from everything else.

    **Exact** search finds the k nearest by distances that are right to the last digit of float32. Of
    equal distances the lower row comes first, also where that decides who is among the k; so the same
    items always give the same answer.

    **Approximate** search (inverted lists) looks into as many lists as found :data:`RECALL` of the 10
    nearest of 200 sampled items, and keeps the same order among what it finds. With a filter it looks
    into all lists, and is exact in whom it finds.

    Vectors are copied once, into the index, in blocks; a memory-mapped array is never read whole. As
    many threads are used as torch uses (``torch.set_num_threads``), and faiss's own number is left alone.
    It may be searched from several threads.

    Args:
        vectors: shape ``(n, dimensions)``, at least one, finite; held as float32.
        metric: ``"euclidean"`` or ``"cosine"``.
        kind: ``"exact"``, ``"ivf"`` (approximate), or ``"auto"``: exact up to :data:`EXACT_UP_TO` items.

    Attributes:
        recall: share of the 10 nearest that the search finds, 1.0 when exact.

    Raises:
        ValueError: no vectors, another shape, values that are not finite or above 1e15 (naming the
            row), or an unknown metric or kind.

    Source: Johnson, Douze & Jégou, "Billion-scale similarity search with GPUs", 2019 (faiss).

    Example:
        >>> near = Neighbours(np.array([[0.0], [1.0], [3.0], [7.0]]))
        >>> distances, rows = near.search([[2.5]], k=2)
        >>> distances.tolist(), rows.tolist()
        ([[0.5, 1.5]], [[2, 1]])
        >>> near.search([[2.5]], k=3, among=[0, 3])[1].tolist()
        [[0, 3, -1]]
        >>> near.of_items(1)[1].ravel().tolist()
        [1, 0, 1, 2]
    """

    def __init__(
        self, vectors: ArrayLike, metric: Metric = "euclidean", kind: Literal["auto", "exact", "ivf"] = "auto"
    ):
        array = vectors if isinstance(vectors, np.ndarray) else np.asarray(vectors)
        if array.ndim != 2 or not array.size:
            raise ValueError(f"vectors has shape {array.shape}; expected (items, dimensions), at least one of each")
        if metric not in ("euclidean", "cosine"):
            raise ValueError(f"metric is {metric!r}; it is 'euclidean' or 'cosine'")
        if kind not in ("auto", "exact", "ivf"):
            raise ValueError(f"kind is {kind!r}; it is 'auto', 'exact' or 'ivf'")
        self.metric: Metric = metric
        self.kind = kind if kind != "auto" else "exact" if len(array) <= EXACT_UP_TO else "ivf"
        self.recall = 1.0
        self._index: Any
        with threads_of_torch():
            if self.kind == "exact":
                self._index, self._longest = exact_index(array, metric)
            else:
                self._index, self._longest = inverted_index(array, metric, seed=0)
                self._lists, self.recall = self._enough_lists()

    def __len__(self) -> int:
        return self._index.ntotal

    def search(self, queries: ArrayLike, k: int, among: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The k items nearest to each query, nearest first, of equal ones the lower row first.

        Args:
            queries: shape ``(q, dimensions)``, finite.
            k: how many, at least 1.
            among: who may be found: a mask ``(n,)`` of bool, or rows; None: everybody.

        Returns:
            Distances ``(q, k)`` float32 and rows ``(q, k)`` int64; where there are fewer than k, the rows
            are -1 and the distances infinite.

        Raises:
            ValueError: shapes that do not match, values as for the class, k below 1, rows outside.
        """
        _check_k(k)
        asked = np.asarray(queries)
        dimensions = self._index.d - (self.metric == "cosine")
        if asked.ndim != 2 or asked.shape[1] != dimensions:
            raise ValueError(f"queries has shape {asked.shape}; expected (items, {dimensions})")
        given = as_queries(asked, self.metric, "queries")
        allowed, count = selector(among, len(self))
        distances, rows = _nothing(len(given), k)
        if count:
            with threads_of_torch():
                for start in range(0, len(given), QUERIES):
                    part = slice(start, start + QUERIES)
                    squared, rows[part] = self._nearest(given[part], k, k + SPARE, allowed, count)
                    distances[part] = self._distances(squared)
        return distances, rows

    def of_items(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k items nearest to each item, without itself: as :meth:`search`, ``(n, k)`` each."""
        _check_k(k)
        distances, rows = _nothing(len(self), k)
        for start in range(0, len(self), QUERIES):
            items = np.arange(start, min(start + QUERIES, len(self)))
            with threads_of_torch():
                squared, found = self._nearest(read(self._index, items), k + 1, k + 1 + SPARE, None, len(self))
            kept = _others(items, found)
            rows[items] = found[kept].reshape(-1, k)
            distances[items] = self._distances(squared)[kept].reshape(-1, k)
        return distances, rows

    def _nearest(
        self, queries: np.ndarray, k: int, wide: int, allowed: Any, count: int, lists: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        complete = self.kind == "exact" or allowed is not None
        searched = _Searched(self._index, len(self), self._longest, lambda given: self._parameters(given, lists))
        return nearest(searched, queries, k, wide, allowed, count, self._distances, complete)

    def _distances(self, squared: np.ndarray) -> np.ndarray:
        return (np.sqrt(squared) if self.metric == "euclidean" else squared / 2).astype(np.float32)

    def _parameters(self, allowed: Any, lists: int | None) -> Any:
        kind: Any = faiss.SearchParameters if self.kind == "exact" else faiss.SearchParametersIVF
        chosen: dict[str, Any] = {} if allowed is None else {"sel": allowed}
        if self.kind == "ivf":
            chosen["nprobe"] = self._index.nlist if allowed is not None else lists or self._lists
        return kind(**chosen)

    def _enough_lists(self) -> tuple[int, float]:
        """The fewest lists that find RECALL of the neighbours of sampled items, and what they find."""
        items = np.sort(np.random.default_rng(0).choice(len(self), min(SAMPLED, len(self)), replace=False))
        queries, k = read(self._index, items), min(10, len(self) - 1)

        def found(lists: int) -> np.ndarray:
            squared, rows = self._nearest(queries, k + 1, k + 1 + SPARE, None, len(self), lists)
            return squared[_others(items, rows)].reshape(-1, k)

        most = self._index.nlist
        if not k:
            return most, 1.0
        # Told by distance: of equally near items it does not matter which were found.
        farthest = found(most).max(1)[:, None]

        def recall(lists: int) -> float:
            return float((found(lists) <= farthest).mean())

        low, high = 0, 1
        while high < most and recall(high) < RECALL:
            low, high = high, min(2 * high, most)
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            low, high = (low, middle) if recall(middle) >= RECALL else (middle, high)
        return high, recall(high)


@dataclass(frozen=True)
class _Searched:
    """An index of faiss, as :func:`~affectspace.neighbours.ranking.nearest` ranks it."""

    index: Any
    items: int
    longest: float
    parameters: Callable[[Any], Any]

    def find(self, queries: np.ndarray, wide: int, allowed: Any) -> tuple[np.ndarray, np.ndarray]:
        return find(self.index, queries, wide, self.parameters(allowed))

    def read(self, rows: np.ndarray) -> np.ndarray:
        return read(self.index, rows)


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}; ask for at least 1 neighbour")


def _nothing(queries: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((queries, k), np.inf, np.float32), np.full((queries, k), -1, np.int64)


def _others(items: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which entries to keep so that each row loses its own item, or its last where that is not found."""
    own = rows == items[:, None]
    own[~own.any(1), -1] = True
    return ~own
