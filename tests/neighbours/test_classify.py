"""A loop over queries follows the words; scikit-learn where nothing is tied; what is unknown."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from affectspace.metrics import accuracy
from affectspace.neighbours.classify import choose_k, leading_labels, map_classifier, neighbour_votes, soft_targets
from affectspace.neighbours.nearest import Neighbours

seeds = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=30)


def cast(seed, raters):
    rng = np.random.default_rng(seed)
    classes, n, q, width = (int(x) for x in rng.integers((2, 1, 1, 1), (5, 20, 20, 9)))
    votes = rng.multinomial(raters, rng.dirichlet(np.ones(classes)), size=n) / raters
    votes[rng.random(n) < 0.1] = np.nan
    return rng.integers(-1, n, (q, width)), votes, classes, width


def slow(row, votes, classes, k):
    """Probabilities and prediction of one query."""
    cast_votes = [votes[r] if r >= 0 and not np.isnan(votes[r]).any() else np.zeros(classes) for r in row[:k]]
    total = sum(cast_votes)
    probabilities = total / total.sum() if total.sum() else np.full(classes, 1 / classes)
    leading = list(range(classes))
    for kept in range(k, 0, -1):
        held = sum(cast_votes[:kept])
        leading = [c for c in leading if held[c] >= max(held[c] for c in leading) - 1e-9]
        if len(leading) == 1:
            break
    return probabilities, leading[0]


@quick
@given(seeds, st.sampled_from([1, 2, 5]))
def test_votes_follow_the_loop(seed, raters):
    rows, votes, classes, width = cast(seed, raters)
    for k in range(1, width + 1):
        probabilities, predicted = neighbour_votes(rows, votes, classes, k)
        for place, row in enumerate(rows):
            expected, label = slow(row, votes, classes, k)
            np.testing.assert_allclose(probabilities[place], expected, atol=1e-12)
            assert predicted[place] == label
        assert (probabilities.max(1) - probabilities[range(len(rows)), predicted] < 1e-9).all()


@quick
@given(seeds)
def test_hard_labels_are_one_hot_votes(seed):
    rows, votes, classes, width = cast(seed, 1)
    labels = leading_labels(votes, classes)
    assert (labels == np.where(np.isnan(votes).any(1), -1, votes.argmax(1))).all()
    np.testing.assert_array_equal(soft_targets(labels, classes), votes)
    for ours, theirs in zip(
        neighbour_votes(rows, labels, classes, width), neighbour_votes(rows, votes, classes, width)
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_equals_scikit_learn_where_no_votes_are_tied():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=300)
    points = rng.normal(size=(300, 3)) + labels[:, None]
    queries = rng.normal(size=(100, 3)) + 0.5
    _, rows = Neighbours(points).search(queries, 11)
    for k in (1, 5, 11):  # odd, of two classes
        peer = KNeighborsClassifier(k).fit(points, labels)
        probabilities, predicted = neighbour_votes(rows, labels, 2, k)
        np.testing.assert_allclose(probabilities, peer.predict_proba(queries))
        np.testing.assert_array_equal(predicted, peer.predict(queries))


def test_ties_go_to_the_nearer_and_then_to_the_first_class():
    votes = np.array([[0, 1.0], [1, 0], [0.5, 0.5]])
    rows = np.array([[0, 1], [1, 0], [2, 2], [2, 0], [-1, -1]])
    assert neighbour_votes(rows, votes, 2, 2)[1].tolist() == [1, 0, 0, 1, 0]


def test_a_class_out_of_the_tie_never_comes_back():
    # a, a, b, b, c of five votes: c is out; of the first four a and b are tied, of three a leads.
    assert neighbour_votes(np.array([[4, 0, 2, 3, 1]]), [0, 0, 1, 1, 2], 3, 5)[1].tolist() == [1]
    assert neighbour_votes(np.array([[4, 0, 2, 1, 3]]), [0, 0, 1, 1, 2], 3, 5)[1].tolist() == [0]


def test_torn_and_unknown_items_have_no_single_class():
    assert leading_labels([[0.4, 0.4, 0.2], [np.nan] * 3, [0.1, 0.2, 0.7]], 3).tolist() == [-1, -1, 2]
    assert leading_labels([-1, 2, -7], 3).tolist() == [-1, 2, -1]
    assert leading_labels(np.zeros(0, int), 3).tolist() == []


def test_the_curve_is_that_of_each_k_alone_and_the_smallest_best_is_chosen():
    rng = np.random.default_rng(1)
    labels, truth = rng.integers(3, size=200), rng.integers(-1, 3, size=80)
    points, queries = (np.eye(3)[side] + 0.7 * rng.normal(size=(len(side), 3)) for side in (labels, truth))
    _, rows = Neighbours(points).search(queries, 25)
    k, curve = choose_k(rows, labels, truth, 3, ks=[25, 1, 9, 3], figure=accuracy)
    known = truth >= 0
    assert curve == {
        n: accuracy(truth[known], neighbour_votes(rows[known, :n], labels, 3, n)[1], 3) for n in (1, 3, 9, 25)
    }
    assert k == min(n for n, value in curve.items() if value == max(curve.values()))


def test_the_map_classifier_has_the_means_of_the_known_items():
    rng = np.random.default_rng(0)
    votes = rng.dirichlet(np.ones(3), size=50)
    votes[7] = np.nan
    points = rng.normal(size=(50, 4))
    known = np.arange(50) != 7
    expected = votes[known].T @ points[known] / votes[known].sum(0)[:, None]
    classifier = map_classifier(points, votes, 3)
    np.testing.assert_allclose(classifier.means.numpy(), expected, atol=1e-6)
    nearest = np.linalg.norm(points[:, None] - expected, axis=2).argmin(1)
    np.testing.assert_array_equal(classifier.predict(torch.as_tensor(points)).numpy(), nearest)


def test_prior_and_width_are_passed_on():
    points, labels = [[0.0], [0.0], [0.0], [2.0]], [0, 0, 0, 1]
    even, counted = (map_classifier(points, labels, 2, sigma=2.0, prior=prior) for prior in (None, "batch"))
    query = torch.tensor([[1.0]])
    assert even(query).exp().flatten().tolist() == pytest.approx([0.5, 0.5])
    assert counted(query).exp().flatten().tolist() == pytest.approx([0.75, 0.25])


ROWS = np.array([[0, 1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neighbour_votes(ROWS, [0, 1], 2, 3), "k is 3 and 2 neighbours were searched"),
        (lambda: neighbour_votes(ROWS, [0, 1], 2, 0), "k is 0"),
        (lambda: neighbour_votes(ROWS, [0, 2], 2, 1), r"targets hold class 2, outside 0\.\.1; -1 is unknown"),
        (lambda: neighbour_votes(ROWS, [0.0, 1.0], 2, 1), "targets have type float64 and shape"),
        (lambda: neighbour_votes(ROWS, np.ones((2, 3)), 2, 1), r"expected class indices \(items,\) or .*\(items, 2\)"),
        (lambda: choose_k(ROWS, [0, 1], [-1], 2, ks=[1]), "1 numbers of neighbours and 0 items of known class"),
        (lambda: choose_k(ROWS, [0, 1], [0], 2, ks=[]), "0 numbers of neighbours and 1 items"),
        (lambda: map_classifier([[0.0]], [-1], 2), "there are no items to take means of"),
    ],
)
def test_faults_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
