"""Embeddings, predictions and targets to a loss; plain modules on tensors, usable in anybody's loop.

:mod:`affectspace.losses.guide` leads from the labels one has to the losses that fit.
"""

from affectspace.losses.across_processes import AcrossProcesses, gather_rows
from affectspace.losses.adversary import AdversaryLoss, reversal_schedule, reverse_gradient
from affectspace.losses.cached_gradients import cached_backward
from affectspace.losses.consistency import ConsistencyLoss, ramp_up
from affectspace.losses.contrastive import SupervisedContrastiveLoss
from affectspace.losses.contrastive_pairs import ContrastivePairsLoss
from affectspace.losses.cross_entropy import SoftCrossEntropyLoss, balanced_class_weights
from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning
from affectspace.losses.divergences import DIVERGENCES, Divergence, bregman, f_spl
from affectspace.losses.entropic_emd import EntropicEMDLoss, NotConvergedWarning, entropic_emd
from affectspace.losses.gaussian_manifold import GaussianManifoldLoss, class_means, gaussian_log_posterior
from affectspace.losses.ground_distance import ClassFeatures, learned_ground_distance, relation_strength
from affectspace.losses.guided_emd import GuidedEMDLoss, guided_emd
from affectspace.losses.hsic import HSICLoss, hsic
from affectspace.losses.level_regression import LevelRegressionLoss, level_logits, regressed_level
from affectspace.losses.linear_adversary import LinearAdversaryLoss
from affectspace.losses.map_classifier import MAPClassifier
from affectspace.losses.matching import CrossModalMatchingLoss
from affectspace.losses.memory import MemoryBank
from affectspace.losses.mmd import MMDLoss, mmd2
from affectspace.losses.ordered_emd import OrderedEMDLoss, normalised_emd, ordered_emd
from affectspace.losses.pair_similarity import (
    InBatchFSimilarityLoss,
    TripletFSimilarityLoss,
    balanced_pair_weights,
)
from affectspace.losses.pseudo_labels import PseudoLabelLoss, confident
from affectspace.losses.reconstruction import ReconstructionLoss
from affectspace.losses.triplet import TripletLoss

__all__ = [
    "DIVERGENCES",
    "AcrossProcesses",
    "AdversaryLoss",
    "ClassFeatures",
    "ConsistencyLoss",
    "ContrastivePairsLoss",
    "CrossModalMatchingLoss",
    "DegenerateBatchWarning",
    "Divergence",
    "EntropicEMDLoss",
    "GaussianManifoldLoss",
    "GuidedEMDLoss",
    "HSICLoss",
    "InBatchFSimilarityLoss",
    "LeftOutWarning",
    "LevelRegressionLoss",
    "LinearAdversaryLoss",
    "MAPClassifier",
    "MMDLoss",
    "MemoryBank",
    "NotConvergedWarning",
    "OrderedEMDLoss",
    "PseudoLabelLoss",
    "ReconstructionLoss",
    "SoftCrossEntropyLoss",
    "SupervisedContrastiveLoss",
    "TripletFSimilarityLoss",
    "TripletLoss",
    "balanced_class_weights",
    "balanced_pair_weights",
    "bregman",
    "cached_backward",
    "class_means",
    "confident",
    "entropic_emd",
    "f_spl",
    "gather_rows",
    "gaussian_log_posterior",
    "guided_emd",
    "hsic",
    "learned_ground_distance",
    "level_logits",
    "mmd2",
    "normalised_emd",
    "ordered_emd",
    "ramp_up",
    "regressed_level",
    "relation_strength",
    "reversal_schedule",
    "reverse_gradient",
]
