"""Which engine an index is of: told by where it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.space.engines.faiss_index import MANIFEST, FaissIndex
from affectspace.space.engines.manifest import Kind
from affectspace.space.engines.milvus_index import MilvusIndex
from affectspace.space.engines.milvus_place import ADDRESSES
from affectspace.space.engines.protocol import Index

__all__ = ["create_index", "is_index", "open_index"]


def is_index(place: str | Path) -> bool:
    """Whether there is an index; of an address, the server is asked.

    Raises:
        InputError: a server that does not answer.
    """
    if MilvusIndex.holds(place):
        return True
    manifest = Path(place) / MANIFEST
    return manifest.is_file() and '"engine": "faiss"' in manifest.read_text(encoding="utf-8", errors="replace")


def open_index(place: str | Path) -> Index:
    """An index by the folder that it is in, or by its address, ``milvus://HOST:PORT/NAME``.

    Raises:
        InputError: nothing there, or damaged, or no answer.
    """
    if str(place).startswith(ADDRESSES) or MilvusIndex.holds(place):
        return MilvusIndex(place)
    return FaissIndex(place)


def create_index(
    place: str | Path,
    dimensions: int,
    columns: Mapping[str, str],
    classes: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
    engine: str = "faiss",
    kind: Kind | None = None,
) -> Index:
    """An index without items.

    Args:
        place: a folder, or an address.
        dimensions, columns, classes, about, kind: see :class:`~affectspace.space.engines.manifest.Manifest`.
        engine: of a folder: ``faiss``, or ``milvus`` for Milvus Lite; an address is of Milvus.

    Raises:
        InputError: it is there already, or another engine.

    Example:
        >>> create_index("toy.index", 2, {}, engine="annoy")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: there is no engine 'annoy'; an index is kept by 'faiss' or 'milvus'
    """
    engines = {"faiss": FaissIndex, "milvus": MilvusIndex}
    if engine not in engines:
        raise InputError(f"there is no engine {engine!r}; an index is kept by 'faiss' or 'milvus'")
    chosen = MilvusIndex if str(place).startswith(ADDRESSES) else engines[engine]
    return chosen.create(place, dimensions, columns, classes, about, kind)
