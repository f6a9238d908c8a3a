"""The file of a space: one Parquet table, its classes and origin in the metadata."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import InputError
from affectspace.files import atomic_path, json_text

__all__ = ["known_columns", "read_file", "read_files", "refuse_other_file", "write_file", "write_table"]

KEY = b"affectspace"
VECTOR = "vector"
ROWS = 65_536  # of a row group: what is decoded beside the arrays it goes to
TEXT = pd.StringDtype("pyarrow")


def write_file(
    path: Path, items: pd.DataFrame, vectors: np.ndarray, classes: Sequence[str], about: Mapping[str, Any]
) -> None:
    """Write a space aside and rename it; columns without any value are left out."""
    with atomic_path(path) as aside:
        write_table(aside, known_columns(items), vectors, classes, about)


def refuse_other_file(path: Path) -> None:
    """Stop where a file is there that is no space of ours, such as the table of a corpus, which must not be replaced.

    Raises:
        InputError: it is.
    """
    if not path.exists():
        return
    try:
        ours = KEY in (pq.read_schema(path).metadata or {})
    except (OSError, ValueError, pa.ArrowException):
        ours = False
    if not ours:
        raise InputError(
            f"{path} is there already, and is no file that affectspace embed wrote; choose another --out, or remove it"
        )


def known_columns(items: pd.DataFrame) -> pa.Table:
    """The columns of a space's items as its file has them, but for the vectors: those that hold any value."""
    known = items[[name for name in items if items[name].notna().any()]]
    columns = {name: pa.array(known[name], from_pandas=True) for name in known}
    return pa.table(
        {name: pa.chunked_array(column) if isinstance(column, pa.Array) else column for name, column in columns.items()}
    )


def write_table(
    sink: Path | IO[bytes], known: pa.Table, vectors: np.ndarray, classes: Sequence[str], about: Mapping[str, Any]
) -> None:
    """Write the file of a space: the items' columns, ``id`` among them, and the vectors behind it.

    Vectors are a fixed-size list of float32, neither compressed nor in a dictionary: both only cost time on
    numbers that are all different. Everything else is compressed by zstd.
    """
    order = ["id", VECTOR, *(name for name in known.column_names if name != "id")]
    width = pa.list_(pa.float32(), vectors.shape[1])
    fields = [pa.field(name, width if name == VECTOR else known.schema.field(name).type) for name in order]
    metadata = {KEY: json_text({"classes": list(classes), "about": dict(about)}).encode()}
    packed = dict.fromkeys(order, "zstd") | {f"{name}.list.element": "zstd" for name in order}
    schema = pa.schema(fields, metadata)
    with pq.ParquetWriter(
        sink,
        schema,
        compression=packed | {f"{VECTOR}.list.element": "none"},  # pyright: ignore[reportArgumentType]
        use_dictionary=[field.name for field in fields if pa.types.is_large_string(field.type)],  # pyright: ignore[reportArgumentType]
    ) as writer:
        for start in range(0, len(known), ROWS):
            part = vectors[start : start + ROWS]
            block = {name: known.column(name).slice(start, ROWS) for name in known.column_names}
            block[VECTOR] = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), vectors.shape[1])
            writer.write_table(pa.table([block[name] for name in order], schema=schema))


def read_file(path: Path) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...], dict[str, Any]]:
    """Items, vectors, classes and origin of a space, column by column and without Python's lists.

    Where the metadata names no classes, those of the column ``label`` are taken, in alphabetical order.

    Raises:
        InputError: no Parquet file, a damaged one, no ``id`` or ``vector``, or vectors of different widths.
    """
    return read_files([path])


def read_files(paths: Sequence[Path]) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...], dict[str, Any]]:
    """The same of several files of the same columns, one behind the other; classes and origin are the first one's."""
    vectors: np.ndarray | None = None
    columns: dict[str, list[pa.ChunkedArray]] = {}
    told: dict[str, Any] = {}
    items = sum(_rows(path) for path in paths)
    start = 0
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                names = file.schema_arrow.names
                for needed in ("id", VECTOR):
                    if needed not in names:
                        raise InputError(
                            f"{path} is no space: it has no column {needed!r}; affectspace embed writes one"
                        )
                others = [name for name in names if name != VECTOR and not name.startswith("__index_level_")]
                if path is paths[0]:
                    told = dict(json.loads((file.schema_arrow.metadata or {}).get(KEY, b"{}")))
                    columns = {name: [] for name in others}
                elif others != [*columns]:
                    raise InputError(f"{path} has the columns {', '.join(others)}, and {paths[0]} {', '.join(columns)}")
                vectors = _vectors(path, file, vectors, start, items)
                for name in others:
                    columns[name].append(file.read([name]).column(0))
                start += file.metadata.num_rows
        except InputError:
            raise
        except (OSError, ValueError, AttributeError, pa.ArrowException) as error:
            raise _unread(path, error) from error
    try:
        table = pd.DataFrame({name: _series(_whole(columns.pop(name))) for name in [*columns]})
    except (ValueError, AttributeError, pa.ArrowException) as error:
        raise _unread(paths[0], error) from error
    classes = told.pop("classes", None)
    if classes is None:
        classes = sorted(table["label"].dropna().astype("string").unique()) if "label" in table else []
    return table, np.empty((0, 0), np.float32) if vectors is None else vectors, tuple(classes), told.get("about", told)


def _rows(path: Path) -> int:
    try:
        return pq.read_metadata(path).num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unread(path, error) from error


def _unread(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be read as a space: {str(error).strip().splitlines()[0]}")


def _whole(parts: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    """A column of several files in one piece, in which a row is found at once."""
    if len(parts) == 1:
        return parts[0]
    joined = pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type).combine_chunks()
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def _vectors(path: Path, file: pq.ParquetFile, found: np.ndarray | None, start: int, items: int) -> np.ndarray | None:
    """Put the vectors of a file into the array of all ``items``, made by the first file, from ``start`` on."""
    for batch in file.iter_batches(ROWS, columns=[VECTOR]):
        column = batch.column(0)
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or _is_fixed(column.type)):
            raise InputError(f"{path} is no space: its column {VECTOR!r} is of {column.type}, not of lists of numbers")
        numbers = column.flatten()
        width = len(numbers) // len(column) if found is None else found.shape[1]
        if column.null_count or not (_is_fixed(column.type) or (column.value_lengths().to_numpy() == width).all()):
            lengths = [] if column.null_count else np.unique(column.value_lengths().to_numpy()).tolist()
            told = f"have {', '.join(map(str, lengths))} numbers" if lengths else "are missing for some items"
            raise InputError(f"{path} is no space: its vectors {told}; each item needs as many as the others")
        if len(numbers) != width * len(column):
            raise InputError(
                f"{path} has vectors of {len(numbers) // len(column)} numbers, and those before it {width}"
            )
        if found is None:
            found = np.empty((items, width), np.float32)
        found[start : start + len(column)] = numbers.to_numpy(zero_copy_only=False).reshape(len(column), width)
        start += len(column)
    return found


def _is_fixed(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind)


def _series(column: pa.ChunkedArray) -> pd.Series:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pd.Series(TEXT.__from_arrow__(column))  # pyright: ignore[reportAttributeAccessIssue]
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return pd.Series(pd.arrays.ArrowExtensionArray(column))
    return column.to_pandas()
