"""Inverted lists on disk, mapped and never read whole: trained, filled, measured, and searched."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np

from affectspace.neighbours.indexes import SAMPLE, find
from affectspace.neighbours.nearest import RECALL, SAMPLED
from affectspace.neighbours.ranking import SPARE, nearest
from affectspace.space.engines.manifest import Kind
from affectspace.space.engines.scan import Among, Scan, told

__all__ = ["Lists", "Settings", "write_lists"]

BLOCK = 65_536  # rows assigned at a time
MOST = 65_536  # lists
PART = 4  # numbers that one byte of a compressed vector stands for
HELD = 1 << 22  # distances of queries to lists that are ranked at a time
WIDEST = 256  # candidates for each neighbour wanted, where vectors are compressed
LISTS, SIZES, OF, CENTRES, CODES = "lists.bin", "sizes.npy", "list_of.npy", "centres.npy", "codes.npy"


class Settings(NamedTuple):
    """How lists are searched so that enough is found, as measured when they were built.

    Args:
        probes: lists looked into.
        looked: items in them, on average.
        wide: candidates for each neighbour wanted, whose distances are taken anew.
        recall: share of the 10 nearest found by that.
    """

    probes: int
    looked: int
    wide: int
    recall: float


class Lists:
    """The lists of a segment.

    Args:
        folder: of their files, as :func:`write_lists` has written them.
        vectors: of the segment, mapped.
        longest: length of the longest.
        settings: how to search; None as long as that is not known.
    """

    def __init__(self, folder: Path, vectors: np.ndarray, longest: float, settings: Settings | None = None):
        self.vectors, self.longest, self.settings = vectors, longest, settings
        self.sizes = np.load(folder / SIZES)
        self.list_of = np.load(folder / OF, mmap_mode="r")
        self.centres = np.load(folder / CENTRES)
        self._index = _index(self.centres, np.load(folder / CODES) if (folder / CODES).exists() else None)
        self._index.ntotal = len(vectors)
        self._index.own_invlists = False
        self._mapped = _mapped(folder / LISTS, self.sizes, self._index.code_size)
        self._index.replace_invlists(self._mapped, False)
        self.d = vectors.shape[1]

    def search(
        self, queries: np.ndarray, k: int, among: Among | None, settings: Settings | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and rows ``(q, k)`` of the nearest, among all or among some.

        Among some, lists that hold none of them are passed over, and so many others are looked into that they hold as
        many of these items as were looked at when recall was measured: what is left out of a space is a space, too,
        whose neighbours lie as many items apart.
        """
        chosen = settings or self.settings
        assert chosen is not None
        allowed, per_list, enough, count = None, self.sizes, None, len(self.vectors)
        if among is not None:
            allowed, per_list = among.selector, among.per_list(self.list_of, len(self.sizes))
            enough, count = chosen.looked, len(among.rows)
        wide = max(k + SPARE, chosen.wide * k) if chosen.wide > 1 else k + SPARE
        view = _View(self, per_list, enough, chosen.probes)
        return nearest(view, queries, k, wide, allowed, count, told, complete=False)

    def measure(self, kind: Kind) -> Settings:
        """The least that finds :data:`RECALL` of the 10 nearest of sampled items, told by distance."""
        n, most = len(self.vectors), len(self.sizes)
        sampled = np.sort(np.random.default_rng(0).choice(n, min(SAMPLED, n), replace=False))
        queries, k = np.ascontiguousarray(self.vectors[sampled]), min(10, n - 1)
        exact = nearest(Scan(self.vectors, self.longest), queries, k + 1, k + 1 + SPARE, None, n, told, complete=True)
        farthest = exact[0][:, -1:]  # of the others: the item itself is the first, or lies where it does

        def settings(probes: int, wide: int) -> Settings:
            tried = Settings(probes, 0, wide, 0.0)
            squared, _ = self.search(queries, k + 1, None, tried)
            found = (squared <= farthest).sum() - len(queries)  # the item itself, too
            keys = (
                np.argpartition(_coarse(self.centres, queries), probes - 1, axis=1)[:, :probes]
                if probes < most
                else None
            )
            looked = n if keys is None else int(self.sizes[keys].sum(1).mean())
            return Settings(probes, looked, wide, float(found / (k * len(queries))))

        wide = 1
        if kind == "ivf-pq":
            wide = 4
            while wide < WIDEST and settings(most, wide).recall < (1 + RECALL) / 2:
                wide *= 2
        low, high = 0, 1
        while high < most and settings(high, wide).recall < RECALL:
            low, high = high, min(2 * high, most)
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            low, high = (low, middle) if settings(middle, wide).recall >= RECALL else (middle, high)
        return settings(high, wide)


