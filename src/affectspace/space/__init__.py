"""Embedded items: their neighbours, sub-classes, suspected labels, summaries and maps.

Names are imported when they are asked for: what looks at spaces takes a worker, who only embeds, seconds to load.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

HOMES = {
    "MapOfSpace": "space.map_of_space",
    "Neighbours": "neighbours.nearest",
    "Space": "space.space",
    "SubClasses": "space.subclasses",
    "Summary": "space.summary",
    "bounded_perplexity": "space.maps",
    "find_subclasses": "space.subclasses",
    "same_start": "space.maps",
    "stability": "space.subclasses",
    "summarise": "space.summary",
    "suspects": "space.label_errors",
    "tsne_maps": "space.maps",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"affectspace.{HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
