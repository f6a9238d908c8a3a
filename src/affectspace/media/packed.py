"""Images that lie in the rows of a table: a Parquet column of encoded images, or a CSV column of grey levels."""

import csv
import io
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from affectspace.errors import MediaError
from affectspace.media.packed_parquet import ParquetImages, refuse_row

__all__ = ["csv_rows", "packed_image", "packed_rows"]

Found = TypeVar("Found")
Stamp = tuple[int, int]  # when a file was written and its size: a file that changes is read anew


def packed_image(table: Path, row: int) -> bytes | np.ndarray:
    """What a row of a table holds: an encoded image, or grey levels, uint8 of shape ``(side, side)``.

    Two tables are kept open, and of each Parquet file the images of a few rows around those last asked for; see
    :class:`~affectspace.media.packed_parquet.ParquetImages`. Of a CSV file only the places of its rows are kept.

    Args:
        table: a Parquet file with a column ``image`` of bytes (or of structs with ``bytes``, as Hugging Face
            datasets have it), or a CSV file with a column ``pixels`` of grey levels separated by blanks.
        row: from 0, not counting the header.

    Raises:
        MediaError: no such table, column or row, an empty cell, or levels that make no square.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "faces.csv"
        >>> _ = path.write_text("emotion,pixels\\n3,0 64 128 255\\n")
        >>> packed_image(path, 0)
        array([[  0,  64],
               [128, 255]], dtype=uint8)
    """
    if table.suffix == ".csv":
        column, starts = _good(_places(str(table), _stamp(table)))
        refuse_row(table, row, len(starts) - 1)
        return _grey_levels(table, row, column, int(starts[row]), int(starts[row + 1]))
    cell = _good(_parquet(str(table), _stamp(table))).cell(row)
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not content:
        raise MediaError(f"row {row} of {table} holds no image; remove the item, or put its bytes there")
    return content


def packed_rows(table: Path) -> int:
    """How many rows a table of images has.

    Raises:
        MediaError: no such table, or none with images.
    """
    if table.suffix == ".csv":
        return len(_good(_places(str(table), _stamp(table)))[1]) - 1
    return _good(_parquet(str(table), _stamp(table))).rows


def csv_rows(table: Path) -> Iterator[list[str]]:
    """The cells of a CSV file, its header first, one row at a time, counted as :func:`packed_image` counts them.

    Raises:
        MediaError: a row with another number of cells than the header.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "faces.csv"
        >>> _ = path.write_text('emotion, pixels\\n\\n3,"0 64 128 255"\\n')
        >>> list(csv_rows(path))
        [['emotion', 'pixels'], ['3', '0 64 128 255']]
    """
    width = 0
    with open(table, "rb") as file:
        for place, (_, _, record) in enumerate(_records(file)):
            try:
                cells = [cell.strip() for cell in _cells(record.decode("utf-8" if place else "utf-8-sig", "replace"))]
            except csv.Error as error:
                raise MediaError(f"row {place} of {table} cannot be read: {error}; copy it anew") from error
            width = width or len(cells)
            if len(cells) != width:
                raise MediaError(f"row {place} of {table} has {len(cells)} cells, its header {width}; copy it anew")
            yield cells


def _stamp(table: Path) -> Stamp:
    try:
        state = table.stat()
    except FileNotFoundError:
        raise MediaError(f"there is no file {table}; check the path in the table") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{table} cannot be opened: {getattr(error, 'strerror', error)}") from error
    if not state.st_size:
        raise MediaError(f"{table} is an empty file of 0 bytes; copy it anew")
    return state.st_mtime_ns, state.st_size


def _good(found: Found | MediaError) -> Found:
    """What was found; errors are remembered too, or each of a broken table's rows would read it again."""
    if isinstance(found, MediaError):
        raise MediaError(str(found))
    return found


@lru_cache(maxsize=2)
def _parquet(table: str, stamp: Stamp) -> ParquetImages | MediaError:
    try:
        return ParquetImages(table)
    except MediaError as error:
        return error


@lru_cache(maxsize=2)
def _places(table: str, stamp: Stamp) -> tuple[int, np.ndarray] | MediaError:
    """Which column of a CSV file holds the pixels, and where each row begins, with the end of the last behind them."""
    try:
        with open(table, "rb") as file:
            records = _records(file)
            header = next(records, (0, 0, b""))[2]
            names = [name.strip() for name in _cells(header.decode("utf-8-sig", "replace"))]
            spans = [(start, end) for start, end, _ in records]
    except OSError as error:
        return MediaError(f"{table} cannot be opened: {error.strerror}")
    except csv.Error as error:
        return MediaError(f"{table} has a header that cannot be read: {error}; copy it anew")
    if "pixels" not in names:
        return MediaError(f"{table} has no column pixels; it has: {', '.join(names)[:200]}")
    starts = [start for start, _ in spans]
    return names.index("pixels"), np.array([*starts, spans[-1][1] if spans else 0], dtype=np.int64)


def _records(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Start, end and bytes of each row: a row goes on behind a line's end within quotes, and blank lines are none."""
    start = at = 0
    lines: list[bytes] = []
    within = False  # quotes
    for line in file:
        at += len(line)
        lines.append(line)
        within ^= line.count(b'"') % 2 == 1
        if within:
            continue
        if record := b"".join(lines).strip(b"\r\n"):
            yield start, at, record
        start, lines = at, []
    if lines:
        yield start, at, b"".join(lines)


def _cells(text: str) -> list[str]:
    if '"' not in text:
        return text.rstrip("\r\n").split(",")
    return next(csv.reader(io.StringIO(text), skipinitialspace=True), [])


def _grey_levels(table: Path, row: int, column: int, start: int, end: int) -> np.ndarray:
    with open(table, "rb") as file:
        file.seek(start)
        text = file.read(end - start).decode("utf-8", "replace")
    try:
        cell = _cells(text)[column]
        levels = bytes(map(int, cell.split()))  # which refuses whatever lies outside 0..255
    except (ValueError, IndexError, csv.Error):
        raise MediaError(
            f"row {row} of {table} holds no grey levels; pixels are whole numbers from 0 to 255 with blanks between"
        ) from None
    side = math.isqrt(len(levels))
    if not side or side * side != len(levels):
        raise MediaError(f"row {row} of {table} holds {len(levels)} pixels, which make no square; copy it anew")
    return np.frombuffer(levels, np.uint8).reshape(side, side)