class _View:
    """Lists as :func:`~affectspace.neighbours.ranking.nearest` ranks them."""

    def __init__(self, lists: Lists, per_list: np.ndarray, enough: int | None, probes: int):
        self.lists, self.per_list, self.enough, self.probes = lists, per_list, enough, probes
        self.items, self.longest = len(lists.vectors), lists.longest

    def find(self, queries: np.ndarray, wide: int, allowed: Any) -> tuple[np.ndarray, np.ndarray]:
        step = len(queries) if self.enough is None else max(1, HELD // len(self.per_list))
        parts = [self._find(queries[start : start + step], wide, allowed) for start in range(0, len(queries), step)]
        return np.concatenate([found for found, _ in parts]), np.concatenate([rows for _, rows in parts])

    def _find(self, queries: np.ndarray, wide: int, allowed: Any) -> tuple[np.ndarray, np.ndarray]:
        index = self.lists._index
        if self.enough is None:
            gaps, keys = find(index.quantizer, queries, self.probes, None)
        else:
            all_gaps = _coarse(self.lists.centres, queries)
            all_gaps[:, self.per_list == 0] = np.inf
            order = np.argsort(all_gaps, axis=1, kind="stable")
            reached = np.cumsum(self.per_list[order], axis=1) >= min(self.enough, self.per_list.sum())
            needed = reached.argmax(1) + 1
            keys = order[:, : int(needed.max())].astype(np.int64)
            gaps = np.take_along_axis(all_gaps, keys, 1).astype(np.float32)
            keys[np.arange(keys.shape[1]) >= needed[:, None]] = -1  # faiss passes over it
        kind: Any = faiss.SearchParametersIVF
        parameters = kind(nprobe=keys.shape[1], **({} if allowed is None else {"sel": allowed}))
        found, rows = np.empty((len(queries), wide), np.float32), np.empty((len(queries), wide), np.int64)
        keys, gaps = np.ascontiguousarray(keys), np.ascontiguousarray(gaps)
        x, near, far, distances, labels = (faiss.swig_ptr(array) for array in (queries, keys, gaps, found, rows))
        index.search_preassigned_c(len(queries), x, wide, near, far, distances, labels, False, parameters)
        rows[(rows < 0) | (rows >= self.items)] = -1
        return found, rows

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self.lists.vectors[rows]


def write_lists(folder: Path, vectors: np.ndarray, kind: Kind, seed: int = 0) -> None:
    """Train lists on a sample of vectors, and write them all into lists, block by block.

    There are some ``4 sqrt(n)`` of them. Beside a sample of 40 vectors a list, only blocks are held.

    Args:
        folder: to write to.
        vectors: float32, mapped.
        kind: ``ivf`` or ``ivf-pq``, whose lists hold a byte for four numbers.
        seed: of the sample and of k-means.
    """
    n, d = vectors.shape
    count = max(1, min(round(4 * n**0.5), n // SAMPLE, MOST))
    drawn = np.sort(np.random.default_rng(seed).choice(n, min(n, SAMPLE * count), replace=False))
    index = _empty(d, count, kind == "ivf-pq")
    index.cp.seed, index.cp.min_points_per_centroid = seed, 1
    index.train(np.ascontiguousarray(vectors[drawn]))
    np.save(folder / CENTRES, index.quantizer.reconstruct_n(0, count))
    if kind == "ivf-pq":
        np.save(folder / CODES, faiss.vector_to_array(index.pq.centroids))
    sizes = np.zeros(count, np.int64)
    with open(folder / OF, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i4", "fortran_order": False, "shape": (n,)})
        for start in range(0, n, BLOCK):
            lists_of = find(index.quantizer, np.ascontiguousarray(vectors[start : start + BLOCK]), 1, None)[1][:, 0]
            sizes += np.bincount(lists_of, minlength=count)
            file.write(lists_of.astype("<i4").tobytes())
    np.save(folder / SIZES, sizes)
    _fill(folder, vectors, index, sizes)


def _fill(folder: Path, vectors: np.ndarray, index: Any, sizes: np.ndarray) -> None:
    """Every list is its codes, then its rows; each block is put where its lists have come to."""
    code, list_of = index.code_size, np.load(folder / OF, mmap_mode="r")
    offsets, done = _offsets(sizes, code), np.zeros_like(sizes)
    with open(folder / LISTS, "wb") as file:
        os.truncate(file.fileno(), int(offsets[-1]))
        for start in range(0, len(vectors), BLOCK):
            block, lists = (
                np.ascontiguousarray(vectors[start : start + BLOCK]),
                np.asarray(list_of[start : start + BLOCK]),
            )
            codes = np.empty((len(block), code), np.uint8)
            keys = np.ascontiguousarray(lists, np.int64)
            index.encode_vectors(len(block), *(faiss.swig_ptr(array) for array in (block, keys, codes)))
            order = np.argsort(lists, kind="stable")
            codes, rows = codes[order], (start + order).astype("<i8")
            names, begins, counts = np.unique(lists[order], return_index=True, return_counts=True)
            for name, begin, many in zip(names.tolist(), begins.tolist(), counts.tolist()):
                at = int(offsets[name])
                os.pwrite(file.fileno(), codes[begin : begin + many].tobytes(), at + int(done[name]) * code)
                os.pwrite(
                    file.fileno(),
                    rows[begin : begin + many].tobytes(),
                    at + int(sizes[name]) * code + int(done[name]) * 8,
                )
                done[name] += many


def _offsets(sizes: np.ndarray, code: int) -> np.ndarray:
    """Where each list begins, and where all end."""
    return np.concatenate([[0], np.cumsum(sizes * (code + 8))])


def _empty(d: int, count: int, compressed: bool) -> Any:
    quantiser: Any = faiss.IndexFlat(d, faiss.METRIC_L2)
    if compressed:
        parts = next(part for part in range(-(-d // PART), d + 1) if d % part == 0)
        index: Any = faiss.IndexIVFPQ(quantiser, d, count, parts, 8)
        index.use_precomputed_table = -1  # it would need memory for every list
        index.pq.cp.min_points_per_centroid = 1
    else:
        index = faiss.IndexIVFFlat(quantiser, d, count, faiss.METRIC_L2)
    return index


def _index(centres: np.ndarray, codes: np.ndarray | None) -> Any:
    index = _empty(centres.shape[1], len(centres), codes is not None)
    index.quantizer.add(centres)
    if codes is not None:
        faiss.copy_array_to_vector(codes, index.pq.centroids)
    index.is_trained = True
    return index


def _mapped(path: Path, sizes: np.ndarray, code: int) -> Any:
    """The lists as faiss maps them, which asks for the size, the room and the place of each."""
    lists: Any = faiss.OnDiskInvertedLists()
    lists.nlist, lists.code_size, lists.filename = len(sizes), code, str(path)
    lists.totsize, lists.read_only, lists.prefetch_nthread = int(_offsets(sizes, code)[-1]), True, 0
    lists.lists.resize(len(sizes))
    entries = np.ascontiguousarray(np.stack([sizes, sizes, _offsets(sizes, code)[:-1]], 1), np.uint64)
    faiss.memcpy(lists.lists.data(), faiss.swig_ptr(entries), entries.nbytes)
    lists.do_mmap()
    return lists


def _coarse(centres: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Squared distances ``(q, lists)`` to the centres."""
    gaps = np.empty((len(queries), len(centres)), np.float32)
    x, y, far = (faiss.swig_ptr(array) for array in (queries, centres, gaps))
    faiss.pairwise_L2sqr(centres.shape[1], len(queries), x, len(centres), y, far)
    return gaps
