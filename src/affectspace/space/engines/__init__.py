"""Spaces larger than memory: an index on this machine's disk, or in a vector engine that many share."""

from affectspace.space.engines.build import build_index
from affectspace.space.engines.faiss_index import FaissIndex
from affectspace.space.engines.milvus_index import MilvusIndex
from affectspace.space.engines.open import create_index, is_index, open_index
from affectspace.space.engines.protocol import Found, Index
from affectspace.space.engines.sources import Source

__all__ = [
    "FaissIndex",
    "Found",
    "Index",
    "MilvusIndex",
    "Source",
    "build_index",
    "create_index",
    "is_index",
    "open_index",
]
