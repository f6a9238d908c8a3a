"""Embedded items, and maps of them."""

from affectspace.space.maps import same_start, tsne_maps

__all__ = ["same_start", "tsne_maps"]
