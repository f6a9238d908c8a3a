"""Tables of items that hold the images themselves: the bytes stay in the file, items refer to their rows."""

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import InputError, MediaError
from affectspace.media.packed import csv_rows
from affectspace.media.packed_parquet import holds_bytes
from affectspace.tables import read_table

__all__ = ["image_digests", "parquet_columns", "parquet_with", "read_items", "row_references"]


def read_items(file: Path, root: Path) -> pd.DataFrame:
    """A table as :func:`~affectspace.tables.read_table` gives it, its images replaced by references to their rows.

    Args:
        file: a Parquet file, whose column ``image`` may hold encoded images, or a CSV file, whose column
            ``pixels`` may hold grey levels where there is no column ``image``.
        root: what references are relative to.

    Returns:
        The table, without the bytes; ``image`` is such as ``faces.parquet#17`` where the row holds an image.

    Raises:
        InputError: as ``read_table``; or rows of pixels that have more or fewer cells than their header.
    """
    if file.suffix == ".parquet":
        kind = parquet_columns(file).get("image")
        if kind is None or not holds_bytes(kind):
            return read_table(file)
        try:
            rows = pd.read_parquet(file, columns=[name for name in parquet_columns(file) if name != "image"])
            empty = np.array(list(_missing(file)), dtype=bool)
        except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
            raise InputError(f"{file} cannot be read as a table: {str(error).strip()}") from error
        return rows.reset_index(drop=True).assign(image=row_references(file, root, len(empty)).mask(empty))
    if file.suffix != ".csv" or not (header := _header(file)) or "pixels" not in header:
        return read_table(file)
    if "image" in map(str.lower, header):
        return read_table(file)
    # Read here, since the pixels as text would take a gigabyte and more, and so that rows are counted in one way.
    place = header.index("pixels")
    rows, empty = [], []
    for cells in itertools.islice(csv_rows(file), 1, None):
        empty.append(not cells.pop(place))
        rows.append(cells)
    names = [name for name in header if name != "pixels"]
    if len(names) != len(header) - 1 or len(set(names)) != len(names):
        raise InputError(f"{file} has two columns of one name; it has: {', '.join(header)}")
    table = pd.DataFrame(rows, columns=names, dtype="string")
    return table.mask(table == "").assign(image=row_references(file, root, len(rows)).mask(np.array(empty, bool)))


def _header(file: Path) -> list[str]:
    try:
        return next(csv_rows(file), [])
    except (OSError, MediaError):
        return []


def row_references(file: Path, root: Path, rows: int) -> pd.Series:
    """``faces.parquet#0`` and so on: the images in the rows of a table, relative to ``root``."""
    place = Path(os.path.relpath(file.parent.resolve() / file.name, root.resolve())).as_posix()
    return pd.Series([f"{place}#{row}" for row in range(rows)], dtype="string")


def image_digests(contents: Iterable[bytes]) -> list[str]:
    """A short name for each image, the same for equal bytes."""
    return [hashlib.sha256(content).hexdigest()[:16] for content in contents]


def parquet_columns(file: Path) -> dict[str, pa.DataType]:
    """Names and types of the columns; none where the file is no Parquet that can be read."""
    try:
        schema = pq.read_schema(file)
    except (OSError, ValueError, pa.ArrowException):
        return {}
    return dict(zip(schema.names, schema.types))


def parquet_with(path: Path, columns: Iterable[str]) -> list[Path]:
    """The Parquet files at ``path``, which is one or a folder of them, that hold images and these columns."""
    wanted = {"image", *columns}
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path] if path.suffix == ".parquet" else []
    return [file for file in files if not file.name.startswith(".") and wanted <= parquet_columns(file).keys()]


def _missing(file: Path) -> Iterator[bool]:
    """Which rows hold no image, a batch at a time, so that not all images lie in memory together."""
    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(1000, columns=["image"]):
            cells = batch.column("image")
            if pa.types.is_struct(cells.type):
                cells = cells.flatten()[[f.name for f in cells.type].index("bytes")]
            yield from cells.is_null().to_pylist()
