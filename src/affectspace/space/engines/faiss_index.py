"""An index on this machine's disk, searched by faiss: segments, and a manifest that is renamed last."""

import shutil
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from affectspace.errors import InputError
from affectspace.files import atomic_directory, atomic_path, held, sweep, write_text
from affectspace.neighbours.indexes import as_queries, threads_of_torch
from affectspace.neighbours.nearest import EXACT_UP_TO, QUERIES
from affectspace.space.conditions import refuse_nobody
from affectspace.space.engines.columns import KINDS, conform
from affectspace.space.engines.manifest import Kind, Manifest
from affectspace.space.engines.protocol import Found
from affectspace.space.engines.queries import as_asked
from affectspace.space.engines.scan import Among, best, told
from affectspace.space.engines.segment import Segment, hashes_of, with_vectors, write_segment
from affectspace.space.engines.where import matching_parts

__all__ = ["IVF_UP_TO", "MANIFEST", "MOST_SEGMENTS", "FaissIndex"]

MANIFEST = "manifest.json"
IVF_UP_TO = 4_000_000
"""Up to so many items their vectors stand in the lists; beyond, a byte for four numbers does."""

MOST_SEGMENTS = 32
"""With more of them the newest are made one."""

CODES = 256  # values of a byte, which as many vectors are needed to learn
KEPT = 8  # answers to conditions


