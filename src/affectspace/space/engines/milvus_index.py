"""An index in Milvus: in a server that is shared, or in a folder by Milvus Lite, inside this process."""

import logging
import math
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from affectspace.errors import InputError
from affectspace.extras import refuse_missing
from affectspace.files import held, write_json
from affectspace.neighbours.indexes import as_queries
from affectspace.neighbours.nearest import RECALL
from affectspace.space.conditions import refuse_nobody, refuse_value
from affectspace.space.engines.columns import KINDS, VECTOR, conform
from affectspace.space.engines.manifest import Kind, Manifest
from affectspace.space.engines.milvus_place import DATABASE, MANIFEST, Place
from affectspace.space.engines.milvus_schema import fields_of, refuse_long, schema_of
from affectspace.space.engines.milvus_where import equal, expression
from affectspace.space.engines.protocol import Found
from affectspace.space.engines.queries import as_asked
from affectspace.space.engines.segment import with_vectors
from affectspace.space.engines.where import columns_named

__all__ = ["MilvusIndex"]

PROPERTY = "affectspace"  # of the collection: the manifest
LISTS = 1024  # of each segment of Milvus
BYTES = 2**24  # of a message, of which servers take four times as many
LITTLE = 16  # queries at a time for Milvus Lite, which holds all differences to what has no lists yet
MANY = 1024  # for a server
ASKED = 16_384  # rows that a query may give
WAIT = 10.0  # seconds for a server to answer at all


