"""Embeddings, predictions and targets to a loss; plain modules on tensors, usable in anybody's loop."""

from affectspace.losses.cross_entropy import SoftCrossEntropyLoss, balanced_class_weights
from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.divergences import DIVERGENCES, Divergence, bregman, f_spl
from affectspace.losses.pair_similarity import (
    InBatchFSimilarityLoss,
    TripletFSimilarityLoss,
    balanced_pair_weights,
)

__all__ = [
    "DIVERGENCES",
    "DegenerateBatchWarning",
    "Divergence",
    "InBatchFSimilarityLoss",
    "SoftCrossEntropyLoss",
    "TripletFSimilarityLoss",
    "balanced_class_weights",
    "balanced_pair_weights",
    "bregman",
    "f_spl",
]
