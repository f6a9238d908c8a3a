"""Pure functions: predictions and truth to figures."""

from affectspace.metrics.chance import chance_uar
from affectspace.metrics.classification import accuracy, confusion_matrix, macro_f1, recalls, uar, weighted_f1
from affectspace.metrics.distribution import expected_calibration_error, jensen_shannon
from affectspace.metrics.scores import FIGURES, Figure, scores
from affectspace.metrics.similarity import mean_similarity_error, similarity_preservation

__all__ = [
    "FIGURES",
    "Figure",
    "accuracy",
    "chance_uar",
    "confusion_matrix",
    "expected_calibration_error",
    "jensen_shannon",
    "macro_f1",
    "mean_similarity_error",
    "recalls",
    "scores",
    "similarity_preservation",
    "uar",
    "weighted_f1",
]
