"""All figures of a set of predictions at once, and what each of them means."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from affectspace.metrics._inputs import distributions
from affectspace.metrics.chance import chance_uar
from affectspace.metrics.classification import (
    accuracy,
    f1_of_macro,
    macro_f1,
    precision,
    uar,
    weighted_f1,
    weighted_precision,
)
from affectspace.metrics.distribution import expected_calibration_error, jensen_shannon
from affectspace.metrics.ordered import mean_absolute_error, r_squared, spearman, within_one
from affectspace.metrics.similarity import mean_similarity_error, similarity_preservation

__all__ = [
    "FIGURES",
    "LEARNED_FIGURES",
    "LEVEL_FIGURES",
    "MATCHING_FIGURES",
    "PROBE_FIGURES",
    "SPACE_FIGURES",
    "VALUE_FIGURES",
    "Figure",
    "scores",
    "value_scores",
]


@dataclass(frozen=True)
class Figure:
    """What a figure is called, between what it lies, and which way is better (None: neither)."""

    title: str
    low: float
    high: float
    better: Literal["higher", "lower"] | None


FIGURES = {
    "uar": Figure("unweighted average recall", 0, 1, "higher"),
    "chance_uar": Figure("UAR of random predictions", 0, 1, None),
    "accuracy": Figure("accuracy", 0, 1, "higher"),
    "macro_precision": Figure("macro precision", 0, 1, "higher"),
    "macro_f1": Figure("macro F1", 0, 1, "higher"),
    "f1_of_macro": Figure("F1 of macro precision and recall", 0, 1, "higher"),
    "weighted_f1": Figure("weighted F1", 0, 1, "higher"),
    "weighted_precision": Figure("weighted average precision (WAP)", 0, 1, "higher"),
    "jensen_shannon": Figure("Jensen-Shannon divergence from the labels (bits)", 0, 1, "lower"),
    "ece": Figure("expected calibration error", 0, 1, "lower"),
    "similarity_rho": Figure("rank correlation of label and embedding similarity", -1, 1, "higher"),
    "similarity_error": Figure("mean difference of label and embedding similarity", 0, 2, "lower"),
}
"""Every figure of :func:`scores` but those of order, the one to select by first."""

LEVEL_FIGURES = {
    "within_one": Figure("share within one level of the truth", 0, 1, "higher"),
    "spearman": Figure("rank correlation of expected and true level", -1, 1, "higher"),
    "mean_absolute_error": Figure("mean distance of most probable from true level", 0, float("inf"), "lower"),
}
"""Those that :func:`scores` adds for classes that stand in an order.

All but the rank correlation judge the most probable level. Probabilities need not be beliefs: those of a regressed
level (:func:`affectspace.losses.level_logits`) are a bell of a fixed width, cut at the ends, whose expected level lies
half a level off where the regression is perfect. Its order is the right one, so the rank correlation, which sees finer
than whole levels, may take it.
"""

VALUE_FIGURES = {
    "value_mean_absolute_error": Figure("mean distance of predicted from true value", 0, float("inf"), "lower"),
    "value_spearman": Figure("rank correlation of predicted and true value", -1, 1, "higher"),
    "value_r2": Figure("R² of predicted and true value", float("-inf"), 1, "higher"),
}
"""Those of :func:`value_scores`, for levels that numbers were cut into, in the unit of the numbers."""

LEARNED_FIGURES = {
    "relation_strength": Figure("standard deviation of the distances between classes (SDD)", 0, float("inf"), None),
    "distance_order": Figure("rank correlation of learned distances and steps between levels", -1, 1, "higher"),
    "group_accuracy": Figure("training items whose group the adversary tells", 0, 1, None),
    "chance_group_accuracy": Figure("one of its groups at random", 0, 1, None),
}
"""Those of what a term has learned by the kept epoch; a run puts the term's name and a dot before each."""

MATCHING_FIGURES = {
    **{f"recall_at_{k}": Figure(f"Recall@{k} of the item in the other modality", 0, 1, "higher") for k in (1, 5, 10)},
    **{f"chance_recall_at_{k}": Figure(f"Recall@{k} of an item at random", 0, 1, None) for k in (1, 5, 10)},
    "linear_cka": Figure("linear CKA", 0, 1, "higher"),
    "chance_linear_cka": Figure("linear CKA of items paired at random", 0, 1, None),
}
"""Those of two modalities of the same items that pages tell."""

PROBE_FIGURES = {
    "before": Figure("from features", 0, 1, None),
    "after": Figure("from embeddings", 0, 1, None),
    "before_by_neighbours": Figure("from features by neighbours", 0, 1, None),
    "after_by_neighbours": Figure("from embeddings by neighbours", 0, 1, None),
    "chance": Figure("by chance", 0, 1, None),
}
"""Those of what can be told of speakers and languages, and of how languages overlap, that pages tell."""

