"""Against pytorch-metric-learning's AccuracyCalculator and scikit-learn's brute force, where words mean the same."""

import numpy as np
import pytest
import torch

pytest.importorskip("pytorch_metric_learning")

from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator, maybe_get_avg_of_avgs, precision_at_k
from pytorch_metric_learning.utils.inference import CustomKNN
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from affectspace.metrics import accuracy_at_k, normalised_mutual_information, recall_at_k
from affectspace.neighbours.nearest import Neighbours

KS = (1, 2, 4, 8, 16, 32)


class AtEveryK(AccuracyCalculator):
    """Their own precision at k and the share of queries with a hit, added as their documentation says to."""

    def calculate_accuracies(self, knn_labels, query_labels, **_):
        own = query_labels[:, None]
        return [precision_at_k(knn_labels, own, k, False, False, self.label_comparison_fn) for k in KS]

    def calculate_recalls(self, knn_labels, query_labels, **_):
        hits = [(knn_labels[:, :k] == query_labels[:, None]).any(1).float() for k in KS]
        return [maybe_get_avg_of_avgs(hit, query_labels, False, False) for hit in hits]

    def requires_knn(self):
        return [*super().requires_knn(), "accuracies", "recalls"]


def space(items: int, seed: int, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=items)
    return (rng.normal(size=(classes, 16))[labels] + rng.normal(size=(items, 16))).astype(np.float32), labels


def theirs(points, labels, *reference, **options):
    wanted = ("precision_at_1", "accuracies", "recalls", "NMI")
    peer = AtEveryK(include=wanted, k=max(KS), device=torch.device("cpu"), **options)
    return peer.get_accuracy(*map(torch.as_tensor, (points, labels, *reference)))


@pytest.mark.parametrize("with_reference", [False, True])
def test_retrieval_at_every_k_is_theirs(with_reference):
    points, labels = space(700, 0)
    others, other_labels = space(500, 0)
    found = theirs(points, labels, *((others, other_labels) if with_reference else ()))
    if with_reference:
        near = other_labels[Neighbours(others).search(points, max(KS))[1]]
    else:
        near = labels[Neighbours(points).of_items(max(KS))[1]]
    assert list(recall_at_k(near, labels, KS).values()) == pytest.approx(found["recalls"], abs=1e-6)
    assert list(accuracy_at_k(near, labels, KS).values()) == pytest.approx(found["accuracies"])
    assert recall_at_k(near, labels, [1])[1] == pytest.approx(found["precision_at_1"])


def test_retrieval_by_the_cosine_is_theirs():
    points, labels = space(400, 2)
    found = theirs(points, labels, knn_func=CustomKNN(CosineSimilarity()))
    near = labels[Neighbours(points, "cosine").of_items(max(KS))[1]]
    assert list(recall_at_k(near, labels, KS).values()) == pytest.approx(found["recalls"], abs=1e-6)
    assert list(accuracy_at_k(near, labels, KS).values()) == pytest.approx(found["accuracies"])


def test_information_of_the_same_clusters_is_theirs():
    points, labels = space(400, 3)
    clusters = KMeans(6, n_init=1, random_state=0).fit_predict(points)
    found = theirs(points, labels, kmeans_func=lambda *_: torch.as_tensor(clusters))
    assert normalised_mutual_information(labels, clusters) == pytest.approx(found["NMI"])


def test_a_class_of_one_item_is_left_out_there_and_a_miss_here():
    points, labels = space(101, 4)
    labels[0] = 99
    near = labels[Neighbours(points).of_items(1)[1]]
    assert recall_at_k(near, labels, [1])[1] == pytest.approx(theirs(points, labels)["precision_at_1"] * 100 / 101)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_neighbours_are_those_of_brute_force(metric):
    points, _ = space(800, 5)
    queries, _ = space(300, 6)
    peer = NearestNeighbors(algorithm="brute", metric=metric).fit(points.astype(np.float64))
    expected, order = peer.kneighbors(queries.astype(np.float64), 32)
    distances, rows = Neighbours(points, metric).search(queries, 32)
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_allclose(distances, expected, atol=2e-6)
