"""Spaces larger than memory: an index on this machine's disk, or in a vector engine that many share."""

from affectspace.space.engines.build import build_index
from affectspace.space.engines.open import create_index, is_index, open_index
from affectspace.space.engines.protocol import Found, Index
from affectspace.space.engines.sources import Source

__all__ = ["Found", "Index", "Source", "build_index", "create_index", "is_index", "open_index"]
