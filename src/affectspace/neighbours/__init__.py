"""Which vectors lie near which, and what that tells of a space: votes, retrieval, clusters."""

from affectspace.neighbours.classify import choose_k, leading_labels, map_classifier, neighbour_votes, soft_targets
from affectspace.neighbours.nearest import Neighbours
from affectspace.neighbours.overlap import Overlap, SameClass, overlap, same_class_among
from affectspace.neighbours.quality import rater_agreement, space_figures

__all__ = [
    "Neighbours", "Overlap", "SameClass", "choose_k", "leading_labels", "map_classifier", "neighbour_votes", "overlap",
    "rater_agreement", "same_class_among", "soft_targets", "space_figures",
]  # fmt: skip
