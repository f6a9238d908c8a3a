"""A space as an index is built of it: batch after batch of a file or of a folder of shards, never whole."""

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import InputError
from affectspace.files import sha256
from affectspace.space.engines.columns import VECTOR, kinds_of, vectors_of
from affectspace.space.engines.segment import ROWS
from affectspace.space.sharded import MANIFEST, holds_shards, whole_shards
from affectspace.space.space_file import KEY

__all__ = ["Source"]


class Source:
    """What an index is built of.

    Args:
        path: a Parquet file as ``affectspace embed`` writes it, or a folder of them with a ``manifest.json`` that
            names its ``shards``.

    Attributes:
        items: how many.
        dimensions: of their vectors.
        columns: kind of each column that an index can keep.
        left_out: why the others are not kept.
        classes, about: as of :class:`affectspace.space.Space`.

    Raises:
        InputError: nothing there, no space, shards that are missing or belong to different spaces.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.files = _files(self.path)
        schemas, told, sizes = [], [], []
        for file in self.files:
            try:
                with pq.ParquetFile(file) as opened:
                    schemas.append(opened.schema_arrow.remove_metadata())
                    told.append(json.loads((opened.schema_arrow.metadata or {}).get(KEY, b"{}")))
                    sizes.append(opened.metadata.num_rows)
            except (OSError, ValueError, pa.ArrowException) as error:
                raise InputError(f"{file} cannot be read as a space: {str(error).strip().splitlines()[0]}") from error
            for needed in ("id", VECTOR):
                if needed not in schemas[-1].names:
                    raise InputError(f"{file} is no space: it has no column {needed!r}; affectspace embed writes one")
            if told[-1] != told[0]:
                raise InputError(
                    f"{file} and {self.files[0]} are of different spaces, by other models or with other classes; index "
                    "each by itself"
                )
        self.items = sum(sizes)
        if not self.items:
            raise InputError(f"{self.path} has no item; an index needs at least one")
        others = [pa.schema([field for field in schema if field.name not in ("id", VECTOR)]) for schema in schemas]
        try:
            together = pa.unify_schemas(others, promote_options="permissive")
        except pa.ArrowException as error:
            raise InputError(f"the shards of {self.path} have columns of different kinds: {error}") from error
        self.columns, self.left_out = kinds_of(together)
        self.dimensions = vectors_of(next(self._batches([VECTOR], 1)).column(VECTOR)).shape[1]
        self.about: dict[str, Any] = told[0].get("about", {})
        classes = told[0].get("classes")
        self.classes = tuple(classes) if classes is not None else self._labels()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over those of all files: a space that is embedded anew may have files of the same names and sizes."""
        return hashlib.sha256("".join(map(sha256, self.files)).encode()).hexdigest()

    def batches(self) -> Iterator[pa.Table]:
        """All items, in tables of at most 65,536."""
        yield from self._batches(["id", VECTOR, *self.columns], ROWS)

    def _batches(self, names: list[str], rows: int) -> Iterator[pa.Table]:
        for file in self.files:
            try:
                with pq.ParquetFile(file) as opened:
                    own = [name for name in names if name in opened.schema_arrow.names]
                    for batch in opened.iter_batches(rows, columns=own, use_threads=False):
                        yield pa.Table.from_batches([batch])
            except (OSError, pa.ArrowException) as error:
                raise InputError(f"{file} cannot be read as a space: {str(error).strip().splitlines()[0]}") from error

    def _labels(self) -> tuple[str, ...]:
        if self.columns.get("label") != "text":
            return ()
        found: set[str] = set()
        for table in self._batches(["label"], ROWS):
            if table.num_columns:
                found |= set(table.column(0).unique().cast(pa.string()).to_pylist())
        return tuple(sorted(name for name in found if name is not None))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise InputError(f"there is no space {path}; affectspace embed writes one")
    if holds_shards(path):
        return whole_shards(path)[0]
    raise InputError(
        f"{path} is a folder without {MANIFEST}, which is written once all shards are there; give a Parquet file of a "
        "space, or a folder of shards that is whole"
    )
