"""Pure functions: predictions and truth to figures."""

from affectspace.metrics.chance import chance_uar
from affectspace.metrics.classification import (
    accuracy,
    confusion_matrix,
    f1_of_macro,
    macro_f1,
    occurring,
    precision,
    recalls,
    uar,
    weighted_f1,
    weighted_precision,
)
from affectspace.metrics.clustering import (
    PairwiseF1,
    adjusted_rand,
    normalised_mutual_information,
    pairwise_f1,
    silhouette,
)
from affectspace.metrics.cross_modal import chance_linear_cka, cross_modal_retrieval, linear_cka
from affectspace.metrics.distribution import expected_calibration_error, jensen_shannon
from affectspace.metrics.leakage import Classifier, GroupProbe, group_probe, group_probe_within
from affectspace.metrics.ordered import (
    exact_match,
    expected_level,
    mean_absolute_error,
    r_squared,
    spearman,
    within_one,
)
from affectspace.metrics.retrieval import accuracy_at_k, recall_at_k
from affectspace.metrics.scores import FIGURES, Figure, scores, value_scores
from affectspace.metrics.similarity import mean_similarity_error, similarity_preservation

__all__ = [
    "FIGURES",
    "Classifier",
    "Figure",
    "GroupProbe",
    "PairwiseF1",
    "accuracy",
    "accuracy_at_k",
    "adjusted_rand",
    "chance_linear_cka",
    "chance_uar",
    "confusion_matrix",
    "cross_modal_retrieval",
    "exact_match",
    "expected_calibration_error",
    "expected_level",
    "f1_of_macro",
    "group_probe",
    "group_probe_within",
    "jensen_shannon",
    "linear_cka",
    "macro_f1",
    "mean_absolute_error",
    "mean_similarity_error",
    "normalised_mutual_information",
    "occurring",
    "pairwise_f1",
    "precision",
    "r_squared",
    "recall_at_k",
    "recalls",
    "scores",
    "silhouette",
    "similarity_preservation",
    "spearman",
    "uar",
    "value_scores",
    "weighted_f1",
    "weighted_precision",
    "within_one",
]