RETRIEVED = (1, 2, 4, 8, 16, 32)
VOTED = {
    "accuracy": "accuracy",
    "precision": "macro precision",
    "recall": "macro recall",
    "macro_f1": "macro F1",
    "f1_of_macro": "F1 of macro precision and recall",
}
SPACE_FIGURES = {
    **{f"knn_{key}": Figure(f"{title} of neighbours' votes", 0, 1, "higher") for key, title in VOTED.items()},
    **{
        f"within_knn_{key}": Figure(f"{title} of neighbours' votes, within the tested items", 0, 1, "higher")
        for key, title in VOTED.items()
    },
    **{f"map_{key}": Figure(f"{title} by the nearest class mean", 0, 1, "higher") for key, title in VOTED.items()},
    "knn_k": Figure("neighbours that vote", 1, float("inf"), None),
    "nmi": Figure("normalised mutual information of clusters and classes", 0, 1, "higher"),
    "adjusted_rand": Figure("adjusted Rand index of clusters and classes", -1, 1, "higher"),
    "pairwise_f1": Figure("pairwise F1 of clusters", 0, 1, "higher"),
    "silhouette": Figure("silhouette of the classes", -1, 1, "higher"),
    "rater_agreement": Figure("agreement of neighbours' votes with an item's raters", 0, 1, "higher"),
    "rater_agreement_chance": Figure("the same with items drawn at random", 0, 1, None),
    **{f"recall_at_{k}": Figure(f"Recall@{k}, within the test items", 0, 1, "higher") for k in RETRIEVED},
    **{f"accuracy_at_{k}": Figure(f"Acc@{k}, within the test items", 0, 1, "higher") for k in RETRIEVED},
    **{f"reference_recall_at_{k}": Figure(f"Recall@{k}, among training items", 0, 1, "higher") for k in RETRIEVED},
    **{f"reference_accuracy_at_{k}": Figure(f"Acc@{k}, among training items", 0, 1, "higher") for k in RETRIEVED},
}
"""Those of a space, see :func:`affectspace.neighbours.space_figures`."""


def scores(
    truth: ArrayLike,
    probabilities: ArrayLike,
    label_similarity: ArrayLike | None = None,
    embedding_similarity: ArrayLike | None = None,
    ordered: bool = False,
) -> dict[str, float]:
    """The figures of classification and of distributions, and those of order and similarity where they are asked for.

    Args:
        truth: class indices ``(items,)`` or probabilities ``(items, classes)``.
        probabilities: predicted, shape ``(items, classes)``.
        label_similarity, embedding_similarity: in [0, 2], shape ``(items, items)``, the same items in
            the same order; both, or neither.
        ordered: whether the classes stand in an order, the lowest first.

    Raises:
        ValueError: as the single figures; or one matrix without the other, or of other items.

    Example:
        >>> figures = scores([[1.0, 0.0], [0.5, 0.5]], [[0.8, 0.2], [0.4, 0.6]])
        >>> figures["uar"], round(figures["jensen_shannon"], 3)
        (1.0, 0.058)
    """
    given = distributions(probabilities, None, "probabilities")
    target = distributions(truth, given.shape[1])
    figures = {
        "uar": uar(target, given),
        "chance_uar": chance_uar(target),
        "accuracy": accuracy(target, given),
        "macro_precision": precision(target, given),
        "macro_f1": macro_f1(target, given),
        "f1_of_macro": f1_of_macro(target, given),
        "weighted_f1": weighted_f1(target, given),
        "weighted_precision": weighted_precision(target, given),
        "jensen_shannon": jensen_shannon(target, given),
        "ece": expected_calibration_error(given, target),
    }
    if ordered:
        figures["within_one"] = within_one(target, given)
        figures["spearman"] = spearman(target, given)
        figures["mean_absolute_error"] = mean_absolute_error(target, given, by="argmax")
    if (label_similarity is None) != (embedding_similarity is None):
        raise ValueError("one similarity matrix was given without the other; give both or neither")
    if label_similarity is not None and embedding_similarity is not None:
        if len(np.asarray(label_similarity)) != len(target):
            raise ValueError(
                f"the similarities are of {len(np.asarray(label_similarity))} items and truth of {len(target)}; "
                "give both for the same items"
            )
        figures["similarity_rho"] = similarity_preservation(label_similarity, embedding_similarity)
        figures["similarity_error"] = mean_similarity_error(label_similarity, embedding_similarity)
    return figures


def value_scores(truth: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """The figures of predicted numbers, such as ages or ratings.

    Args:
        truth: ``(items,)`` finite numbers.
        predicted: ``(items,)`` in the same unit, such as by :meth:`affectspace.labels.Cut.values`.

    Raises:
        ValueError: no items, numbers of items that differ, or what is not finite.

    Example:
        >>> {name: round(value, 3) for name, value in value_scores([20, 30, 40], [26, 30, 34]).items()}
        {'value_mean_absolute_error': 4.0, 'value_spearman': 1.0, 'value_r2': 0.64}
    """
    true, guess = (np.asarray(side, dtype=np.float64) for side in (truth, predicted))
    return {
        "value_mean_absolute_error": mean_absolute_error(true, guess),
        "value_spearman": spearman(true, guess),
        "value_r2": r_squared(true, guess),
    }
