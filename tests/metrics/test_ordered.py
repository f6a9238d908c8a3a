"""Loops that follow the words, scipy's rank correlation, and truths in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from affectspace.labels import expected_value
from affectspace.metrics import (
    accuracy,
    exact_match,
    expected_level,
    mean_absolute_error,
    r_squared,
    spearman,
    within_one,
)

seeds = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=30)


def cast(seed, ties=True):
    """Votes of raters and predicted probabilities over the same ordered classes."""
    rng = np.random.default_rng(seed)
    classes, n = int(rng.integers(2, 8)), int(rng.integers(2, 40))
    raters = 4 if ties else 1
    votes = rng.multinomial(raters, rng.dirichlet(np.ones(classes)), size=n) / raters
    return votes, rng.dirichlet(np.ones(classes), size=n), np.cumsum(rng.uniform(0.1, 5, classes))


def leading(row):
    return [level for level in range(len(row)) if row[level] == max(row)]


@quick
@given(seeds)
def test_matches_follow_the_nearest_leading_level(seed):
    votes, predicted, _ = cast(seed)
    gaps = [min(abs(level - int(p.argmax())) for level in leading(v)) for v, p in zip(votes, predicted)]
    assert exact_match(votes, predicted) == pytest.approx(np.mean([gap == 0 for gap in gaps]))
    assert within_one(votes, predicted) == pytest.approx(np.mean([gap <= 1 for gap in gaps]))
    assert mean_absolute_error(votes, predicted, by="argmax") == pytest.approx(np.mean(gaps))
    assert exact_match(votes, predicted) == accuracy(votes, predicted)


@quick
@given(seeds)
def test_expected_error_is_a_loop_over_items_and_levels(seed):
    votes, predicted, centres = cast(seed)
    means = [[sum(p * v for p, v in zip(row, centres)) for row in side] for side in (votes, predicted)]
    np.testing.assert_allclose(expected_level(predicted, centres), means[1])
    error = np.mean([abs(a - b) for a, b in zip(*means)])
    assert mean_absolute_error(votes, predicted, centres) == pytest.approx(error)
    nearest = np.mean(
        [min(abs(centres[k] - centres[p.argmax()]) for k in leading(v)) for v, p in zip(votes, predicted)]
    )
    assert mean_absolute_error(votes, predicted, centres, by="argmax") == pytest.approx(nearest)


@quick
@given(seeds)
def test_spearman_equals_scipy_with_ties(seed):
    votes, _, centres = cast(seed)
    levels = np.arange(len(centres))
    predicted = np.random.default_rng(seed).multinomial(8, np.ones(len(levels)) / len(levels), size=len(votes)) / 8
    true, guess = votes @ levels, predicted @ levels  # multiples of 1/8, which float64 holds
    if np.ptp(true) == 0 or np.ptp(guess) == 0:
        assert np.isnan(spearman(votes, predicted))
    else:
        expected = spearmanr(true, guess).statistic
        assert spearman(votes, predicted) == pytest.approx(expected, abs=1e-9)
        assert spearman(true, guess) == pytest.approx(expected, abs=1e-9)


@quick
@given(seeds)
def test_forms_of_the_arguments_agree(seed):
    votes, predicted, centres = cast(seed, ties=False)
    levels, guess = votes.argmax(1), predicted.argmax(1)
    classes = len(centres)
    for by in ("expected", "argmax"):
        expected = mean_absolute_error(votes, predicted, centres, by)
        assert mean_absolute_error(levels, predicted, centres, by) == pytest.approx(expected)
        assert mean_absolute_error(centres[levels], predicted, centres, by) == pytest.approx(expected)
    assert within_one(levels, guess, classes) == within_one(votes, predicted)
    values = expected_level(predicted, centres)
    assert mean_absolute_error(votes, values, centres) == pytest.approx(mean_absolute_error(votes, predicted, centres))


@quick
@given(seeds)
def test_turning_the_order_round_changes_nothing_but_the_sign(seed):
    votes, predicted, centres = cast(seed)
    turned = votes[:, ::-1], predicted[:, ::-1]
    assert within_one(*turned) == within_one(votes[:, :], predicted)
    assert mean_absolute_error(*turned) == pytest.approx(mean_absolute_error(votes, predicted))
    assert mean_absolute_error(*turned, -centres[::-1]) == pytest.approx(mean_absolute_error(votes, predicted, centres))
    assert spearman(turned[0], predicted) == pytest.approx(-spearman(votes, predicted), nan_ok=True)


def test_expected_levels_are_expected_values_of_rows_that_float32_has_rounded():
    rows = np.random.default_rng(0).dirichlet(np.ones(4), size=50).astype(np.float32) * np.float32(1 + 5e-4)
    centres = np.array([1e6, 1e6 + 1, 1e6 + 2, 1e6 + 5])
    whole = rows.astype(np.float64) / rows.sum(1, keepdims=True, dtype=np.float64)
    assert expected_level(rows, centres).tolist() == expected_value(rows, centres).tolist()
    assert expected_level(rows, centres) == pytest.approx(whole @ centres, abs=1e-6, rel=0)


def test_a_torn_item_is_as_near_as_its_nearest_leading_level():
    torn = [[0.5, 0.0, 0.0, 0.5]]
    assert [within_one(torn, [k]) for k in range(4)] == [1, 1, 1, 1]
    assert [exact_match(torn, [k]) for k in range(4)] == [1, 0, 0, 1]
    assert mean_absolute_error(torn, [0], by="argmax") == 0
    assert mean_absolute_error(torn, [0]) == 1.5  # the raters' mean lies between


def test_the_variance_that_is_explained():
    truth = np.random.default_rng(0).normal(size=30)
    guess = np.random.default_rng(1).normal(size=30)
    left = sum((a - b) ** 2 for a, b in zip(truth, guess))
    assert r_squared(truth, guess) == pytest.approx(1 - left / sum((a - truth.mean()) ** 2 for a in truth))
    assert r_squared(truth, truth) == 1
    assert r_squared(truth, np.full(30, truth.mean())) == pytest.approx(0)
    assert np.isnan(r_squared([2.0, 2.0], [1.0, 3.0]))
    assert r_squared([0, 1], [[0.5, 0.5], [0.0, 1.0]], centres=[10, 20]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="truth has 2 items and predicted 1"):
        r_squared([1.0, 2.0], [1.0])


def test_a_level_missed_by_two_is_not_within_one_whatever_the_centres():
    assert within_one([0, 1], [2, 1], classes=3) == 0.5
    assert mean_absolute_error([0], [2], centres=[1, 2, 60], by="argmax") == 59


def test_equal_expected_levels_tie_though_float32_parts_them():
    third = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, 0.5], [0, 1, 0], [1, 0, 0]], np.float32)
    assert spearman(np.array([1.0, 1.0, 1.0, 0.0]), third) == pytest.approx(1)


def test_spearman_is_nan_where_nothing_is_ordered():
    assert np.isnan(spearman([1, 1, 1], [0, 1, 2]))
    assert np.isnan(spearman([0, 1], [[0.2, 0.8]] * 2))
    assert np.isnan(spearman([0.3], [0.4]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: within_one([], []), "holds no items"),
        (lambda: within_one([0, 1], [0]), "truth has 2 items and predicted 1; give one prediction an item"),
        (lambda: mean_absolute_error([0, 1], [0.5]), "truth has 2 items and predicted 1"),
        (lambda: mean_absolute_error([0, 1], [0], by="argmax"), "truth has 2 items and predicted 1"),
        (lambda: spearman([0.1, 0.2], [0.1]), "truth has 2 items and predicted 1"),
        (lambda: mean_absolute_error([0, 1], [0.5, np.nan]), "predicted is nan in row 1; leave out"),
        (lambda: spearman([np.inf, 0.0], [0.5, 1.0]), "truth is inf in row 0"),
        (lambda: spearman(np.array([]), np.array([])), "holds no items"),
        (lambda: mean_absolute_error([0], [0], by="median"), "by is 'median'; it is 'expected' or 'argmax'"),
        (
            lambda: expected_level([[0.5, 0.5]], [1, 2, 3]),
            r"shape \(1, 2\); expected \(items,\) indices or \(items, 3",
        ),
        (lambda: expected_level([[0.5, 0.5]], [2, 1]), r"centres are \[2.0, 1.0\]; levels stand in ascending order"),
        (lambda: expected_level([[0.5, 0.5]], [[1, 2]]), r"shape \(1, 2\); expected"),
        (lambda: mean_absolute_error([0], [[0.9, 0.3]]), r"predicted sums to 1\.2000"),
        (lambda: mean_absolute_error([5], [[0.5, 0.5]]), r"truth holds class 5, outside 0\.\.1"),
    ],
)
def test_faults_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
