"""Indexes of vectors by faiss, filled in blocks so that the vectors are held once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import faiss
import numpy as np
import torch
from numpy.typing import ArrayLike

__all__ = [
    "Metric",
    "as_queries",
    "exact_index",
    "find",
    "inverted_index",
    "read",
    "selector",
    "threads_of_torch",
]

Metric = Literal["euclidean", "cosine"]

BLOCK = 8192  # rows brought to float32 at a time
FAR = 1e15  # squares of larger values would leave float32
SAMPLE = 40  # vectors a list that its centre is learned from; faiss asks for 39


@contextmanager
def threads_of_torch() -> Iterator[None]:
    """Let faiss use as many threads as torch does, and give it back its own number afterwards."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(torch.get_num_threads())
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def exact_index(vectors: np.ndarray, metric: Metric) -> tuple[Any, float]:
    """A flat index of all vectors, and the length of the longest."""
    n, d = len(vectors), _width(vectors, metric)
    index: Any = faiss.IndexFlat(d, faiss.METRIC_L2)
    # Adding block after block would double what is held, again and again; the room is made once.
    index.codes.resize(n * d * 4)
    index.ntotal = n
    held, longest = _held(index), 0.0
    for start in range(0, n, BLOCK):
        block = _block(vectors, start, metric)
        held[start : start + len(block)] = block
        longest = max(longest, _longest(block))
    return index, longest


def inverted_index(vectors: np.ndarray, metric: Metric, seed: int) -> tuple[Any, float]:
    """Inverted lists of all vectors, some ``4 sqrt(n)`` of them, and the length of the longest vector."""
    n, d = len(vectors), _width(vectors, metric)
    lists = max(1, min(round(4 * n**0.5), n // SAMPLE))
    quantiser: Any = faiss.IndexFlat(d, faiss.METRIC_L2)
    index: Any = faiss.IndexIVFFlat(quantiser, d, lists, faiss.METRIC_L2)
    index.cp.seed = seed
    index.cp.min_points_per_centroid = 1  # else it warns of the one list of very few items
    drawn = np.sort(np.random.default_rng(seed).choice(n, min(n, SAMPLE * lists), replace=False))
    index.train(as_queries(vectors[drawn], metric))
    # One pass finds how long each list will be, so that the other fills lists that never need to grow.
    lists_of, longest = np.empty(n, np.int64), 0.0
    for start in range(0, n, BLOCK):
        block = _block(vectors, start, metric)
        lists_of[start : start + len(block)] = find(quantiser, block, 1, None)[1][:, 0]
        longest = max(longest, _longest(block))
    for place, size in enumerate(np.bincount(lists_of, minlength=lists).tolist()):
        index.invlists.resize(place, size)
        index.invlists.resize(place, 0)  # the room stays
    for start in range(0, n, BLOCK):
        block = _block(vectors, start, metric)
        rows = np.arange(start, start + len(block))
        where = lists_of[start : start + len(block)]
        index.add_core(len(block), *(faiss.swig_ptr(array) for array in (block, rows, where)))
    index.make_direct_map()  # so that a vector can be read back by its row
    return index, longest


def find(index: Any, queries: np.ndarray, k: int, parameters: Any) -> tuple[np.ndarray, np.ndarray]:
    """What faiss finds: its own squared distances ``(q, k)`` float32, and rows ``(q, k)`` int64."""
    found, rows = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    # The method beneath faiss's own wrapper: faiss.contrib.torch_utils, which pytorch-metric-learning imports,
    # puts another in the wrapper's place for the whole process, and that one takes no parameters.
    x, distances, labels = (faiss.swig_ptr(array) for array in (queries, found, rows))
    index.search_c(len(queries), x, k, distances, labels, parameters)
    return found, rows


def read(index: Any, rows: np.ndarray) -> np.ndarray:
    """The vectors of these rows as the index holds them, float32 ``(rows, dimensions)``."""
    return _held(index)[rows] if isinstance(index, faiss.IndexFlat) else index.reconstruct_batch(rows)


def as_queries(vectors: np.ndarray, metric: Metric, name: str = "vectors", first: int = 0) -> np.ndarray:
    """Contiguous float32 rows whose Euclidean distances are meant; their squares are twice ``1 - cosine``.

    For the cosine, rows have length one, and one more column, which is 1 for zero vectors and 0 for others.

    Raises:
        ValueError: another type, or a row that is not finite or beyond 1e15; ``first`` is the number of
            the first row in it.
    """
    if vectors.dtype.kind not in "fiu":
        raise ValueError(f"{name} has type {vectors.dtype}; expected real numbers")
    if vectors.dtype.kind != "f" or vectors.itemsize < 4:
        vectors = vectors.astype(np.float32)
    # A NaN fails this comparison, too.
    good = (np.abs(vectors) <= FAR).all(1)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        worst = vectors[row][~(np.abs(vectors[row]) <= FAR)][0]
        raise ValueError(
            f"{name} holds {worst:g} in row {first + row}; neighbours need finite values up to {FAR:g}, "
            "so leave out or mend that item"
        )
    if metric == "euclidean":
        return np.ascontiguousarray(vectors, np.float32)
    # The largest entry first, so that the square of a tiny one stays in range.
    peak = np.abs(vectors).max(1, keepdims=True, initial=0).astype(np.float64)
    unit = vectors / np.where(peak > 0, peak, 1)
    length = np.sqrt(np.einsum("nd,nd->n", unit, unit))[:, None]
    return np.hstack([unit / np.where(length > 0, length, 1), length == 0]).astype(np.float32)


def _width(vectors: np.ndarray, metric: Metric) -> int:
    """Columns of :func:`as_queries`."""
    return vectors.shape[1] + (metric == "cosine")


def selector(among: ArrayLike | None, n: int) -> tuple[Any, int]:
    """What faiss may find, from a mask ``(n,)`` or rows, and how many they are; None for everybody."""
    if among is None:
        return None, n
    given = np.asarray(among)
    if given.dtype == bool and given.shape == (n,):
        mask = given
    elif given.ndim == 1 and (given.dtype.kind in "iu" or not given.size):
        rows = given.astype(np.int64)
        outside = rows[(rows < 0) | (rows >= n)]
        if len(outside):
            raise ValueError(f"among holds row {outside[0]}, outside 0..{n - 1}")
        mask = np.zeros(n, bool)
        mask[rows] = True
    else:
        raise ValueError(
            f"among has type {given.dtype} and shape {given.shape}; "
            f"expected a mask of bool ({n},) or rows, integers (rows,)"
        )
    bitmap: Any = faiss.IDSelectorBitmap
    return bitmap(np.packbits(mask, bitorder="little")), int(mask.sum())


def _held(index: Any) -> np.ndarray:
    """A view, no copy, of what a flat index holds."""
    return faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)


def _block(vectors: np.ndarray, start: int, metric: Metric) -> np.ndarray:
    return as_queries(np.asarray(vectors[start : start + BLOCK]), metric, first=start)


def _longest(block: np.ndarray) -> float:
    return float(np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.float64).max()))
