"""The figures that tell how good a space is: classification, clusters, retrieval, and agreement with raters."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from affectspace.metrics import (
    accuracy,
    accuracy_at_k,
    adjusted_rand,
    f1_of_macro,
    jensen_shannon,
    macro_f1,
    normalised_mutual_information,
    pairwise_f1,
    precision,
    recall_at_k,
    silhouette,
    uar,
)
from affectspace.neighbours.classify import leading_labels, map_classifier, neighbour_votes, soft_targets
from affectspace.neighbours.indexes import Metric, as_queries
from affectspace.neighbours.nearest import Neighbours

__all__ = ["K_NN", "rater_agreement", "space_figures"]

K_NN = 11  # neighbours that vote where none validate, as in the source, and whose votes are compared with an item's
STARTS = 10  # of k-means, the best of which is taken
VOTED = {"accuracy": accuracy, "precision": precision, "recall": uar, "macro_f1": macro_f1, "f1_of_macro": f1_of_macro}


def space_figures(
    embeddings: ArrayLike,
    targets: ArrayLike,
    classes: int,
    reference: ArrayLike | None = None,
    reference_targets: ArrayLike | None = None,
    ks: Sequence[int] = (1, 2, 4, 8, 16, 32),
    k_nn: int = K_NN,
    metric: Metric = "euclidean",
    seed: int = 0,
) -> dict[str, float]:
    """Every figure that papers report of a space, from one search for all numbers of neighbours.

    ===========================================  =====================================================
    ``knn_accuracy``, ``knn_precision``,         of :func:`~affectspace.neighbours.classify.neighbour_votes`
    ``knn_recall``, ``knn_macro_f1``,            among the reference items, or without a reference
    ``knn_f1_of_macro``                          among the other items (each left out in turn)
    ``within_knn_accuracy``, ...                 the same five among the other items, where there is a reference
    ``map_accuracy``, ...                        the same five of the class with the nearest mean of reference items
    ``knn_k``                                    how many neighbours had a vote; never more than there are
    ``recall_at_K``, ``accuracy_at_K``           retrieval among the items themselves
    ``reference_recall_at_K``,                   retrieval from the reference, where there is one
    ``reference_accuracy_at_K``
    ``nmi``, ``adjusted_rand``, ``pairwise_f1``  of k-means with as many clusters as classes occur
    ``silhouette``                               of the classes
    ``rater_agreement``,                         :func:`rater_agreement` with the 11 nearest of the items,
    ``rater_agreement_chance``                   and with as many drawn at random
    ===========================================  =====================================================

    The nearest mean is the most probable class (MAP) of Gaussians of one spread and equal priors, whatever that
    spread is: :func:`affectspace.neighbours.classify.map_classifier`, for which a soft label counts in parts.

    All but ``knn_k``, the silhouette (in [-1, 1]) and ``adjusted_rand`` lie in [0, 1]; higher is better, of all but
    the chance, which is to be compared with. The silhouette is NaN where all items are of one class.
    Retrieval and clusters need one class an item: they leave out items whose raters are torn, and are
    left out themselves where all items are. The other figures hold torn items by the tie rule of
    :mod:`affectspace.metrics.classification`. Unknown items are left out everywhere.

    Args:
        embeddings: of the items to judge, shape ``(n, dimensions)``, finite.
        targets: of them: class indices ``(n,)``, negative where unknown, or probabilities
            ``(n, classes)``, rows of NaN where unknown.
        classes: how many.
        reference, reference_targets: items that a class is learned from, such as those of training, in
            the same forms; both or neither.
        ks: numbers of neighbours for retrieval.
        k_nn: number of neighbours that vote; choose it on validation items
            (:func:`affectspace.neighbours.classify.choose_k`).
        metric: of distances; for the cosine, k-means sees vectors of length one.
        seed: of k-means, of the random neighbours, and of the items of the silhouette.

    Raises:
        ValueError: numbers of items that differ, a reference without its targets or the other way
            round, values as for :class:`~affectspace.neighbours.nearest.Neighbours`, and fewer than two
            items, or no reference item, of known class.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold".

    Example:
        >>> figures = space_figures([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1], classes=2, ks=[1], k_nn=1)
        >>> figures["knn_accuracy"], figures["recall_at_1"], figures["nmi"]
        (1.0, 1.0, 1.0)
    """
    if (reference is None) != (reference_targets is None):
        raise ValueError("reference and reference_targets belong together; give both or neither")
    points, votes = _known(embeddings, targets, classes, metric, "embeddings", at_least=2)
    labels = leading_labels(votes, classes)
    widest = max([*ks, k_nn, K_NN])
    _, rows = Neighbours(points).of_items(widest)
    retrieved = {"": (rows, labels)}
    voters, voters_votes, available = rows, votes, len(points) - 1
    predicted = {}
    if reference is not None and reference_targets is not None:
        others, voters_votes = _known(reference, reference_targets, classes, metric, "reference", at_least=1)
        _, voters = Neighbours(others).search(points, widest)
        available = len(others)
        retrieved["reference_"] = (voters, leading_labels(voters_votes, classes))
        predicted["within_knn"] = neighbour_votes(rows, votes, classes, k_nn)[1]
        predicted["map"] = map_classifier(others, voters_votes, classes).predict(torch.from_numpy(points)).numpy()
    predicted["knn"] = neighbour_votes(voters, voters_votes, classes, k_nn)[1]
    figures: dict[str, float] = {"knn_k": min(k_nn, available)}
    for way, guesses in predicted.items():
        figures |= {f"{way}_{name}": figure(votes, guesses, classes) for name, figure in VOTED.items()}
    if (labels >= 0).any():
        for source, (found, found_labels) in retrieved.items():
            near = np.append(found_labels, -1)[found]  # the index -1, none, finds the label appended
            for name, figure in (("recall_at", recall_at_k), ("accuracy_at", accuracy_at_k)):
                figures |= {f"{source}{name}_{k}": value for k, value in figure(near, labels, ks).items()}
        occur = len(np.unique(labels[labels >= 0]))  # more clusters than that could only part what belongs together
        clusters = _clusters(points, occur, seed)
        figures["nmi"] = normalised_mutual_information(labels, clusters)
        figures["adjusted_rand"] = adjusted_rand(labels, clusters)
        figures["pairwise_f1"] = pairwise_f1(labels, clusters).f1
        figures["silhouette"] = silhouette(points, labels, seed=seed)
    figures["rater_agreement"] = rater_agreement(votes, rows[:, :K_NN])
    figures["rater_agreement_chance"] = rater_agreement(votes, _strangers(len(points), K_NN, seed))
    return figures


def rater_agreement(votes: np.ndarray, rows: np.ndarray) -> float:
    """How like each item's votes the mean votes of its neighbours are: 1 - Jensen-Shannon divergence (bits).

    Mean over the items that have a neighbour, in [0, 1], higher is better; NaN where none has. Even random
    neighbours agree in part, as classes have their shares: compare with those.

    Args:
        votes: probabilities ``(n, classes)``.
        rows: of the neighbours of each item, without itself, shape ``(n, k)``; -1 for none.

    Raises:
        ValueError: votes that do not sum to one.

    Example:
        >>> votes = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> rater_agreement(votes, np.array([[1], [0], [-1]]))
        1.0
    """
    total = np.zeros_like(votes)
    padded = np.append(votes, np.zeros((1, votes.shape[1])), axis=0)
    for column in range(rows.shape[1]):
        total += padded[rows[:, column]]
    there = (rows >= 0).sum(1)
    has = there > 0
    return 1 - jensen_shannon(votes[has], total[has] / there[has, None]) if has.any() else float("nan")


def _known(
    embeddings: ArrayLike, targets: ArrayLike, classes: int, metric: Metric, name: str, at_least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings, as their Euclidean distances are meant, and votes of the items whose votes are known."""
    points, votes = np.asarray(embeddings), soft_targets(targets, classes)
    if points.ndim != 2 or len(points) != len(votes):
        raise ValueError(f"{name} has shape {points.shape} and its targets {len(votes)} items; expected as many")
    prepared = as_queries(points, metric, name)
    known = ~np.isnan(votes).any(1)
    if known.sum() < at_least:
        raise ValueError(f"{name} has {known.sum()} items of known class; at least {at_least} are needed")
    return (prepared, votes) if known.all() else (prepared[known], votes[known])


def _clusters(points: np.ndarray, classes: int, seed: int) -> np.ndarray:
    k = min(classes, len(points))
    from sklearn.cluster import KMeans  # takes a second to load, which the figures of most runs have no use for
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different points than clusters: fewer are made
        return KMeans(k, n_init=STARTS, random_state=seed).fit_predict(points)  # pyright: ignore[reportArgumentType]


def _strangers(items: int, k: int, seed: int) -> np.ndarray:
    """Other items drawn at random, with replacement, ``(items, k)``."""
    steps = np.random.default_rng(seed).integers(1, items, (items, k))
    return (np.arange(items)[:, None] + steps) % items
