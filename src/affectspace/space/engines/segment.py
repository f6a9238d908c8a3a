"""A segment: a folder with some items of an index, written once, mapped and never changed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from affectspace.errors import InputError
from affectspace.space.engines.columns import KINDS, VECTOR
from affectspace.space.engines.lists import Lists, Settings, write_lists
from affectspace.space.engines.manifest import Kind
from affectspace.space.engines.scan import Among, exact

__all__ = ["ROWS", "Segment", "hashes_of", "write_segment"]

ROWS = 65_536  # of a batch of the table, so that the batch of a row is known
VECTORS, ITEMS, HASHES, PLACES = "vectors.npy", "items.arrow", "hashes.npy", "places.npy"
FEW = 32_768  # items that are all looked at sooner than lists are


class Segment:
    """Items of an index that were added together.

    Args:
        folder: as :func:`write_segment` has written it.
        entry: what it has told of it.
        first: the row of its first item in the index.
        dead: of its items those whose place others have taken since, bool; None for nobody.

    Raises:
        InputError: a file is not there or of another size, or cannot be read.
    """

    def __init__(self, folder: Path, entry: Mapping[str, Any], first: int, dead: np.ndarray | None):
        for name, size in entry["bytes"].items():
            has = (folder / name).stat().st_size if (folder / name).is_file() else None
            if has != size:
                told = "is not there" if has is None else f"has {has:,} bytes of {size:,}"
                raise InputError(f"{folder / name} {told}: the index is damaged; build it again with affectspace index")
        self.name, self.entry, self.first = folder.name, entry, first
        self.live = None if dead is None or not dead.any() else ~dead
        self._living = None if self.live is None else Among(self.live)
        self.count = int(entry["items"]) if self.live is None else int(self.live.sum())
        try:
            self.vectors = np.load(folder / VECTORS, mmap_mode="r")
            self.hashes = np.load(folder / HASHES, mmap_mode="r")
            self.places = np.load(folder / PLACES, mmap_mode="r")
            self._map = pa.memory_map(str(folder / ITEMS))
            self.items = pa.ipc.open_file(self._map).read_all()
            self._batches = self.items.to_batches()
            settings = Settings(*entry["search"]) if entry["search"] else None
            self._looked = settings.looked if settings else 0
            self._lists = Lists(folder, self.vectors, entry["longest"], settings) if settings else None
        except (OSError, ValueError, pa.ArrowException) as error:
            raise InputError(
                f"{folder} cannot be read ({str(error).splitlines()[0]}): the index is damaged; build it again with "
                "affectspace index"
            ) from error

    def search(self, queries: np.ndarray, k: int, among: Among | None) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and rows of the index ``(q, k)`` of the nearest that count.

        Args:
            queries: float32 ``(q, dimensions)``.
            k: how many.
            among: who may be found, nobody that does not count; None for all that do.
        """
        among = among or self._living
        if among is not None and not len(among.rows):
            return np.full((len(queries), k), np.inf), np.full((len(queries), k), -1, np.int64)
        if self._lists and (among is None or len(among.rows) > max(FEW, self._looked)):
            squared, places = self._lists.search(queries, k, among)
        else:
            rows = None if among is None else among.rows
            squared, places = exact(self.vectors, self.entry["longest"], queries, k, rows)
        return squared, np.where(places < 0, -1, places + self.first)

    def find(self, ids: Sequence[str], hashes: np.ndarray) -> np.ndarray:
        """The row in this segment of each id that counts, -1 where there is none; int64 ``(ids,)``."""
        found = np.full(len(ids), -1, np.int64)
        left, right = (np.searchsorted(self.hashes, hashes, side) for side in ("left", "right"))
        for place in np.flatnonzero(right > left).tolist():
            for row in self.places[left[place] : right[place]].tolist():
                same = self._batches[row // ROWS].column(0)[row % ROWS].as_py() == ids[place]
                if same and (self.live is None or self.live[row]):
                    found[place] = row
        return found

    def take(self, rows: np.ndarray) -> pa.Table:
        """The items of these rows of the segment, without their vectors, in this order."""
        parts = [self._batches[row // ROWS].slice(row % ROWS, 1) for row in rows.tolist()]
        return pa.Table.from_batches(parts, self.items.schema).combine_chunks()

    def ids(self, rows: np.ndarray) -> list[str]:
        """The ids of these rows of the segment."""
        return [self._batches[row // ROWS].column(0)[row % ROWS].as_py() for row in rows.tolist()]

    def blocks(self) -> Iterable[tuple[pa.RecordBatch, np.ndarray]]:
        """All items that count, with their vectors, in batches."""
        start = 0
        for batch in self._batches:
            rows = slice(start, start + len(batch))
            start += len(batch)
            if self.live is None:
                yield batch, self.vectors[rows]
            else:
                alive = self.live[rows]
                yield batch.filter(pa.array(alive)), self.vectors[rows][alive]


def write_segment(
    folder: Path,
    blocks: Iterable[tuple[pa.RecordBatch, np.ndarray]],
    items: int,
    dimensions: int,
    columns: Mapping[str, str],
    kind: Kind,
) -> dict[str, Any]:
    """Write a segment into an empty folder, block by block.

    Args:
        folder: to write to.
        blocks: items, ``id`` first, and their vectors.
        items: how many these are.
        dimensions: of the vectors.
        columns: kind of each other column.
        kind: how it is to be searched.

    Returns:
        What the manifest keeps of it: its ``items``, the length of its ``longest`` vector, its ``kind`` and ``recall``,
        how it is searched (``search``), and the ``bytes`` of its files.
    """
    schema = pa.schema([("id", pa.string()), *((name, KINDS[kind_]) for name, kind_ in columns.items())])
    longest, hashes = 0.0, []
    with (
        open(folder / VECTORS, "wb") as file,
        pa.OSFile(str(folder / ITEMS), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (items, dimensions)}
        )
        for batch, vectors in _even(blocks, schema):
            writer.write_batch(batch)
            file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
            longest = max(longest, float(np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64).max())))
            hashes.append(hashes_of(batch.column(0).to_pylist()))
    together = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
    order = np.argsort(together, kind="stable")
    np.save(folder / HASHES, together[order])
    np.save(folder / PLACES, order.astype(np.int64))
    settings = None
    if kind != "exact":
        vectors = np.load(folder / VECTORS, mmap_mode="r")
        write_lists(folder, vectors, kind)
        settings = Lists(folder, vectors, longest).measure(kind)
    return {
        "items": items,
        "longest": longest,
        "kind": kind,
        "recall": settings.recall if settings else 1.0,
        "search": list(settings) if settings else None,
        "bytes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }


def hashes_of(ids: Sequence[str]) -> np.ndarray:
    """64 bits of the hash of each id, uint64: by these an id is looked for, and then compared."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(digests, "<u8")


def _even(
    blocks: Iterable[tuple[pa.RecordBatch, np.ndarray]], schema: pa.Schema
) -> Iterable[tuple[pa.RecordBatch, np.ndarray]]:
    """The same in batches of exactly ROWS items, but for the last."""
    tables: list[pa.Table] = []
    arrays: list[np.ndarray] = []
    held = 0
    for batch, vectors in blocks:
        tables.append(pa.Table.from_batches([batch]).cast(schema))
        arrays.append(vectors)
        held += len(vectors)
        while held >= ROWS:
            table, array = pa.concat_tables(tables), np.concatenate(arrays)
            yield _batch(table.slice(0, ROWS)), array[:ROWS]
            tables, arrays, held = [table.slice(ROWS)], [array[ROWS:]], held - ROWS
    if held:
        yield _batch(pa.concat_tables(tables)), np.concatenate(arrays)


def _batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def with_vectors(table: pa.Table, vectors: np.ndarray) -> pa.Table:
    """A table with its vectors, behind the id."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])
    return table.add_column(1, VECTOR, lists)
