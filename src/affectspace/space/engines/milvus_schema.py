"""The fields of a collection of Milvus, and what they can keep."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from affectspace.errors import InputError
from affectspace.space.engines.columns import VECTOR

__all__ = ["fields_of", "refuse_long", "schema_of"]

LONGEST = {"id": 1024, "text": 65_535}  # bytes
RESERVED = {"id", VECTOR, "in", "not", "and", "or", "like", "is", "null", "true", "false", "exists", "contains"}


def fields_of(columns: Iterable[str]) -> dict[str, str]:
    """The field in which each column is kept: of its name, where Milvus allows that.

    Example:
        >>> fields_of(["speaker", "is", "âge"])
        {'speaker': 'speaker', 'is': 'column_1', 'âge': 'column_2'}
    """
    return {
        name: name
        if re.fullmatch(r"[A-Za-z_]\w{0,99}", name, re.ASCII) and name.lower() not in RESERVED
        else f"column_{place}"
        for place, name in enumerate(columns)
    }


def schema_of(
    client: Any, dimensions: int, columns: Mapping[str, str], fields: Mapping[str, str], lists: int | None
) -> tuple[Any, Any]:
    """What a client is given to make a collection: its fields, and the index of its vectors.

    Args:
        client: of Milvus.
        dimensions: of vectors.
        columns: their kinds by name, see :class:`~affectspace.space.engines.manifest.Manifest`.
        fields: see :func:`fields_of`.
        lists: of each segment; None for an exact index.
    """
    from pymilvus import DataType

    schema = client.create_schema(enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=LONGEST["id"])
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimensions)
    types = {
        "text": (DataType.VARCHAR, {"max_length": LONGEST["text"]}),
        "integer": (DataType.INT64, {}),
        "number": (DataType.DOUBLE, {}),
        "truth": (DataType.BOOL, {}),
        "numbers": (DataType.ARRAY, {"element_type": DataType.FLOAT, "max_capacity": 4096}),
    }
    for name, kind in columns.items():
        schema.add_field(fields[name], types[kind][0], nullable=True, **types[kind][1])
    index = client.prepare_index_params()
    index.add_index(
        VECTOR,
        index_type="FLAT" if lists is None else "IVF_FLAT",
        metric_type="L2",
        params={} if lists is None else {"nlist": lists},
    )
    return schema, index


def refuse_long(table: pa.Table, columns: Mapping[str, str]) -> None:
    """Stop at what a field cannot keep.

    Args:
        table: of items.
        columns: kinds by name, without that of ``id``.

    Raises:
        InputError: an id or a text is too long.
    """
    for name in table.column_names:
        kind = "id" if name == "id" else columns[name]
        if kind in LONGEST:
            for cell in table.column(name).to_pylist():
                if cell is not None and len(cell.encode()) > LONGEST[kind]:
                    raise InputError(
                        f"the {name} {cell[:40]!r}... has {len(cell.encode()):,} bytes, and Milvus keeps "
                        f"{LONGEST[kind]:,}; shorten it, or keep the index in a folder"
                    )
