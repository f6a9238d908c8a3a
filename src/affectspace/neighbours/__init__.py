"""Which vectors lie near which, and what that tells of a space: votes, retrieval, clusters.

Votes and figures are imported when they are asked for: they take what only searches a second more to load.
"""

from typing import TYPE_CHECKING

from affectspace.neighbours.nearest import Neighbours
from affectspace.neighbours.overlap import Overlap, SameClass, overlap, same_class_among
from affectspace.on_demand import on_demand

if TYPE_CHECKING:  # the same names, for readers, editors and type checkers
    from affectspace.neighbours.classify import choose_k, leading_labels, map_classifier, neighbour_votes, soft_targets
    from affectspace.neighbours.quality import rater_agreement, space_figures

__all__ = [
    "Neighbours", "Overlap", "SameClass", "choose_k", "leading_labels", "map_classifier", "neighbour_votes", "overlap",
    "rater_agreement", "same_class_among", "soft_targets", "space_figures",
]  # fmt: skip

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "choose_k": ".classify",
        "leading_labels": ".classify",
        "map_classifier": ".classify",
        "neighbour_votes": ".classify",
        "rater_agreement": ".quality",
        "soft_targets": ".classify",
        "space_figures": ".quality",
    },
)
