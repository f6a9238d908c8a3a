"""An index of a space, built batch by batch; where it was cut off, the same call goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from affectspace.errors import InputError
from affectspace.neighbours.nearest import EXACT_UP_TO, SAMPLED
from affectspace.space.engines.columns import VECTOR, vectors_of
from affectspace.space.engines.manifest import Kind
from affectspace.space.engines.milvus_index import MilvusIndex
from affectspace.space.engines.milvus_place import ADDRESSES
from affectspace.space.engines.open import create_index, is_index, open_index
from affectspace.space.engines.protocol import Index
from affectspace.space.engines.scan import best, exact, told
from affectspace.space.engines.sources import Source

__all__ = ["build_index"]

BUILT_FROM = "built_from"


def build_index(
    source: Source,
    place: str | Path,
    engine: str = "faiss",
    kind: Kind | None = None,
    tell: Callable[[int], Any] = lambda items: None,
) -> Index:
    """Build an index, of which no more than a batch of the source is held.

    Args:
        source: the space.
        place: a folder or an address. An index that is there and was begun from this very source is gone on with.
        engine: of an index in a folder; see :func:`~affectspace.space.engines.open.create_index`.
        kind: how it is searched; None: by its size.
        tell: called with the number of items that are there.

    Raises:
        InputError: something else is there, or what the source and the engine raise.

    Example:
        >>> import tempfile
        >>> import pandas as pd
        >>> from affectspace.space import Space
        >>> folder = Path(tempfile.mkdtemp())
        >>> Space(pd.DataFrame({"id": ["a", "b"]}), np.eye(2), ()).save(folder / "toy.parquet")
        >>> index = build_index(Source(folder / "toy.parquet"), folder / "toy.index")
        >>> index.manifest.kind, index.search([[1.0, 0.0]], 1).ids.tolist()
        ('exact', [['a']])
    """
    begun = {"source": str(source.path), "sha256": source.digest}
    if is_index(place):
        index = open_index(place)
        if index.manifest.about.get(BUILT_FROM) != begun:
            index.close()
            raise InputError(
                f"{place} is there already, and was not made of {source.path} as it is now; choose another path, or "
                "remove it first"
            )
    else:
        if engine == "milvus" or str(place).startswith(ADDRESSES):
            kind = kind or ("exact" if source.items <= EXACT_UP_TO else "ivf")
        about = {**source.about, BUILT_FROM: begun}
        index = create_index(place, source.dimensions, source.columns, source.classes, about, engine, kind)
    try:
        there = 0
        for table in source.batches():
            names = table.column("id")
            ends = list(dict.fromkeys([names[0].as_py(), names[-1].as_py()])) if len(table) else []
            # A batch is added whole, or message after message: where its ends are there, so is what lies between.
            if ends and len(index.get(ends)) < len(ends):
                index.add(table)
            there += len(table)
            tell(there)
        index.compact()
        if isinstance(index, MilvusIndex):
            index.tune(*_sampled(source))
    except BaseException:
        index.close()
        raise
    return index


def _sampled(source: Source) -> tuple[np.ndarray, np.ndarray, int]:
    """Vectors of some items, the distance of the 10th neighbour of each by exact search, and how many that is."""
    rows = np.sort(np.random.default_rng(0).choice(source.items, min(SAMPLED, source.items), replace=False))
    k, start, queries = min(10, source.items - 1), 0, []
    for table in source.batches():
        own = rows[(rows >= start) & (rows < start + len(table))] - start
        queries.append(vectors_of(table.column(VECTOR))[own])
        start += len(table)
    asked = np.ascontiguousarray(np.concatenate([part for part in queries if len(part)]))
    nearest = np.full((len(asked), k + 1), np.inf), np.full((len(asked), k + 1), -1, np.int64)
    for table in source.batches():
        vectors = np.ascontiguousarray(vectors_of(table.column(VECTOR)))
        longest = float(np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64).max()))
        nearest = best([nearest, exact(vectors, longest, asked, k + 1, None)], len(asked), k + 1)
    return asked, told(nearest[0][:, -1:]), k
