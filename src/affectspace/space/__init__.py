"""Embedded items, and maps of them."""

from affectspace.space.maps import bounded_perplexity, same_start, tsne_maps
from affectspace.space.space import Space

__all__ = ["Space", "bounded_perplexity", "same_start", "tsne_maps"]