class MilvusIndex:
    """An index in a collection of Milvus, which many may search and write to, wherever they are.

    ``milvus://HOST:PORT/NAME`` is the collection NAME of a server; who may enter is told by ``MILVUS_TOKEN`` of the
    environment, as ``user:password``, and with it an address of another machine is ``milvus+tls://HOST:PORT/NAME``. A
    folder is kept by Milvus Lite, the same engine's small form: it runs inside this process, lets nobody else in
    meanwhile, and listens on a free port of the loopback interface, without a token.

    Items are upserted, in messages of some megabytes: what :meth:`add` was given is kept once it has returned; where it
    was cut off, some of these messages may be there, and adding the same again completes them. Of equal distances the
    lower id comes first among those found, and who of several equal ones is found is up to Milvus.

    Args:
        place: a folder or an address.

    Raises:
        InputError: nothing there, no answer, packages that are not installed, or another process that holds the folder.
    """

    def __init__(self, place: str | Path):
        self.place = Place(place)
        if self.place.folder is not None and not (self.place.folder / MANIFEST).is_file():
            raise InputError(f"there is no index {self.place.name}; affectspace index SPACE --out makes one")
        self._open()
        try:
            if not self._client.has_collection(self.place.collection):
                raise InputError(f"there is no index {self.place.name}; affectspace index SPACE --out makes one")
            told = self._client.describe_collection(self.place.collection).get("properties", {}).get(PROPERTY)
            if told is None:
                raise InputError(
                    f"the collection {self.place.collection} was not made by affectspace; choose another name"
                )
            self._manifest = Manifest.read(told, self.place.name)
            self._client.load_collection(self.place.collection)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls,
        place: str | Path,
        dimensions: int,
        columns: Mapping[str, str],
        classes: Sequence[str] = (),
        about: Mapping[str, Any] | None = None,
        kind: Kind | None = None,
    ) -> "MilvusIndex":
        """Make an index without items.

        Args:
            place: a folder that is not there or is empty, or an address whose collection is not there.
            dimensions, columns, classes, about: see :class:`~affectspace.space.engines.manifest.Manifest`.
            kind: ``exact``, or ``ivf``, which None is, too: a collection has one index from the beginning.

        Raises:
            InputError: it is there already, or what the constructor raises.
        """
        made = cls.__new__(cls)
        made.place = Place(place)
        folder = made.place.folder
        if (
            folder is not None
            and folder.exists()
            and (not folder.is_dir() or any(path.name not in (".lock", DATABASE) for path in folder.iterdir()))
        ):
            raise InputError(f"{folder} is there already; choose another path, or remove it first")
        if kind == "ivf-pq":
            raise InputError("Milvus keeps an index as 'exact' or 'ivf'; 'ivf-pq' is of indexes in a folder")
        if folder is not None:
            # Clients keep what they know of a collection by address and name, and another may get this server's port.
            made.place.collection = f"items_{uuid.uuid4().hex}"
        made._open()
        try:
            made._make(dimensions, dict(columns), tuple(classes), dict(about or {}), kind or "ivf")
        finally:
            made.close()
        if folder is not None:
            write_json(folder / MANIFEST, {"engine": "milvus", "collection": made.place.collection})
        return cls(place)

    @classmethod
    def holds(cls, place: str | Path) -> bool:
        """Whether there is an index at a place.

        Raises:
            InputError: a server that does not answer.
        """
        asked = cls.__new__(cls)
        asked.place = Place(place)
        if asked.place.folder is not None:
            path = asked.place.folder / MANIFEST
            return path.is_file() and '"milvus"' in path.read_text(encoding="utf-8", errors="replace")
        asked._open()
        try:
            return asked._client.has_collection(asked.place.collection)
        finally:
            asked.close()

    @property
    def manifest(self) -> Manifest:
        """What the index is."""
        return replace(self._manifest, items=len(self))

    def add(self, table: pa.Table) -> None:
        """Keep items; see :meth:`affectspace.space.engines.protocol.Index.add`."""
        given = conform(table, self._manifest.columns, self._manifest.dimensions)
        refuse_long(given.table, self._manifest.columns)
        columns = {name: given.table.column(name).to_pylist() for name in given.table.column_names}
        fields = {"id": "id", **self._fields}
        size = 4 * self._manifest.dimensions + given.table.nbytes // max(1, len(given.table))
        step = max(1, BYTES // max(1, size))
        for start in range(0, len(given.ids), step):
            rows = [
                {fields[name]: cells[row] for name, cells in columns.items()} | {VECTOR: given.vectors[row]}
                for row in range(start, min(start + step, len(given.ids)))
            ]
            self._asked("upsert", data=rows)
        self._known.clear()

    def search(self, vectors: ArrayLike, k: int, where: Sequence[str] = ()) -> Found:
        """The k items nearest to each vector; see :meth:`affectspace.space.engines.protocol.Index.search`."""
        queries = as_queries(as_asked(vectors, k, self._manifest.dimensions), "euclidean", "queries")
        told, searched = self._filter(tuple(where))
        if where and searched == 0:
            refuse_nobody(where)
        found = np.full((len(queries), k), np.inf, np.float32), np.full((len(queries), k), None, object)
        parameters = {"metric_type": "L2", "params": self._parameters(bool(where), searched)}
        step = MANY if self.place.folder is None else LITTLE
        for start in range(0, len(queries), step):
            part = [*queries[start : start + step]]
            hits = self._asked("search", data=part, limit=k, filter=told, search_params=parameters, output_fields=[])
            for row, near in enumerate(hits, start):
                order = sorted((math.sqrt(max(hit["distance"], 0.0)), hit["id"]) for hit in near)
                for column, (distance, name) in enumerate(order):
                    found[0][row, column], found[1][row, column] = distance, name
        return Found(*found, searched)

    def get(self, ids: Sequence[str]) -> pa.Table:
        """The items of these ids that are there; see :meth:`affectspace.space.engines.protocol.Index.get`."""
        rows: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), MANY):
            asked = self._asked("get", ids=list(ids[start : start + MANY]), output_fields=["*"])
            rows |= {row["id"]: row for row in asked}
        kept = [rows[name] for name in ids if name in rows]
        columns = {"id": pa.array([row["id"] for row in kept], pa.string())} | {
            name: pa.array([_plain(row.get(self._fields[name])) for row in kept], KINDS[kind])
            for name, kind in self._manifest.columns.items()
        }
        width = self._manifest.dimensions
        return with_vectors(pa.table(columns), np.array([row[VECTOR] for row in kept], np.float32).reshape(-1, width))

    def compact(self) -> None:
        """Have Milvus write what it holds in memory, and build lists of it."""
        self._asked("flush")
        self._asked("load_collection")

    def tune(self, queries: np.ndarray, farthest: np.ndarray, k: int) -> None:
        """Set how many lists are looked into, and keep what is found by that.

        Args:
            queries: vectors of items.
            farthest: the distance ``(q, 1)`` of the k-th neighbour of each, itself not counted.
            k: how many.
        """
        if self._manifest.kind == "exact":
            return
        probes = 4
        while True:
            self._manifest = replace(self._manifest, state=self._manifest.state | {"probes": probes})
            found = self.search(queries, k + 1).distances
            recall = float(((found <= farthest * (1 + 1e-5)).sum() - len(queries)) / (k * len(queries)))
            if recall >= RECALL or probes >= LISTS:
                break
            probes *= 2
        self._manifest = replace(self._manifest, recall=min(recall, 1.0))
        self._asked("alter_collection_properties", properties={PROPERTY: self._manifest.text()})

    def close(self) -> None:
        """End the connection, and Milvus Lite with it."""
        self._stack.close()

    def __len__(self) -> int:
        if self.place.folder is None or () not in self._known:  # nobody else is in a folder meanwhile
            self._known[()] = int(self._asked("query", filter="", output_fields=["count(*)"])[0]["count(*)"])
        return self._known[()] or 0

    @property
    def _fields(self) -> dict[str, str]:
        return self._manifest.state["fields"]

    def _open(self) -> None:
        needed = ["pymilvus", *([] if self.place.folder is None else ["milvus_lite"])]
        refuse_missing("milvus", "an index in Milvus needs", *needed)
        self._known: dict[tuple[str, ...], int | None] = {}
        self._stack = ExitStack()
        folder = self.place.folder
        if folder is not None:
            busy = f"{folder} is in use by another process, and Milvus Lite lets in one at a time, to read, too; "
            self._stack.enter_context(held(folder, busy + "wait for it to end, or keep the index in a server"))
        from pymilvus import MilvusClient, MilvusException

        for chatty in ("pymilvus", "milvus_lite", "grpc._server"):
            logging.getLogger(chatty).setLevel(logging.CRITICAL)  # what goes wrong is told by us
        try:
            self._client: Any = MilvusClient(self.place.uri, token=os.environ.get("MILVUS_TOKEN", ""), timeout=WAIT)
        except (MilvusException, ValueError) as error:
            self._stack.close()
            if folder is not None:
                raise InputError(
                    f"Milvus Lite cannot open {folder} ({_first(error)}); build the index again"
                ) from error
            raise InputError(
                f"no Milvus answers at {self.place.uri.partition('://')[2]} ({_first(error)}); start it, or "
                "correct the address"
            ) from error
        self._stack.callback(self._close)

    def _close(self) -> None:
        self._client.close()
        if self.place.folder is not None:
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self.place.uri)

    def _make(
        self, dimensions: int, columns: dict[str, str], classes: tuple[str, ...], about: dict[str, Any], kind: Kind
    ) -> None:
        if self.place.folder is not None:
            for begun in self._client.list_collections():
                self._client.drop_collection(begun)  # by who was killed
        elif self._client.has_collection(self.place.collection):
            raise InputError(f"{self.place.name} is there already; choose another name, or drop that collection first")
        fields = fields_of(columns)
        schema, index = schema_of(self._client, dimensions, columns, fields, None if kind == "exact" else LISTS)
        state = {"fields": fields, "probes": LISTS}
        told = Manifest("milvus", dimensions, kind, columns, classes, about, state=state).text()
        self._asked(
            "create_collection",
            schema=schema,
            index_params=index,
            properties={PROPERTY: told},
            consistency_level="Strong",  # who has added an item finds it
        )

    def _asked(self, what: str, **given: Any) -> Any:
        """What the client answers; a fault of the server as a sentence."""
        from pymilvus import MilvusException

        try:
            return getattr(self._client, what)(self.place.collection, **given)
        except MilvusException as error:
            raise InputError(
                f"Milvus refuses to {what.replace('_', ' ')} in {self.place.name}: {_first(error)}"
            ) from error

    def _parameters(self, filtered: bool, searched: int | None) -> dict[str, int]:
        if self._manifest.kind == "exact":
            return {}
        probes = int(self._manifest.state["probes"])
        if filtered:
            # So many lists that they hold as many of these items as were looked at when recall was measured.
            probes = LISTS if not searched else math.ceil(probes * len(self) / searched)
        return {"nprobe": min(probes, LISTS)}

    def _filter(self, where: tuple[str, ...]) -> tuple[str, int | None]:
        """The conditions as Milvus reads them, their values checked, and how many items meet them, if it tells."""
        if not where:
            return "", len(self)
        found = columns_named(where, self._manifest.columns)
        told = expression(found, self._fields, self._manifest.columns)
        if where not in self._known or self.place.folder is None:
            for name, _, values in found:
                for value in filter(None, values):
                    asked = equal(name, value, self._fields, self._manifest.columns)
                    if not self._asked("query", filter=asked, limit=1, output_fields=["id"]):
                        refuse_value(name, value, self._legal(name))
            self._known[where] = self._counted(told)
        return told, self._known[where]

    def _counted(self, told: str) -> int | None:
        if self.place.folder is None:
            return int(self._asked("query", filter=told, output_fields=["count(*)"])[0]["count(*)"])
        # Milvus Lite counts by reading every item whole, vector and all.
        many = len(self._asked("query", filter=told, limit=ASKED, output_fields=["id"]))
        return many if many < ASKED else None

    def _legal(self, name: str) -> list[str]:
        """What there is in a column, as text, of so many items as Milvus gives at a time."""
        if name != "id" and name not in self._fields:
            return []
        field = self._fields.get(name, "id")
        told = "" if name == "id" else f"{field} is not null"
        cells = {row.get(field) for row in self._asked("query", filter=told, limit=ASKED, output_fields=[field])}
        numbers = self._manifest.columns.get(name) in ("integer", "number")
        return sorted({f"{cell:g}" if numbers else str(cell) for cell in cells if cell is not None} - {""})


def _plain(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, str | int | float | bool) else [*cell]


def _first(error: Exception) -> str:
    return str(getattr(error, "message", "") or error).strip().splitlines()[0]
