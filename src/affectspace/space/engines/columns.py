"""The columns of an index: which kinds there are, and tables that are brought to them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute

from affectspace.errors import InputError

__all__ = ["KINDS", "VECTOR", "Conformed", "conform", "kinds_of", "vectors_of"]

pc: Any = pyarrow.compute  # its functions are made at import, where type checkers do not see them
VECTOR = "vector"
KINDS = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "truth": pa.bool_(),
    "numbers": pa.list_(pa.float32()),
}


class Conformed(NamedTuple):
    """Items as an index keeps them.

    Args:
        ids: without a missing one, each once.
        vectors: float32 ``(items, dimensions)``.
        table: ``id``, then every column of the index, of the types of :data:`KINDS`, missing where it was not given.
    """

    ids: list[str]
    vectors: np.ndarray
    table: pa.Table


def kinds_of(schema: pa.Schema) -> tuple[dict[str, str], dict[str, str]]:
    """The kind of each column that an index can keep, and why it cannot keep the others.

    Example:
        >>> kinds_of(pa.schema({"id": pa.string(), "age": pa.int8(), "seen": pa.timestamp("s")}))
        ({'age': 'integer'}, {'seen': 'it holds timestamp[s]; an index keeps text, numbers, true or false, and lists of
        numbers'})
    """
    kinds: dict[str, str] = {}
    left: dict[str, str] = {}
    for field in schema:
        if field.name in ("id", VECTOR) or field.name.startswith("__index_level_"):
            continue
        if kind := _kind(field.type):
            kinds[field.name] = kind
        else:
            left[field.name] = (
                f"it holds {field.type}; an index keeps text, numbers, true or false, and lists of numbers"
            )
    return kinds, left


def conform(table: pa.Table, kinds: Mapping[str, str], dimensions: int) -> Conformed:
    """A table as an index of these columns keeps it.

    Raises:
        InputError: see :meth:`affectspace.space.engines.protocol.Index.add`.
    """
    for needed in ("id", VECTOR):
        if needed not in table.column_names:
            raise InputError(f"the items have no column {needed!r}; there are {', '.join(table.column_names)}")
    for name in table.column_names:
        if name not in kinds and name not in ("id", VECTOR):
            raise InputError(
                f"the index has no column {name!r}, which the items have; its columns are "
                f"{', '.join(['id', VECTOR, *kinds])}: leave it out, or index anew with it"
            )
    ids = _cast(table.column("id"), "id", pa.string())
    if ids.null_count:
        raise InputError(f"the item in row {pc.index(pc.is_null(ids), True).as_py()} has no id; give each its own")
    named = ids.to_pylist()
    if len(set(named)) < len(named):
        seen: set[str] = set()
        twice = next(name for name in named if name in seen or seen.add(name))
        raise InputError(f"the id {twice!r} occurs twice among the items that are added; each needs its own")
    vectors = vectors_of(table.column(VECTOR))
    if vectors.shape[1] != dimensions and len(named):
        raise InputError(
            f"the vectors have {vectors.shape[1]} dimensions and those of the index {dimensions}; embed these items "
            "with the model of the index, or index them by themselves"
        )
    good = np.isfinite(vectors).all(1)
    if not good.all():
        raise InputError(f"the vector of item {named[int(good.argmin())]} is not finite; leave such items out")
    columns = {"id": ids} | {
        name: _cast(table.column(name), name, KINDS[kind])
        if name in table.column_names
        else pa.chunked_array([pa.nulls(len(table), KINDS[kind])])
        for name, kind in kinds.items()
    }
    return Conformed(named, vectors, pa.table(columns))


def vectors_of(column: pa.ChunkedArray) -> np.ndarray:
    """Lists of numbers as float32 ``(items, dimensions)``.

    Raises:
        InputError: no lists of numbers, or lists of different lengths.
    """
    kind, parts, width = column.type, [], None
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise InputError(f"the column {VECTOR!r} is of {kind}, not of lists of numbers; embed the items anew")
    for chunk in column.chunks:
        if not len(chunk):
            continue
        numbers = chunk.flatten()
        width = len(numbers) // len(chunk) if width is None else width
        even = (
            pa.types.is_fixed_size_list(kind) or (chunk.value_lengths().to_numpy(zero_copy_only=False) == width).all()
        )
        if chunk.null_count or numbers.null_count or not even:
            raise InputError("the vectors differ in length, or are missing for some items; each needs as many numbers")
        parts.append(numbers.to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(len(chunk), width))
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _kind(given: pa.DataType) -> str | None:
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_null(given):
        return "text"
    if pa.types.is_boolean(given):
        return "truth"
    if pa.types.is_integer(given):
        return "integer"
    if pa.types.is_floating(given):
        return "number"
    lists = pa.types.is_list(given) or pa.types.is_large_list(given) or pa.types.is_fixed_size_list(given)
    return "numbers" if lists and (pa.types.is_floating(given.value_type) or _is_whole(given.value_type)) else None


def _is_whole(given: pa.DataType) -> bool:
    return pa.types.is_integer(given)


def _cast(column: pa.ChunkedArray, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        made = column if column.type == kind else column.cast(kind)
        # A cell that is no number is a missing one.
        return pc.if_else(pc.is_finite(made), made, None) if pa.types.is_floating(kind) else made
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"the column {name!r} cannot be kept as {kind}: {str(error).splitlines()[0]}") from error
