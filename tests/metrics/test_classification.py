"""scikit-learn where no item is tied; a loop that follows the words of the tie rule where some are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from affectspace.metrics import (
    accuracy,
    confusion_matrix,
    f1_of_macro,
    macro_f1,
    precision,
    recalls,
    uar,
    weighted_f1,
    weighted_precision,
)

seeds = st.integers(0, 10_000)


def cast(seed, ties):
    """Random votes of five raters and random predictions; one class may be absent."""
    rng = np.random.default_rng(seed)
    classes, n = int(rng.integers(2, 6)), int(rng.integers(1, 40))
    votes = rng.multinomial(4 if ties else 1, rng.dirichlet(np.ones(classes)), size=n) / (4 if ties else 1)
    return votes, rng.integers(classes, size=n), classes


def placed(truth, predicted):
    """Each item, or its parts: (weight, class it belongs to, class predicted)."""
    for row, guess in zip(truth, predicted):
        tied = [k for k in range(len(row)) if row[k] == max(row)]
        if guess in tied:
            yield 1.0, guess, guess
        else:
            yield from ((1 / len(tied), k, guess) for k in tied)


@settings(deadline=None)
@given(seeds)
def test_equals_scikit_learn_without_ties(seed):
    truth, predicted, classes = cast(seed, ties=False)
    indices = truth.argmax(1)
    there = np.unique(indices)
    same = {"labels": there, "zero_division": 0.0}
    assert uar(truth, predicted) == pytest.approx(recall_score(indices, predicted, average="macro", **same))
    p = precision_score(indices, predicted, average="macro", **same)
    r = recall_score(indices, predicted, average="macro", **same)
    assert precision(truth, predicted) == pytest.approx(p)
    assert f1_of_macro(truth, predicted) == pytest.approx(2 * p * r / (p + r) if p + r else 0)
    assert accuracy(truth, predicted) == pytest.approx(accuracy_score(indices, predicted))
    assert macro_f1(truth, predicted) == pytest.approx(f1_score(indices, predicted, average="macro", **same))
    assert weighted_f1(truth, predicted) == pytest.approx(f1_score(indices, predicted, average="weighted", **same))
    weighted = precision_score(indices, predicted, average="weighted", **same)
    assert weighted_precision(truth, predicted) == pytest.approx(weighted)
    expected = sklearn_confusion_matrix(indices, predicted, labels=np.arange(classes))
    np.testing.assert_array_equal(confusion_matrix(truth, predicted), expected)


@settings(deadline=None)
@given(seeds)
def test_ties_follow_the_rule(seed):
    truth, predicted, classes = cast(seed, ties=True)
    matrix = np.zeros((classes, classes))
    for weight, own, guess in placed(truth, predicted):
        matrix[own, guess] += weight
    np.testing.assert_allclose(confusion_matrix(truth, predicted), matrix, atol=1e-12)
    right = np.mean([row[guess] == max(row) for row, guess in zip(truth, predicted)])
    assert accuracy(truth, predicted) == pytest.approx(right)
    occur = [k for k in range(classes) if matrix[k].sum()]
    found = np.mean([matrix[k, k] / matrix[k].sum() for k in occur])
    assert uar(truth, predicted) == pytest.approx(found)
    true = np.mean([matrix[k, k] / (matrix[:, k].sum() or 1) for k in occur])
    assert precision(truth, predicted) == pytest.approx(true)
    assert f1_of_macro(truth, predicted) == pytest.approx(2 * true * found / (true + found) if found else 0)
    weighted = sum(matrix[k].sum() / len(truth) * matrix[k, k] / (matrix[:, k].sum() or 1) for k in occur)
    assert weighted_precision(truth, predicted) == pytest.approx(weighted)


@settings(deadline=None)
@given(seeds)
def test_all_figures_lie_in_their_range(seed):
    truth, predicted, _ = cast(seed, ties=True)
    for figure in (uar, accuracy, precision, macro_f1, f1_of_macro, weighted_f1, weighted_precision):
        assert 0 <= figure(truth, predicted) <= 1
        assert figure(truth, truth.argmax(1)) == pytest.approx(1)


@given(seeds)
def test_the_f1_of_means_is_never_below_the_mean_of_f1s(seed):
    truth, predicted, _ = cast(seed, ties=True)
    assert f1_of_macro(truth, predicted) >= macro_f1(truth, predicted) - 1e-12


@given(seeds)
def test_every_form_of_the_arguments_is_the_same(seed):
    truth, predicted, classes = cast(seed, ties=False)
    expected = confusion_matrix(truth, predicted)
    for t in (truth, truth.argmax(1), truth.argmax(1).tolist(), truth.astype(np.float32)):
        for p in (predicted, np.eye(classes)[predicted], predicted.tolist()):
            np.testing.assert_array_equal(confusion_matrix(t, p, classes), expected)


@given(seeds)
def test_order_of_items_and_names_of_classes_do_not_matter(seed):
    truth, predicted, classes = cast(seed, ties=True)
    shuffle = np.random.default_rng(seed).permutation(len(truth))
    assert uar(truth[shuffle], predicted[shuffle]) == pytest.approx(uar(truth, predicted))
    assert uar(truth[:, ::-1], classes - 1 - predicted) == pytest.approx(uar(truth, predicted))


def test_a_tied_item_counts_in_the_recall_of_the_predicted_class():
    truth = [[1, 0], [0, 1], [0.5, 0.5]]
    assert recalls(truth, [1, 1, 0]).tolist() == [0.5, 1.0]
    assert recalls(truth, [1, 1, 1]).tolist() == [0.0, 1.0]


def test_a_tied_item_that_is_missed_is_spread_over_its_classes():
    assert recalls([[0.4, 0.4, 0.2], [1, 0, 0], [0, 0, 1]], [2, 0, 2]).tolist() == [1 / 1.5, 0.0, 1.0]


def test_ties_bear_the_rounding_of_float32_and_no_more():
    third = np.array([[1 / 3, 1 / 3, 1 / 3]], np.float32) + np.array([[0, 6e-8, 0]], np.float32)
    assert uar(third, [0]) == 1
    assert uar([[0.5001, 0.4999]], [1]) == 0


def test_a_class_absent_from_truth_is_left_out_of_means():
    assert np.isnan(recalls([0, 0, 1], [0, 2, 1], classes=3)[2])
    assert uar([0, 0, 1], [0, 2, 1]) == 0.75
    assert macro_f1([0, 0, 1], [0, 2, 1]) == pytest.approx((2 / 3 + 1) / 2)
    assert precision([0, 0, 1], [0, 2, 1]) == 1
    assert f1_of_macro([0, 0, 1], [0, 2, 1]) == pytest.approx(2 * 0.75 / 1.75)


def test_the_weighted_precision_is_the_precision_where_classes_are_equally_frequent():
    truth, predicted = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 0]
    assert weighted_precision(truth, predicted) == pytest.approx(precision(truth, predicted))


def test_a_class_that_is_never_predicted_has_no_precision():
    assert weighted_precision([0, 0, 1], [0, 0, 0]) == pytest.approx(2 / 3 * 2 / 3)
    assert precision([0, 0, 1], [0, 0, 0]) == pytest.approx((2 / 3 + 0) / 2)
    assert f1_of_macro([0, 1], [1, 0]) == 0


@pytest.mark.parametrize(
    "figure",
    [uar, accuracy, precision, macro_f1, f1_of_macro, weighted_f1, weighted_precision, recalls, confusion_matrix],
)
@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([], [], "holds no items"),
        ([0, 1], [0], "truth has 2 items and predicted 1"),
        ([[np.nan, np.nan]], [0], "truth holds NaN in row 0; leave out"),
        ([0], [[np.nan, 1.0]], "predicted holds NaN in row 0"),
        ([[0.9, 0.3]], [0], r"truth sums to 1\.2000 in row 0; divide each row by its sum"),
        ([[1.5, -0.5]], [0], r"truth holds the probability -0\.5"),
        ([[0.5, 0.5]], [2], r"predicted holds class 2, outside 0\.\.1"),
        ([-1, 0], [0, 0], "truth holds class -1"),
        ([0.0, 1.0], [0, 1], "class indices are integers"),
        ([[0.5, 0.5]], [[0.2, 0.2, 0.6]], "2 and 3 classes; they need to agree"),
        ([[[1.0]]], [0], r"shape \(1, 1, 1\); expected"),
    ],
)
def test_faults_say_value_and_remedy(figure, truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        figure(truth, predicted)
