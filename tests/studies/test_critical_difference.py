"""Against the published example and tables, scipy on data without ties, and truths known in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from affectspace.studies.critical_difference import (
    average_ranks,
    critical_difference,
    friedman,
    indistinct,
    wilcoxon_holm,
)
from affectspace.studies.resampled import resampled
from affectspace.studies.statistics import paired

# Demšar 2006, Table 6: AUC of C4.5, and of it with m, with cf and with both chosen, on 14 data sets. The last but one
# prints 0.975 twice and ranks the third column second, by digits that are not printed.
AUC = [
    (0.763, 0.768, 0.771, 0.798), (0.599, 0.591, 0.590, 0.569), (0.954, 0.971, 0.968, 0.967),
    (0.628, 0.661, 0.654, 0.657), (0.882, 0.888, 0.886, 0.898), (0.936, 0.931, 0.916, 0.931),
    (0.661, 0.668, 0.609, 0.685), (0.583, 0.583, 0.563, 0.625), (0.775, 0.838, 0.866, 0.875),
    (1.000, 1.000, 1.000, 1.000), (0.940, 0.962, 0.965, 0.962), (0.619, 0.666, 0.614, 0.669),
    (0.972, 0.981, 0.97501, 0.975), (0.957, 0.978, 0.946, 0.970),
]  # fmt: skip


def test_the_published_example():
    assert average_ranks(AUC).round(3).tolist() == [3.143, 2.000, 2.893, 1.964]
    test = friedman(AUC)
    assert round(test.chi_squared, 2) == 9.28
    assert round(test.f, 2) == 3.69
    assert test.p_f < 0.05  # the critical value of F(3, 39) is 2.85
    assert round(critical_difference(4, 14), 2) == 1.25
    assert round(critical_difference(4, 14, 0.90), 2) == 1.12


@pytest.mark.parametrize(
    ("confidence", "quantiles"),
    [
        (0.95, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.90, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ],
)
def test_the_published_quantiles(confidence, quantiles):
    """Demšar 2006, Table 5: of 2 to 10 methods, printed to three digits."""
    for methods, wanted in zip(range(2, 11), quantiles):
        unit = (methods * (methods + 1) / 6) ** 0.5
        assert critical_difference(methods, 1, confidence) / unit == pytest.approx(wanted, abs=1.1e-3)


@settings(deadline=None, max_examples=20)
@given(sets=st.integers(2, 9), methods=st.integers(3, 6), seed=st.integers(0, 1000))
def test_friedman_is_scipys_where_nothing_is_tied_and_asks_for_order_alone(sets, methods, seed):
    figures = np.random.default_rng(seed).normal(size=(sets, methods))
    test = friedman(figures)
    wanted = stats.friedmanchisquare(*figures.T)
    assert (test.chi_squared, test.p) == pytest.approx((wanted.statistic, wanted.pvalue))
    assert friedman(-np.exp(figures)).chi_squared == pytest.approx(test.chi_squared)
    ranks = average_ranks(figures)
    assert ranks.sum() == pytest.approx(methods * (methods + 1) / 2)
    assert average_ranks(figures, higher_is_better=False).tolist() == pytest.approx((methods + 1 - ranks).tolist())


def test_data_sets_that_all_agree():
    test = friedman(np.tile([3.0, 2.0, 1.0], (5, 1)))
    assert test.chi_squared == pytest.approx(10)
    assert (test.f, test.p_f) == (float("inf"), 0)
    assert friedman(np.ones((5, 3))).chi_squared == pytest.approx(0)


def test_holm_multiplies_the_least_p_most_and_keeps_their_order():
    figures = np.random.default_rng(0).normal([0, 0.5, 1.5, 4], size=(12, 4))
    pairs = [(i, j) for i in range(4) for j in range(i)]
    plain = {pair: stats.wilcoxon(figures[:, pair[0]], figures[:, pair[1]]).pvalue for pair in pairs}
    adjusted, least = wilcoxon_holm(figures), 0.0
    for left, pair in zip(range(6, 0, -1), sorted(pairs, key=plain.__getitem__)):
        least = max(least, min(1, left * plain[pair]))
        assert adjusted[pair] == pytest.approx(least)
    assert np.array_equal(adjusted, adjusted.T)
    assert (np.diag(adjusted) == 1).all()
    turned = wilcoxon_holm(figures[:, ::-1])[::-1, ::-1]
    assert adjusted.ravel().tolist() == pytest.approx(turned.ravel().tolist())


def test_methods_that_are_always_equal_are_not_told_apart():
    assert wilcoxon_holm(np.ones((6, 3))).tolist() == np.ones((3, 3)).tolist()


@settings(deadline=None, max_examples=30)
@given(ranks=st.lists(st.floats(1, 9), min_size=2, max_size=9), difference=st.floats(0.1, 5))
def test_groups_are_the_largest_runs_within_the_difference(ranks, difference):
    ranks = np.array(ranks)
    groups = indistinct(ranks, abs(ranks[:, None] - ranks) >= difference)
    order = np.argsort(ranks, kind="stable").tolist()
    runs = [
        tuple(order[i : j + 1])
        for i in range(len(order))
        for j in range(i + 1, len(order))
        if ranks[order[j]] - ranks[order[i]] < difference
    ]
    assert groups == [run for run in runs if not any(set(run) < set(other) for other in runs)]


def test_one_pair_that_is_told_apart_parts_a_run():
    apart = np.zeros((4, 4), dtype=bool)
    apart[0, 2] = apart[2, 0] = True
    assert indistinct([1, 2, 3, 4], apart) == [(0, 1), (1, 2, 3)]
    assert indistinct([1, 2], ~np.eye(2, dtype=bool)) == []


def test_splits_of_one_data_set_are_worth_less_than_independent_ones():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.7, 0.05, 20), rng.normal(0.67, 0.05, 20)
    plain, found = paired(one, other), resampled(one, other, 1 / 3)
    assert found.value == pytest.approx(plain.value)
    ratio = (1 + 20 / 3) ** 0.5  # of the two standard errors
    assert found.high - found.value == pytest.approx(ratio * (plain.high - plain.value))
    assert found.p > plain.p
    assert resampled(one, other, 1e-12).p == pytest.approx(plain.p)
    assert resampled(other, one, 1 / 3).value == pytest.approx(-found.value)


def test_splits_that_tell_nothing():
    assert resampled([0.5], [0.4], 1 / 3).reason == "one run has no spread"
    assert resampled([0.5, 0.6], [0.4, 0.5], 1 / 3).reason == "the difference is the same on every split"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_ranks([[0.5], [0.6]]), r"shape \(2, 1\), or are not finite; expected \(data sets, methods\)"),
        (lambda: average_ranks([[0.5, np.nan]]), "are not finite"),
        (lambda: friedman([[0.5, 0.6]]), "one data set ranks the methods once, which is no test"),
        (lambda: critical_difference(1, 5), "1 methods, 5 data sets, confidence 0.95; expected 2 or more"),
        (lambda: critical_difference(3, 5, 1), "confidence 1; expected"),
        (lambda: indistinct([1, 2], np.zeros((3, 3))), r"2 ranks need \(2, 2\) of apart; its shape is \(3, 3\)"),
        (lambda: resampled([1, 2], [1], 0.3), "2 and 1 figures are no pairs; give those of the same splits"),
        (lambda: resampled([1, 2], [1, 3], 0), "test_to_train is 0; it is tested over training items"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
