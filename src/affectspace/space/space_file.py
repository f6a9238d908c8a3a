"""The file of a space: one Parquet table, its classes and origin in the metadata."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import InputError
from affectspace.files import atomic_path, json_text

__all__ = ["read_file", "write_file"]

KEY = b"affectspace"
VECTOR = "vector"
ROWS = 65_536  # of a row group: what is decoded beside the arrays it goes to
TEXT = pd.StringDtype("pyarrow")


def write_file(
    path: Path, items: pd.DataFrame, vectors: np.ndarray, classes: Sequence[str], about: Mapping[str, Any]
) -> None:
    """Write a space aside and rename it; columns without any value are left out.

    Vectors are a fixed-size list of float32, neither compressed nor in a dictionary: both only cost time on
    numbers that are all different. Everything else is compressed by zstd.
    """
    known = items[[name for name in items if items[name].notna().any()]]
    order = ["id", VECTOR, *known.columns.drop("id")]
    columns = {name: pa.array(known[name], from_pandas=True) for name in known}
    columns = {
        name: pa.chunked_array(column) if isinstance(column, pa.Array) else column for name, column in columns.items()
    }
    width = pa.list_(pa.float32(), vectors.shape[1])
    fields = [pa.field(name, width if name == VECTOR else columns[name].type) for name in order]
    metadata = {KEY: json_text({"classes": list(classes), "about": dict(about)}).encode()}
    packed = dict.fromkeys(order, "zstd") | {f"{name}.list.element": "zstd" for name in order}
    schema = pa.schema(fields, metadata)
    with (
        atomic_path(path) as aside,
        pq.ParquetWriter(
            aside,
            schema,
            compression=packed | {f"{VECTOR}.list.element": "none"},  # pyright: ignore[reportArgumentType]
            use_dictionary=[field.name for field in fields if pa.types.is_large_string(field.type)],  # pyright: ignore[reportArgumentType]
        ) as writer,
    ):
        for start in range(0, len(items), ROWS):
            part = vectors[start : start + ROWS]
            block = {name: column.slice(start, ROWS) for name, column in columns.items()}
            block[VECTOR] = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), vectors.shape[1])
            writer.write_table(pa.table([block[name] for name in order], schema=schema))


def read_file(path: Path) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...], dict[str, Any]]:
    """Items, vectors, classes and origin of a space, column by column and without Python's lists.

    Where the metadata names no classes, those of the column ``label`` are taken, in alphabetical order.

    Raises:
        InputError: no Parquet file, a damaged one, no ``id`` or ``vector``, or vectors of different widths.
    """
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for needed in ("id", VECTOR):
                if needed not in names:
                    raise InputError(f"{path} is no space: it has no column {needed!r}; affectspace embed writes one")
            vectors = _vectors(path, file)
            others = [name for name in names if name != VECTOR and not name.startswith("__index_level_")]
            items = pd.DataFrame({name: _series(file.read([name]).column(0)) for name in others})
            told = dict(json.loads((file.schema_arrow.metadata or {}).get(KEY, b"{}")))
    except InputError:
        raise
    except (OSError, ValueError, AttributeError, pa.ArrowException) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path} cannot be read as a space: {reason}") from error
    classes = told.pop("classes", None)
    if classes is None:
        classes = sorted(items["label"].dropna().astype("string").unique()) if "label" in items else []
    return items, vectors, tuple(classes), told.get("about", told)


def _vectors(path: Path, file: pq.ParquetFile) -> np.ndarray:
    found: np.ndarray | None = None
    start = 0
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
        if found is None:
            found = np.empty((file.metadata.num_rows, width), np.float32)
        found[start : start + len(column)] = numbers.to_numpy(zero_copy_only=False).reshape(len(column), width)
        start += len(column)
    return np.empty((0, 0), np.float32) if found is None else found


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
