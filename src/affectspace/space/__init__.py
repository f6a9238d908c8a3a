"""Embedded items, and maps of them."""

from affectspace.space.maps import bounded_perplexity, same_start, tsne_maps

__all__ = ["bounded_perplexity", "same_start", "tsne_maps"]
