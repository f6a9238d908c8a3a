"""Each figure against the plain way to it; spaces whose figures are known; what is unknown or few."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, jensenshannon
from sklearn.cluster import KMeans
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    normalized_mutual_info_score,
    precision_score,
    recall_score,
    silhouette_score,
)
from sklearn.neighbors import KNeighborsClassifier

from affectspace.neighbours.quality import rater_agreement, space_figures


def cast(seed=0, n=120, spread=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    return rng.normal(size=(n, 4)) + labels[:, None] * 2 / spread, labels, rng


def test_figures_are_those_of_the_plain_way():
    points, labels, _ = cast()
    reference, their_labels, _ = cast(1, 200)
    ks = (1, 2, 5)
    figures = space_figures(points, labels, 2, reference, their_labels, ks=ks, k_nn=11)
    predicted = KNeighborsClassifier(11).fit(reference, their_labels).predict(points)
    p, r = (score(labels, predicted, average="macro") for score in (precision_score, recall_score))
    assert figures["knn_accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert (figures["knn_precision"], figures["knn_recall"]) == pytest.approx((p, r))
    assert figures["knn_f1_of_macro"] == pytest.approx(2 * p * r / (p + r))
    assert figures["knn_macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    means = np.stack([reference[their_labels == c].mean(0) for c in (0, 1)])
    nearest = cdist(points, means).argmin(1)
    assert figures["map_accuracy"] == pytest.approx(accuracy_score(labels, nearest))
    assert figures["map_macro_f1"] == pytest.approx(f1_score(labels, nearest, average="macro"))
    among = cdist(points, points)
    np.fill_diagonal(among, np.inf)
    majority = labels[among.argsort(1)[:, :11]].mean(1) > 0.5
    assert figures["within_knn_accuracy"] == pytest.approx(accuracy_score(labels, majority))
    for prefix, gaps, found in (("", among, labels), ("reference_", cdist(points, reference), their_labels)):
        near = found[gaps.argsort(1)] == labels[:, None]
        for k in ks:
            assert figures[f"{prefix}recall_at_{k}"] == pytest.approx(near[:, :k].any(1).mean())
            assert figures[f"{prefix}accuracy_at_{k}"] == pytest.approx(near[:, :k].mean())
    clusters = KMeans(2, n_init=10, random_state=0).fit_predict(points.astype(np.float32))
    assert figures["nmi"] == pytest.approx(normalized_mutual_info_score(labels, clusters))
    assert figures["silhouette"] == pytest.approx(silhouette_score(points, labels), abs=1e-5)
    votes = np.eye(2)[labels]
    means = votes[among.argsort(1)[:, :11]].mean(1)
    likeness = [1 - jensenshannon(a, b, base=2) ** 2 for a, b in zip(votes, means)]
    assert figures["rater_agreement"] == pytest.approx(np.mean(likeness))


def test_separate_classes_have_the_best_of_every_figure():
    points, labels, _ = cast(spread=0.02)
    figures = space_figures(points, labels, 2, points + 0.01, labels, ks=[1, 8])
    best = {name: value for name, value in figures.items() if not name.endswith("chance")}
    assert best.pop("silhouette") > 0.9
    assert best.pop("knn_k") == 11
    assert best == pytest.approx(dict.fromkeys(best, 1.0))
    assert 0.3 < figures["rater_agreement_chance"] < 0.95


def test_no_more_neighbours_are_told_than_there_are():
    points, labels, _ = cast()
    for reference, k in ((3, 3), (11, 11), (30, 11)):
        among = points[:reference] + 0.3, labels[:reference]
        asked, there = (space_figures(points, labels, 2, *among, ks=[1], k_nn=each) for each in (11, k))
        assert asked["knn_k"] == there["knn_k"] == k
        assert asked["knn_macro_f1"] == there["knn_macro_f1"]
    assert space_figures(points[:4], [0, 1, 0, 1], 2, ks=[1])["knn_k"] == 3


def test_a_collapsed_space_is_at_chance():
    labels = np.random.default_rng(0).integers(3, size=300)
    figures = space_figures(np.ones((300, 5)), labels, 3, ks=[1, 4])
    assert figures["nmi"] == figures["adjusted_rand"] == 0
    assert figures["silhouette"] == 0
    assert figures["knn_recall"] == pytest.approx(1 / 3, abs=0.05)
    assert figures["rater_agreement"] == pytest.approx(figures["rater_agreement_chance"], abs=0.1)


def test_without_a_reference_each_item_is_left_out_in_turn():
    points, labels, _ = cast()
    figures = space_figures(points, labels, 2, ks=[1], k_nn=1)
    assert figures["knn_accuracy"] == figures["recall_at_1"] == figures["accuracy_at_1"] < 1
    assert not any(name.startswith(("reference", "within", "map")) for name in figures)


def test_agreement_with_raters_does_not_depend_on_how_many_vote():
    points, labels, _ = cast()
    one, many = (space_figures(points, labels, 2, points, labels, k_nn=k) for k in (1, 31))
    assert one["knn_accuracy"] == 1 > many["knn_accuracy"]
    agreement = [name for name in one if name.startswith("rater") or "_at_" in name]
    assert [one[name] for name in agreement] == [many[name] for name in agreement]


def test_unknown_items_are_as_if_they_were_not_there():
    points, labels, rng = cast()
    extra = np.concatenate([points, rng.normal(size=(30, 4))])
    unknown = np.concatenate([labels, np.full(30, -1)])
    expected = space_figures(points, labels, 2, points, labels)
    assert space_figures(extra, unknown, 2, extra, unknown) == expected
    votes = np.full((150, 2), np.nan)
    votes[:120] = np.eye(2)[labels]
    assert space_figures(extra, votes, 2, extra, votes) == expected


def test_torn_items_are_left_out_of_retrieval_and_clusters_and_count_in_the_votes():
    points = np.array([[0.0], [0.1], [5.0], [5.1], [2.6]])
    votes = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0.5, 0.5]])
    figures = space_figures(points, votes, 2, ks=[1], k_nn=1)
    assert figures["recall_at_1"] == 1
    assert figures["knn_accuracy"] == 1  # either class is right for a torn item
    assert figures["rater_agreement"] < 1


def test_classes_that_no_item_has_ask_for_no_cluster():
    points, labels, _ = cast(spread=0.02)
    clusters = ("nmi", "adjusted_rand", "pairwise_f1")
    of_two, of_eight = (space_figures(points, labels, classes, ks=[1]) for classes in (2, 8))
    assert [of_eight[name] for name in clusters] == [of_two[name] for name in clusters] == pytest.approx([1.0] * 3)


def test_cosine_sees_directions_only():
    points, labels, rng = cast()
    scaled = points * rng.uniform(0.5, 20, (len(points), 1))
    expected = space_figures(points, labels, 2, metric="cosine")
    assert space_figures(scaled, labels, 2, metric="cosine") == pytest.approx(expected, abs=1e-5)


def test_the_same_seed_gives_the_same_figures_of_few_items_too():
    points, labels, _ = cast(n=5)
    labels[:2] = 0, 1
    first, again = (space_figures(points, labels, 4, seed=3) for _ in range(2))
    assert first == again
    assert set(first) >= {"recall_at_32", "accuracy_at_32", "nmi", "pairwise_f1", "rater_agreement_chance"}


def test_items_without_a_neighbour_have_no_say_in_agreement():
    votes = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert rater_agreement(votes, np.array([[1, -1], [-1, -1], [0, 1]])) == pytest.approx(0.5)
    assert np.isnan(rater_agreement(votes, np.full((3, 2), -1)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: space_figures(x, y, 2, x), "reference and reference_targets belong together"),
        (lambda x, y: space_figures(x, y[1:], 2), r"embeddings has shape \(120, 4\) and its targets 119 items"),
        (lambda x, y: space_figures(x, y, 2, x[:0], y[:0]), "reference has 0 items of known class; at least 1"),
        (lambda x, y: space_figures(x[:1], y[:1], 2), "embeddings has 1 items of known class; at least 2"),
        (lambda x, y: space_figures(x, y, 1), r"targets hold class 1, outside 0\.\.0"),
        (lambda x, y: space_figures(np.where(x == x[3, 0], np.nan, x), y, 2), "embeddings holds nan in row 3"),
    ],
)
def test_faults_say_value_and_remedy(call, message):
    points, labels, _ = cast()
    with pytest.raises(ValueError, match=message):
        call(points, labels)
