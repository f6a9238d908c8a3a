"""Embedded items: their neighbours, sub-classes, suspected labels, summaries and maps."""

from affectspace.neighbours.nearest import Neighbours
from affectspace.space.label_errors import suspects
from affectspace.space.map_of_space import MapOfSpace
from affectspace.space.maps import bounded_perplexity, same_start, tsne_maps
from affectspace.space.space import Space
from affectspace.space.subclasses import SubClasses, find_subclasses, stability
from affectspace.space.summary import Summary, summarise

__all__ = [
    "MapOfSpace",
    "Neighbours",
    "Space",
    "SubClasses",
    "Summary",
    "bounded_perplexity",
    "find_subclasses",
    "same_start",
    "stability",
    "summarise",
    "suspects",
    "tsne_maps",
]
