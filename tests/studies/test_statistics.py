"""Tests over seeds against published figures, scipy's own functions, closed forms, and simulated truths."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from affectspace.studies.statistics import hedges_g, mean_interval, one_way_anova, paired, tukey

# Dobson 1983, dried weights of plants under a control and two treatments (R's PlantGrowth).
PLANTS = (
    (4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14),
    (4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69),
    (6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26),
)
# NIST StRD, SiRstv: resistivity of silicon measured by five instruments, certified to 15 digits.
SILICON = (
    (196.3052, 196.1240, 196.1890, 196.2569, 196.3403),
    (196.3042, 196.3825, 196.1669, 196.3257, 196.0422),
    (196.1303, 196.2005, 196.2889, 196.0343, 196.1811),
    (196.2795, 196.1748, 196.1494, 196.1485, 195.9885),
    (196.2119, 196.1051, 196.1850, 196.0052, 196.2090),
)
FIGURES = st.floats(0, 1, allow_subnormal=False)
GROUPS = st.lists(st.lists(FIGURES, min_size=0, max_size=5), min_size=0, max_size=4)


def test_anova_of_plants_as_published():
    a = one_way_anova(PLANTS)
    assert (round(a.f, 3), a.df_between, a.df_within, round(a.p, 5)) == (4.846, 2, 27, 0.01591)
    assert a.eta_squared == pytest.approx(0.2641, abs=5e-5)


def test_anova_certified_to_many_digits():
    assert one_way_anova(SILICON).f == pytest.approx(1.18046237440255, rel=1e-8)


def test_omega_squared_of_its_own_formula():
    a = one_way_anova(PLANTS)
    n = sum(map(len, PLANTS))
    assert a.omega_squared == pytest.approx(a.df_between * (a.f - 1) / (a.df_between * (a.f - 1) + n))


def test_tukey_of_plants_as_r_prints_it():
    found = tukey(PLANTS)
    for (one, other), (value, low, high, p) in {
        (1, 0): (-0.371, -1.0622161, 0.3202161, 0.3908711),
        (2, 0): (0.494, -0.1972161, 1.1852161, 0.1979960),
        (2, 1): (0.865, 0.1737839, 1.5562161, 0.0120064),
    }.items():
        pair = found.between(one, other)
        assert (pair.value, pair.low, pair.high) == pytest.approx((value, low, high), abs=2e-6)
        assert pair.p == pytest.approx(p, abs=2e-5)


@pytest.mark.parametrize("sizes", [(5, 5), (3, 4, 9), (2, 6, 6, 3)])
def test_equals_scipy_for_groups_of_any_size(sizes):
    generator = np.random.default_rng(sum(sizes))
    groups = [generator.normal(0.3 * i, 1, size) for i, size in enumerate(sizes)]
    theirs, ours = stats.tukey_hsd(*groups), tukey(groups)
    interval = theirs.confidence_interval()
    for pair in ours.pairs:
        assert pair.p == pytest.approx(theirs.pvalue[pair.one, pair.other], abs=1e-7)
        assert pair.low == pytest.approx(interval.low[pair.one, pair.other], abs=1e-5)
        assert pair.high == pytest.approx(interval.high[pair.one, pair.other], abs=1e-5)
    f = stats.f_oneway(*groups)
    assert (one_way_anova(groups).f, one_way_anova(groups).p) == pytest.approx((f.statistic, f.pvalue))


def test_of_two_groups_tukey_is_the_t_test():
    one, other = PLANTS[:2]
    pair, t = tukey([one, other]).between(0, 1), stats.ttest_ind(one, other)
    assert pair.p == pytest.approx(t.pvalue, abs=1e-6)
    assert (pair.low, pair.high) == pytest.approx(tuple(t.confidence_interval()), abs=1e-5)


def test_p_under_five_hundredths_is_an_interval_without_zero():
    generator = np.random.default_rng(3)
    for _ in range(20):
        for pair in tukey(generator.normal([[0], [0.7], [1.4]], 1, (3, 6))).pairs:
            assert (pair.p < 0.05) == (pair.low > 0 or pair.high < 0)


def test_a_group_of_one_joins_the_others():
    alone = tukey([PLANTS[0], PLANTS[1], [9.0]])
    assert alone.between(2, 0).p < 0.001
    assert alone.between(2, 0).high - alone.between(2, 0).low > alone.between(1, 0).high - alone.between(1, 0).low


def test_seen_from_the_other_side():
    found = tukey(PLANTS)
    there, back = found.between(2, 1), found.between(1, 2)
    assert (back.value, back.low, back.high, back.p) == (-there.value, -there.high, -there.low, there.p)
    with pytest.raises(ValueError, match="no pair of groups 1 and 1"):
        found.between(1, 1)


def test_scale_and_shift_change_no_p():
    moved = [7 + 0.01 * np.array(group) for group in PLANTS]
    assert one_way_anova(moved).p == pytest.approx(one_way_anova(PLANTS).p)
    assert tukey(moved).between(2, 1).p == pytest.approx(tukey(PLANTS).between(2, 1).p, abs=1e-9)
    assert hedges_g(*moved[:2]).low == pytest.approx(hedges_g(*PLANTS[:2]).low)


def test_nothing_is_found_where_nothing_is():
    """Of studies of three equal recipes, one in twenty may show any difference at all."""
    generator = np.random.default_rng(0)
    draws = [tukey(generator.normal(size=(3, 5))) for _ in range(200)]
    found = np.mean([any(pair.p < 0.05 for pair in each.pairs) for each in draws])
    assert 0.02 < found < 0.09


def test_a_planted_effect_is_found():
    generator = np.random.default_rng(1)
    draws = [tukey(generator.normal([[0], [0], [3]], 1, (3, 10))) for _ in range(30)]
    assert all(each.between(2, 0).p < 0.05 and each.between(2, 0).value > 0 for each in draws)


def test_hedges_correction_by_its_known_values():
    """J of 2, 4 and 10 degrees of freedom, from Hedges 1981, Table 1 (and 1 - 3 / (4 m - 1) nearly)."""
    for n, correction in ((2, 0.5642), (3, 0.7979), (6, 0.9228)):
        one = np.arange(n) / np.arange(n).std(ddof=1)
        assert hedges_g(one + 1, one).value == pytest.approx(correction, abs=1e-4)


def test_ends_of_g_are_where_the_noncentral_t_puts_them():
    one, other = np.array(PLANTS[2]), np.array(PLANTS[0])
    g, t, m = hedges_g(one, other), stats.ttest_ind(one, other).statistic, 18
    shifts = [end / math.sqrt(1 / 10 + 1 / 10) for end in (g.low, g.high)]
    assert [stats.nct.cdf(t, m, shift) for shift in shifts] == pytest.approx([0.975, 0.025], abs=1e-5)


@pytest.mark.parametrize(("effect", "seeds"), [(1.5, 4), (4.0, 3)])
def test_g_covers_the_true_effect_as_often_as_it_says(effect, seeds):
    generator = np.random.default_rng(2)
    found = [hedges_g(generator.normal(effect, 1, seeds), generator.normal(0, 1, seeds)) for _ in range(250)]
    assert 0.92 < np.mean([each.low < effect < each.high for each in found]) < 0.98


@pytest.mark.parametrize("gap", [0.0, 50.0, -1e4])
def test_g_of_huge_effects_in_tiny_groups(gap):
    g = hedges_g([gap, gap + 1.1], [0.0, 1.0])
    assert g.low < g.value < g.high


def test_mean_and_pairs_against_scipy():
    one, other = PLANTS[:2]
    mean = mean_interval(one)
    assert (mean.low, mean.high) == pytest.approx(tuple(stats.ttest_1samp(one, 0).confidence_interval()))
    assert mean.sd == pytest.approx(np.std(one, ddof=1))
    difference, t = paired(one, other), stats.ttest_rel(one, other)
    assert difference.p == pytest.approx(t.pvalue)
    assert (difference.low, difference.high) == pytest.approx(tuple(t.confidence_interval()))


def test_pairs_are_sharper_where_seeds_go_together():
    generator = np.random.default_rng(4)
    seeds = generator.normal(size=6)
    one, other = seeds + 0.3 + 0.05 * generator.normal(size=6), seeds
    assert paired(one, other).p < 0.01 < 0.5 < tukey([one, other]).between(0, 1).p


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ([], "nothing to compare it with"),
        ([[0.5, 0.6]], "there is one recipe"),
        ([[0.5, 0.6], []], "a recipe has no finished run"),
        ([[0.5], [0.6], [0.7]], "one run of each recipe has no spread"),
        ([[0.5, 0.5], [0.6, 0.6]], "every seed of a recipe gives the same figure"),
        ([[0.7 - 0.1] * 5, [0.6] * 5], "every seed of a recipe gives the same figure"),
        ([[0.5, math.nan], [0.6, 0.6]], "a figure is not a number"),
        ([[0.5, math.inf], [0.6, 0.6]], "a figure is not a number"),
    ],
)
def test_what_cannot_be_tested_says_why(groups, reason):
    a, t = one_way_anova(groups), tukey(groups)
    assert reason in a.reason
    assert reason in t.reason
    assert a.f is None
    assert a.p is None
    assert all(pair.p is None and pair.low is None for pair in t.pairs)


def test_without_spread_the_differences_are_told_all_the_same():
    assert tukey([[0.5], [0.6]]).between(1, 0).value == pytest.approx(0.1)
    assert mean_interval([0.5]).value == 0.5
    assert mean_interval([0.5]).low is None
    assert mean_interval([]).reason == "there is no run"
    assert mean_interval([0.5, math.nan]).value is None
    assert paired([0.5, 0.6], [0.4, 0.5]).reason == "the difference is the same for every seed"
    assert hedges_g([0.5], [0.6, 0.7]).reason == "the spread needs at least two seeds of each recipe"


@settings(deadline=None, max_examples=60)
@given(groups=GROUPS)
def test_never_nan_and_never_an_error(groups):
    a, t = one_way_anova(groups), tukey(groups)
    told = [a.f, a.p, a.eta_squared, a.omega_squared, *(x for pair in t.pairs for x in (pair.value, pair.low, pair.p))]
    told += [x for group in groups for x in (mean_interval(group).value, mean_interval(group).high)]
    if len(groups) > 1:
        g = hedges_g(groups[0], groups[1])
        told += [g.value, g.low, g.high]
    assert all(each is None or math.isfinite(each) for each in told)
    assert (a.f is None) == bool(a.reason)


def test_errors():
    with pytest.raises(ValueError, match="2 and 3 figures are no pairs; give those of the same seeds"):
        paired([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"shape \(2, 2\); give one figure a seed"):
        one_way_anova([[[1, 2], [3, 4]], [1, 2]])
