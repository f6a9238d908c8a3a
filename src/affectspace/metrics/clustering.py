"""How well clusters agree with classes, and how well classes are apart.

``truth`` are classes and ``clusters`` what was found, both integers ``(items,)``, whose numbers are
only names. Items of unknown class (negative) are left out. All raise ``ValueError`` for shapes that do
not match, labels that are not integers, and when no item has a class.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

__all__ = [
    "MAX_SILHOUETTE",
    "PairwiseF1",
    "adjusted_rand",
    "normalised_mutual_information",
    "pairwise_f1",
    "silhouette",
]

MAX_SILHOUETTE = 4000
"""Up to so many items the silhouette takes every pair; of more, so many items are drawn."""


class PairwiseF1(NamedTuple):
    """Of the pairs of items that are in one cluster or in one class; each in [0, 1], higher is better."""

    f1: float
    precision: float
    recall: float


def normalised_mutual_information(truth: ArrayLike, clusters: ArrayLike) -> float:
    r"""Mutual information over the mean of the two entropies (NMI). In [0, 1], higher is better.

    .. math:: NMI = \frac{2\, I(T; C)}{H(T) + H(C)}

    1 when clusters and classes are the same partition, also where both are one single group; 0 when
    they tell nothing of each other. It grows with the number of clusters by chance alone, so compare
    it at the same number, or read :func:`adjusted_rand` beside it.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold", whose
    denominator is a misprint of this one.

    Example:
        >>> normalised_mutual_information([0, 0, 1, 1], [5, 5, 3, 3])
        1.0
        >>> round(normalised_mutual_information([0, 0, 1, 1], [0, 0, 1, 2]), 4)
        0.8
    """
    joint, of_class, of_cluster = _counts(truth, clusters)
    items = joint.sum()
    h_class, h_cluster, h_joint = (float(entr(counts / items).sum()) for counts in (of_class, of_cluster, joint))
    if h_class + h_cluster == 0:
        return 1.0
    return float(np.clip(2 * (h_class + h_cluster - h_joint) / (h_class + h_cluster), 0, 1))


def pairwise_f1(truth: ArrayLike, clusters: ArrayLike) -> PairwiseF1:
    """F1, precision and recall of the statement "these two belong together", over all pairs of items.

    Precision is the share of pairs within clusters that are of one class, recall the share of pairs
    of one class that are within one cluster. They are counted from the table of clusters and classes,
    in O(items). Where there is no pair to be wrong about, a precision or recall is 1.

    Example:
        >>> pairwise_f1([0, 0, 0, 1], [0, 0, 1, 1])
        PairwiseF1(f1=0.4, precision=0.5, recall=0.3333333333333333)
    """
    # Python's own integers: n items make n (n - 1) / 2 pairs, exact for any n.
    both, classes, clusters_ = (sum(n * (n - 1) // 2 for n in counts.tolist()) for counts in _counts(truth, clusters))
    return PairwiseF1(
        2 * both / (classes + clusters_) if classes + clusters_ else 1.0,
        both / clusters_ if clusters_ else 1.0,
        both / classes if classes else 1.0,
    )


def adjusted_rand(truth: ArrayLike, clusters: ArrayLike) -> float:
    """Share of pairs on which clusters and classes agree, corrected for chance, by scikit-learn.

    In [-0.5, 1], higher is better; 0 is chance.

    Example:
        >>> adjusted_rand([0, 0, 1, 1], [1, 1, 0, 0])
        1.0
    """
    from sklearn.metrics import adjusted_rand_score  # takes a second to load, which no training has use for

    return float(adjusted_rand_score(*_labels(truth, clusters)))


def silhouette(
    embeddings: ArrayLike,
    labels: ArrayLike,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    seed: int = 0,
) -> float:
    """Mean silhouette of the items: how much nearer they are to their own class than to the next one.

    In [-1, 1], higher is better. All pairs of up to :data:`MAX_SILHOUETTE` items are taken; of more, so
    many items are drawn, the same for the same ``seed``. NaN, since there is nothing to compare, when
    all items are of one class or each has a class of its own.

    Args:
        embeddings: shape ``(items, dimensions)``.
        labels: classes or clusters, integers ``(items,)``; negative ones are left out.
        metric: of the distances.
        seed: which items are drawn, where not all are used.

    Source: Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", 1987.

    Example:
        >>> round(silhouette([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]), 3)
        0.889
    """
    points, names = np.asarray(embeddings), np.asarray(labels)
    if points.ndim != 2 or names.shape != points.shape[:1] or names.dtype.kind not in "iu":
        raise ValueError(
            f"embeddings has shape {points.shape} and labels {names.dtype} of shape {names.shape}; "
            "expected (items, dimensions) and integers (items,)"
        )
    rows = np.flatnonzero(names >= 0)
    if len(rows) > MAX_SILHOUETTE:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_SILHOUETTE, replace=False))
    points, names = points[rows], names[rows]
    if not np.isfinite(points).all():
        row = int(rows[~np.isfinite(points).all(1)][0])
        raise ValueError(f"embeddings are not finite in row {row}; leave out items that have no embedding")
    if not 2 <= len(np.unique(names)) < len(names):
        return float("nan")
    from sklearn import config_context
    from sklearn.metrics import silhouette_score

    with config_context(working_memory=64):  # MiB of distances at a time
        return float(silhouette_score(points, names, metric=metric))


def _labels(truth: ArrayLike, clusters: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    classes, found = np.asarray(truth), np.asarray(clusters)
    if classes.ndim != 1 or classes.shape != found.shape:
        raise ValueError(f"truth has shape {classes.shape} and clusters {found.shape}; expected the same (items,)")
    for name, array in (("truth", classes), ("clusters", found)):
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} has type {array.dtype}; classes and clusters are integers")
    known = classes >= 0
    if not known.any():
        raise ValueError(f"none of the {len(classes)} items has a class; clusters are compared with at least one")
    return classes[known], found[known]


def _counts(truth: ArrayLike, clusters: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items of each class in each cluster (only those that occur), of each class, and of each cluster."""
    classes, found = _labels(truth, clusters)
    _, of_class, class_sizes = np.unique(classes, return_inverse=True, return_counts=True)
    _, of_cluster, cluster_sizes = np.unique(found, return_inverse=True, return_counts=True)
    _, both = np.unique(of_class * len(cluster_sizes) + of_cluster, return_counts=True)
    return both, class_sizes, cluster_sizes
