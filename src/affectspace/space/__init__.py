"""Embedded items: their neighbours, sub-classes, suspected labels, summaries and maps.

Names are imported when they are asked for: what looks at spaces takes a worker, who only embeds, seconds to load.
"""

from typing import TYPE_CHECKING

from affectspace.on_demand import on_demand

if TYPE_CHECKING:  # the same names, for readers, editors and type checkers
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

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "MapOfSpace": ".map_of_space",
        "Neighbours": "affectspace.neighbours.nearest",
        "Space": ".space",
        "SubClasses": ".subclasses",
        "Summary": ".summary",
        "bounded_perplexity": ".maps",
        "find_subclasses": ".subclasses",
        "same_start": ".maps",
        "stability": ".subclasses",
        "summarise": ".summary",
        "suspects": ".label_errors",
        "tsne_maps": ".maps",
    },
)
