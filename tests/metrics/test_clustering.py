"""Loops over every pair, scikit-learn, and partitions whose figures are known."""

from itertools import combinations
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

from affectspace.metrics import adjusted_rand, clustering, normalised_mutual_information, pairwise_f1, silhouette

seeds = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=30)


def cast(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    return rng.integers(int(rng.integers(1, 6)), size=n), rng.integers(int(rng.integers(1, 9)), size=n)


@quick
@given(seeds)
def test_pairs_are_those_of_a_loop_over_every_pair(seed):
    truth, clusters = cast(seed)
    pairs = list(combinations(range(len(truth)), 2))
    alike = {(i, j) for i, j in pairs if truth[i] == truth[j]}
    put = {(i, j) for i, j in pairs if clusters[i] == clusters[j]}
    found = pairwise_f1(truth, clusters)
    assert found.precision == pytest.approx(len(alike & put) / len(put) if put else 1)
    assert found.recall == pytest.approx(len(alike & put) / len(alike) if alike else 1)
    assert found.f1 == pytest.approx(2 * len(alike & put) / (len(alike) + len(put)) if alike or put else 1)


@quick
@given(seeds)
def test_information_is_summed_over_every_class_and_cluster(seed):
    truth, clusters = cast(seed)
    n = len(truth)

    def entropy(labels):
        shares = [sum(label == other for other in labels) / n for label in sorted(set(labels))]
        return -sum(p * log(p) for p in shares)

    own, found = truth.tolist(), clusters.tolist()
    information = entropy(own) + entropy(found) - entropy(list(zip(own, found)))
    mean = (entropy(own) + entropy(found)) / 2
    value = normalised_mutual_information(truth, clusters)
    assert value == pytest.approx(information / mean if mean else 1, abs=1e-9)
    assert value == pytest.approx(normalized_mutual_info_score(truth, clusters), abs=1e-9)
    assert adjusted_rand(truth, clusters) == adjusted_rand_score(truth, clusters)


@quick
@given(seeds)
def test_names_and_order_do_not_matter_and_the_sides_may_be_swapped(seed):
    truth, clusters = cast(seed)
    shuffle = np.random.default_rng(seed).permutation(len(truth))
    renamed = (100 - 7 * truth)[shuffle], (3 * clusters - 50)[shuffle]
    for figure in (normalised_mutual_information, adjusted_rand):
        assert figure(*renamed) == pytest.approx(figure(truth, clusters), abs=1e-12)
        assert figure(clusters, truth) == pytest.approx(figure(truth, clusters), abs=1e-12)
    there, back = pairwise_f1(truth, clusters), pairwise_f1(clusters, truth)
    assert pairwise_f1(*renamed) == there
    assert (back.f1, back.precision, back.recall) == (there.f1, there.recall, there.precision)


def test_partitions_whose_figures_are_known():
    halves, same, apart = [0, 0, 1, 1], [7, 7, 7, 7], [0, 1, 2, 3]
    assert normalised_mutual_information(halves, halves) == 1
    assert normalised_mutual_information(halves, same) == 0
    assert normalised_mutual_information(same, same) == 1
    assert pairwise_f1(halves, same) == (0.5, 1 / 3, 1)
    assert pairwise_f1(halves, apart) == (0, 1, 0)
    assert pairwise_f1(apart, apart) == (1, 1, 1)
    assert adjusted_rand(halves, same) == 0


def test_pairs_of_many_items_are_counted_exactly():
    truth = np.zeros(3_000_000, np.int8)
    found = pairwise_f1(truth, np.arange(3_000_000) % 2)
    assert found.precision == 1
    assert found.recall == (1_500_000 * 1_499_999) / (3_000_000 * 2_999_999 // 2)


def test_items_of_unknown_class_are_left_out():
    truth, clusters = [0, 0, 1, 1, -1], [0, 0, 1, 1, 0]
    assert normalised_mutual_information(truth, clusters) == adjusted_rand(truth, clusters) == 1
    assert pairwise_f1(truth, clusters) == (1, 1, 1)
    points = [[0.0], [1.0], [9.0], [10.0], [4.0]]
    assert silhouette(points, truth) == silhouette(points[:4], truth[:4])


def test_silhouette_is_the_loop_of_its_definition():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(30, 3)), rng.integers(4, size=30)
    labels[0] = 9  # alone in its class: 0
    each = []
    for i in range(30):
        mean = {
            k: np.mean([np.linalg.norm(points[i] - points[j]) for j in range(30) if labels[j] == k and j != i] or [0])
            for k in set(labels.tolist())
        }
        own, other = mean[labels[i]], min(value for k, value in mean.items() if k != labels[i])
        each.append((other - own) / max(own, other) if (labels == labels[i]).sum() > 1 else 0)
    assert silhouette(points, labels) == pytest.approx(np.mean(each))
    assert silhouette(points, labels, "cosine") == pytest.approx(silhouette_score(points, labels, metric="cosine"))


def test_silhouette_of_many_items_is_that_of_a_seeded_sample(monkeypatch):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    points = rng.normal(size=(600, 4)) + 3 * np.eye(4)[labels]
    whole = silhouette(points, labels)
    monkeypatch.setattr(clustering, "MAX_SILHOUETTE", 200)
    assert silhouette(points, labels) == silhouette(points, labels, seed=0) != silhouette(points, labels, seed=1)
    assert silhouette(points, labels) == pytest.approx(whole, abs=0.05)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [-1, -1, -1], [0, 0, -1]])
def test_silhouette_is_nan_where_there_is_nothing_to_compare(labels):
    assert np.isnan(silhouette(np.eye(3), labels))


@pytest.mark.parametrize("figure", [normalised_mutual_information, pairwise_f1, adjusted_rand])
@pytest.mark.parametrize(
    ("truth", "clusters", "message"),
    [
        ([0, 1], [0], r"truth has shape \(2,\) and clusters \(1,\); expected the same"),
        ([[0]], [[0]], r"shape \(1, 1\)"),
        ([0.0], [0], "truth has type float64; classes and clusters are integers"),
        ([0], ["a"], "clusters has type <U1"),
        ([-1], [0], "none of the 1 items has a class"),
        (np.zeros(0, int), np.zeros(0, int), "none of the 0 items"),
    ],
)
def test_faults_say_value_and_remedy(figure, truth, clusters, message):
    with pytest.raises(ValueError, match=message):
        figure(truth, clusters)


def test_silhouette_names_shapes_and_rows():
    with pytest.raises(ValueError, match=r"shape \(3,\) and labels int64 of shape \(3,\); expected \(items, dim"):
        silhouette(np.zeros(3), np.zeros(3, int))
    with pytest.raises(ValueError, match="not finite in row 1; leave out"):
        silhouette([[0.0], [np.nan], [1.0]], [0, 0, 1])