class FaissIndex:
    """An index in a folder. Nothing of it is read whole, so that it may be larger than memory.

    What is added is a **segment**: the vectors (``vectors.npy``), all else that is known (``items.arrow``), and sorted
    hashes of the ids. It is written beside the index, flushed, and renamed, and then the manifest, which names it, is:
    so a process that is killed leaves the index as it was before or after, and what it had begun is removed by the next
    that writes. An item that is added again is marked in a bitmap beside the older segment, which the manifest names,
    too. With more than :data:`MOST_SEGMENTS`, the newest are made one.

    Segments of up to :data:`~affectspace.neighbours.nearest.EXACT_UP_TO` items are searched exactly; larger ones have
    inverted lists (``ivf``), and beyond :data:`IVF_UP_TO` items lists of compressed vectors (``ivf-pq``), whose best
    candidates are ranked by the vectors themselves. Of equal distances, the item that was added first comes first.

    One process may write, and others read meanwhile, who see what there was when they opened it. As many threads are
    used as torch uses.

    Args:
        folder: of the index; :meth:`create` makes a new one.

    Raises:
        InputError: there is no index, or it is damaged.

    Example:
        >>> import tempfile
        >>> index = FaissIndex.create(Path(tempfile.mkdtemp(), "toy.index"), 2, {"label": "text"})
        >>> vectors = [[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]
        >>> index.add(pa.table({"id": ["a", "b", "c"], "vector": vectors, "label": ["sad", "happy", "sad"]}))
        >>> index.search([[0.0, 0.0]], k=2)
        Found(distances=array([[0., 5.]], dtype=float32), ids=array([['a', 'b']], dtype=object), searched=3)
        >>> index.search([[3.0, 4.0]], k=1, where=["label=happy"]).ids.tolist()
        [['b']]
        >>> FaissIndex(index.folder).get(["c", "z"])["label"].to_pylist()
        ['sad']
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._load()

    @classmethod
    def create(
        cls,
        folder: str | Path,
        dimensions: int,
        columns: Mapping[str, str],
        classes: Sequence[str] = (),
        about: Mapping[str, Any] | None = None,
        kind: Kind | None = None,
    ) -> "FaissIndex":
        """Make an index without items.

        Args:
            folder: that is not there, or is empty.
            dimensions, columns, classes, about: see :class:`~affectspace.space.engines.manifest.Manifest`.
            kind: of all its segments; None: by their size.

        Raises:
            InputError: the folder holds something.
        """
        folder = Path(folder)
        with held(folder, _busy(folder)):
            if any(path.name != ".lock" for path in folder.iterdir()):
                raise InputError(f"{folder} is there already; choose another path, or remove it first")
            state = {"segments": [], "next_segment": 0, "kind": kind}
            made = Manifest("faiss", dimensions, "exact", dict(columns), tuple(classes), dict(about or {}), state=state)
            write_text(folder / MANIFEST, made.text() + "\n")
        return cls(folder)

    @property
    def manifest(self) -> Manifest:
        """What the index is."""
        return self._manifest

    def add(self, table: pa.Table) -> None:
        """Keep items; see :meth:`affectspace.space.engines.protocol.Index.add`."""
        given = conform(table, self.manifest.columns, self.manifest.dimensions)
        if not given.ids:
            return
        with self._writing():
            hashes = hashes_of(given.ids)
            gone = {segment.name: segment.find(given.ids, hashes) for segment in self._segments}
            blocks = [(batch, given.vectors) for batch in given.table.combine_chunks().to_batches()]
            entry = self._write(blocks, len(given.ids), "exact")
            entries = [self._buried(segment, gone[segment.name]) for segment in self._segments]
            self._commit([*entries, entry])
            if len(self._segments) > MOST_SEGMENTS:
                self._compact(len(self._segments) - _newest(self._segments))

    def search(self, vectors: ArrayLike, k: int, where: Sequence[str] = ()) -> Found:
        """The k items nearest to each vector; see :meth:`affectspace.space.engines.protocol.Index.search`.

        Without lists the answer is exact, as that of :class:`~affectspace.neighbours.nearest.Neighbours` is. With lists
        and conditions, so many more lists are looked into as the conditions leave out, and where few items are left
        these are all looked at.
        """
        asked = as_asked(vectors, k, self.manifest.dimensions)
        masks, searched = self._masks(tuple(where))
        if where and not searched:
            refuse_nobody(where)
        distances = np.full((len(asked), k), np.inf, np.float32)
        ids = np.full((len(asked), k), None, object)
        with threads_of_torch():
            for start in range(0, len(asked), QUERIES):
                queries = as_queries(asked[start : start + QUERIES], "euclidean", "queries", start)
                parts = [segment.search(queries, k, mask) for segment, mask in zip(self._segments, masks)]
                squared, rows = best(parts, len(queries), k)
                distances[start : start + QUERIES] = told(squared)
                ids[start : start + QUERIES] = self._ids(rows)
        return Found(distances, ids, searched)

    def get(self, ids: Sequence[str]) -> pa.Table:
        """The items of these ids that are there; see :meth:`affectspace.space.engines.protocol.Index.get`."""
        hashes, parts, places = hashes_of(ids), [], []
        schema = [("id", pa.string()), *((name, KINDS[kind]) for name, kind in self.manifest.columns.items())]
        empty = pa.schema(schema).empty_table()
        parts.append(with_vectors(empty, np.empty((0, self.manifest.dimensions), np.float32)))
        for segment in self._segments:
            found = segment.find(ids, hashes)
            asked = np.flatnonzero(found >= 0)
            if len(asked):
                rows = found[asked]
                parts.append(with_vectors(segment.take(rows), segment.vectors[rows]))
                places.extend(asked.tolist())
        together = pa.concat_tables(parts)
        return together.take(pa.array(np.argsort(places, kind="stable"), pa.int64()))

    def compact(self) -> None:
        """Make all segments one, without what was added again; searches are quickest then.

        It needs room on the disk for the index once more, and little memory.
        """
        with self._writing():
            whole = len(self._segments) == 1 and self._segments[0].live is None
            if self._segments and not (whole and self._segments[0].entry["kind"] == self._kind(len(self))):
                self._compact(0)

    def close(self) -> None:
        """Nothing: what is mapped is let go with this object."""

    def __len__(self) -> int:
        return self.manifest.items

    def _load(self) -> None:
        path = self.folder / MANIFEST
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"there is no index {self.folder}; affectspace index SPACE --out makes one") from None
        self._manifest = Manifest.read(text, str(self.folder))
        self._held: OrderedDict[tuple[str, ...], tuple[list[Among | None], int]] = OrderedDict()
        self._segments: list[Segment] = []
        first = 0
        try:
            for entry in self._manifest.state["segments"]:
                dead = np.load(self.folder / entry["dead"]) if entry["dead"] else None
                if dead is not None:
                    dead = np.unpackbits(dead, count=entry["items"]).astype(bool)
                self._segments.append(Segment(self.folder / entry["name"], entry, first, dead))
                first += int(entry["items"])
        except (InputError, OSError, ValueError, KeyError, TypeError) as error:
            if path.read_text(encoding="utf-8") != text:  # a writer has made several one meanwhile
                self._load()
            elif isinstance(error, InputError):
                raise
            else:
                raise InputError(
                    f"{self.folder} is damaged ({error}); build the index again with affectspace index"
                ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The index for one writer, as it is now and without what others have left."""
        with held(self.folder, _busy(self.folder)):
            self._load()
            self._sweep()
            yield

    def _write(self, blocks: Any, items: int, kind: Kind) -> dict[str, Any]:
        name = f"segment-{int(self.manifest.state['next_segment']):06d}-{uuid.uuid4().hex[:8]}"
        with atomic_directory(self.folder / name) as aside, threads_of_torch():
            entry = write_segment(aside, blocks, items, self.manifest.dimensions, self.manifest.columns, kind)
        return {"name": name, "dead": None, "gone": 0, **entry}

    def _buried(self, segment: Segment, rows: np.ndarray) -> dict[str, Any]:
        """The entry of a segment in which the items of these rows no longer count."""
        entry, rows = dict(segment.entry), rows[rows >= 0]
        if not len(rows):
            return entry
        dead = np.zeros(int(entry["items"]), bool) if segment.live is None else ~segment.live
        dead[rows] = True
        entry["gone"] = int(dead.sum())
        entry["dead"] = f"{segment.name}-without-{entry['gone']}.npy"
        with atomic_path(self.folder / entry["dead"]) as aside, open(aside, "wb") as file:
            np.save(file, np.packbits(dead))
        return entry

    def _commit(self, entries: list[dict[str, Any]]) -> None:
        counts = [entry["items"] - entry["gone"] for entry in entries]
        largest = max(entries, key=lambda entry: entry["items"], default=None)
        total = sum(counts)
        recall = sum(entry["recall"] * count for entry, count in zip(entries, counts)) / total if total else 1.0
        state = self.manifest.state | {"segments": entries, "next_segment": self.manifest.state["next_segment"] + 1}
        made = replace(
            self.manifest, items=total, kind=largest["kind"] if largest else "exact", recall=recall, state=state
        )
        write_text(self.folder / MANIFEST, made.text() + "\n")
        self._load()
        self._sweep()

    def _compact(self, begin: int) -> None:
        """Make the segments from this one on one."""
        kept, merged = self._segments[:begin], self._segments[begin:]
        items = sum(segment.count for segment in merged)
        blocks = (block for segment in merged for block in segment.blocks())
        entry = self._write(blocks, items, self._kind(items))
        self._commit([*(dict(segment.entry) for segment in kept), entry])

    def _kind(self, items: int) -> Kind:
        """How a segment of so many items is searched."""
        chosen = self.manifest.state["kind"]
        if chosen is None:
            chosen = "exact" if items <= EXACT_UP_TO else "ivf" if items <= IVF_UP_TO else "ivf-pq"
        return "ivf" if chosen == "ivf-pq" and items < CODES else chosen

    def _sweep(self) -> None:
        """Remove what the manifest does not name."""
        sweep(self.folder)
        named = {MANIFEST, ".lock"}
        for entry in self.manifest.state["segments"]:
            named |= {entry["name"], entry["dead"]}
        for path in self.folder.iterdir():
            if path.name not in named and path.name.startswith("segment-"):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _masks(self, where: tuple[str, ...]) -> tuple[list[Among | None], int]:
        """Who meets the conditions in each segment, None for all that count, and how many they are."""
        if not where:
            return [None] * len(self._segments), len(self)
        if where not in self._held:
            parts, live = (
                zip(*((segment.items, segment.live) for segment in self._segments)) if self._segments else ((), ())
            )
            masks = matching_parts(parts, live, self.manifest.columns, where)
            self._held[where] = [Among(mask) for mask in masks], sum(int(mask.sum()) for mask in masks)
            if len(self._held) > KEPT:
                self._held.popitem(last=False)
        return self._held[where]

    def _ids(self, rows: np.ndarray) -> np.ndarray:
        named = np.full(rows.shape, None, object)
        for segment in self._segments:
            own = (rows >= segment.first) & (rows < segment.first + int(segment.entry["items"]))
            if own.any():
                named[own] = segment.ids(rows[own] - segment.first)
        return named


def _busy(folder: Path) -> str:
    return f"{folder} is being written to by another process; wait for it to end, or write to another index"


def _newest(segments: Sequence[Segment]) -> int:
    """How many of the newest to make one: on to the first that is larger than all newer ones together."""
    total = 0
    for many, segment in enumerate(reversed(segments)):
        if many > 1 and segment.count > total:
            return many
        total += segment.count
    return len(segments)
