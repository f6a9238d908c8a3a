"""A Parquet column of encoded images, read a window of rows at a time."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import MediaError

__all__ = ["ParquetImages", "holds_bytes", "refuse_row"]

WINDOW = 8 << 20  # bytes of rows that are unpacked at once
TALLEST = 256  # rows at once: a file that stores an image once for all its rows says nothing of their size
KEPT = 64 << 20  # bytes of rows of a table that are kept: the windows last used
BUFFER = 1 << 16  # bytes read from the file at a time; without a buffer a whole group of rows is


class ParquetImages:
    """The images in the rows of a Parquet file, of which about 64 MB are in memory at most.

    Parquet unpacks rows only in their order, from the beginning of a group of rows; and a writer that is told nothing
    puts a million rows into one. So the rows of a group are gone through in windows, of which the last ones are kept.
    Rows that are asked for in their order, with gaps or without, are unpacked once. To go back beyond what is kept
    costs unpacking the group anew up to there: short where groups are small, such as ``row_group_size=1000``.

    Args:
        table: the file, with a column ``image`` of bytes, or of structs with a field ``bytes``.

    Raises:
        MediaError: not a Parquet file, or one without such a column.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "faces.parquet"
        >>> pq.write_table(pa.table({"image": [b"one", b"two", b"three"]}), path, row_group_size=2)
        >>> images = ParquetImages(path)
        >>> images.rows, images.cell(2), images.cell(0)
        (3, b'three', b'one')
    """

    def __init__(self, table: str | Path):
        self.table = table
        try:
            self._file = pq.ParquetFile(table, pre_buffer=False, buffer_size=BUFFER)
            groups = [self._file.metadata.row_group(group) for group in range(self._file.num_row_groups)]
            schema = self._file.schema_arrow
        except (OSError, ValueError, pa.ArrowException) as error:
            raise MediaError(f"{table} is not a Parquet file that can be read: {_words(error)}; copy it anew") from None
        kind = dict(zip(schema.names, schema.types)).get("image")
        if kind is None or not holds_bytes(kind):
            found = "no column image" if kind is None else f"a column image of {kind}"
            raise MediaError(f"{table} has {found}; images are encoded bytes, or structs with a field bytes")
        self._starts = np.cumsum([0, *(group.num_rows for group in groups)])
        # Of all columns: what is told of a single one ends the whole process where the file is broken.
        sizes = [max(group.total_byte_size, 1) for group in groups]
        self._heights = [min(max(1, WINDOW * group.num_rows // size), TALLEST) for group, size in zip(groups, sizes)]
        self._kept: OrderedDict[int, pa.Array] = OrderedDict()  # first row -> images
        self._ahead: Iterator[Any] = iter(())  # of the group that is gone through
        self._group, self._at = -1, 0  # that group, and the row up to which it is unpacked
        self._broken: dict[int, tuple[int, str]] = {}  # group -> the row from which on it cannot be read, and why
        self._lock = threading.Lock()  # a place in a file is one for all threads

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self._starts[-1])

    def cell(self, row: int) -> Any:
        """What a row holds: bytes, a dict, or None.

        Raises:
            MediaError: no such row, or a file that is damaged there, or before, in the same group of rows.
        """
        refuse_row(self.table, row, self.rows)
        with self._lock:
            start, images = self._held(row) or self._unpacked(row)
            return images[row - start].as_py()

    def _held(self, row: int) -> tuple[int, pa.Array] | None:
        for start, images in reversed(self._kept.items()):  # the next row mostly lies in the last window
            if start <= row < start + len(images):
                self._kept.move_to_end(start)
                return start, images
        return None

    def _unpacked(self, row: int) -> tuple[int, pa.Array]:
        """The window in which a row lies, after all those before it that have not been gone through."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if group != self._group or row < self._at:
            columns = {"row_groups": [group], "columns": ["image"]}
            self._ahead = self._file.iter_batches(self._heights[group], use_threads=False, **columns)
            self._group, self._at = group, int(self._starts[group])
        end, why = self._broken.get(group, (self.rows, ""))
        while row < end:
            try:
                batch, why = next(self._ahead, None), "it holds fewer rows than it says"
            except (OSError, ValueError, pa.ArrowException) as error:
                batch, why = None, _words(error)
            if batch is None:
                self._broken[group] = self._at, why
                self._group = -1  # what is ahead has come to its end
                break
            start, images = self._at, batch.column(0)
            self._keep(start, images)
            self._at += len(images)
            if row < self._at:
                return start, images
        raise MediaError(f"{self.table} is truncated or corrupt: {why}; copy it anew")

    def _keep(self, start: int, images: pa.Array) -> None:
        self._kept[start] = images
        while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > KEPT:
            self._kept.popitem(last=False)


def refuse_row(table: str | Path, row: int, rows: int) -> None:
    """Raise for a row that a table of so many does not have.

    Raises:
        MediaError: it names the rows that there are.

    Example:
        >>> refuse_row("faces.parquet", 4, 4)
        Traceback (most recent call last):
        ...
        affectspace.errors.MediaError: there is no row 4 in faces.parquet, whose rows run from 0 to 3; ...
    """
    if not 0 <= row < rows:
        raise MediaError(f"there is no row {row} in {table}, whose rows run from 0 to {rows - 1}; check the reference")


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a Parquet column of this type holds files: bytes, or structs with a field ``bytes``.

    Example:
        >>> holds_bytes(pa.binary()), holds_bytes(pa.struct([("bytes", pa.binary())])), holds_bytes(pa.string())
        (True, True, False)
    """
    if pa.types.is_struct(kind):
        return any(kind.field(place).name == "bytes" for place in range(kind.num_fields))
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _words(error: Exception) -> str:
    return str(error).strip()
