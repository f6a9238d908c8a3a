"""The oracle tries every choice of cuts; the rest are truths that hold for any values."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.labels import Levels
from affectspace.labels.bins import (
    FewerBinsWarning,
    bin_centres,
    bin_of,
    ensemble_value,
    equal_mass_thresholds,
    expected_value,
)

distinct = st.lists(st.integers(-1000, 1000), min_size=10, max_size=60, unique=True)
tied = st.lists(st.integers(0, 6), min_size=2, max_size=30).filter(lambda values: len(set(values)) > 1)


def counts(values, thresholds) -> np.ndarray:
    return np.bincount(bin_of(values, thresholds), minlength=len(thresholds) + 1)


@settings(deadline=None, max_examples=30)
@given(values=distinct, bins=st.integers(2, 10))
def test_distinct_values_fill_the_bins_alike_to_within_one(values, bins):
    thresholds = equal_mass_thresholds(values, bins)
    assert len(thresholds) == bins - 1
    found = counts(values, thresholds)
    assert found.max() - found.min() <= 1


@settings(deadline=None, max_examples=30)
@given(values=tied, bins=st.integers(2, 5))
def test_with_ties_no_other_choice_of_cuts_is_nearer_to_equal_ranks(values, bins):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewerBinsWarning)
        thresholds = equal_mass_thresholds(values, bins)
    ordered, wanted = sorted(values), [len(values) * k / bins for k in range(1, bins)]
    assert (np.diff(thresholds) > 0).all()
    assert counts(values, thresholds).all()
    if len(set(values)) < bins:
        assert thresholds.tolist() == sorted(set(values))[1:]
        return

    def far(cuts) -> float:
        below = [sum(v < cut for v in ordered) for cut in cuts]
        return sum((b - w) ** 2 for b, w in zip(below, wanted))

    every = itertools.combinations(sorted(set(values))[1:], bins - 1)
    assert far(thresholds) == pytest.approx(min(map(far, every)))


@settings(deadline=None, max_examples=20)
@given(values=distinct, bins=st.integers(2, 8))
def test_an_increasing_transform_moves_the_thresholds_along(values, bins):
    values = np.array(values, dtype=float)
    shuffled = np.random.default_rng(0).permutation(values)
    moved = equal_mass_thresholds(np.cbrt(shuffled) * 3 - 1, bins)
    assert np.array_equal(moved, np.cbrt(equal_mass_thresholds(values, bins)) * 3 - 1)


def test_the_thresholds_are_those_of_levels():
    values = np.random.default_rng(0).gamma(2.0, size=50).round(2)
    thresholds = equal_mass_thresholds(values, 4)
    items = pd.DataFrame({"id": [str(i) for i in range(50)], "label": [str(v) for v in values]})
    targets = Levels(thresholds=tuple(thresholds)).targets(items, None, "label").values
    assert np.array_equal(targets.argmax(1), bin_of(values, thresholds))


def test_fewer_distinct_values_than_bins_are_told():
    with pytest.warns(FewerBinsWarning, match="there are 3 distinct values, so as many bins and not 5"):
        assert equal_mass_thresholds([3, 1, 1, 2, 3], 5).tolist() == [2, 3]


@settings(deadline=None, max_examples=20)
@given(values=distinct, bins=st.integers(2, 8))
def test_centres_lie_in_their_bins_and_keep_the_mean(values, bins):
    thresholds = equal_mass_thresholds(values, bins)
    centres = bin_centres(values, thresholds)
    assert bin_of(centres, thresholds).tolist() == list(range(bins))
    assert (counts(values, thresholds) * centres).sum() / len(values) == pytest.approx(np.mean(values), abs=1e-9)


def test_a_certain_prediction_is_its_centre_and_the_others_lie_between():
    centres = np.array([-1.0, 0.5, 4.0])
    assert expected_value(np.eye(3), centres).tolist() == centres.tolist()
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    found = expected_value(rows, centres)
    assert found.tolist() == pytest.approx([sum(p * c for p, c in zip(row, centres)) for row in rows])
    assert ((found >= -1) & (found <= 4)).all()
    assert expected_value(rows, centres * 2 + 3).tolist() == pytest.approx((found * 2 + 3).tolist())
    assert expected_value(rows.astype(np.float32), centres + 1e6).tolist() == pytest.approx((found + 1e6).tolist())


def test_an_ensemble_is_the_mean_of_its_models_and_of_one_model_itself():
    rng = np.random.default_rng(0)
    rows = [rng.dirichlet(np.ones(bins), 7) for bins in range(3, 11)]
    centres = [np.sort(rng.normal(size=bins)) for bins in range(3, 11)]
    each = [expected_value(p, c) for p, c in zip(rows, centres)]
    assert ensemble_value(rows, centres).tolist() == pytest.approx(np.mean(each, 0).tolist())
    assert np.array_equal(ensemble_value(rows[:1], centres[:1]), each[0])


def test_an_ensemble_over_bins_comes_nearer_to_the_values_than_its_worst_member():
    """Certain and right predictions over bins are off by the width of a bin, and several cuts share that out."""
    values = np.random.default_rng(1).normal(size=400)
    rows, centres = [], []
    for bins in range(3, 11):
        thresholds = equal_mass_thresholds(values, bins)
        rows.append(np.eye(bins)[bin_of(values, thresholds)])
        centres.append(bin_centres(values, thresholds))
    errors = [np.abs(expected_value(p, c) - values).mean() for p, c in zip(rows, centres)]
    assert np.abs(ensemble_value(rows, centres) - values).mean() < min(errors)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: equal_mass_thresholds([1, 2, 3], 1), "bins is 1; a scale is cut into 2 or more"),
        (lambda: equal_mass_thresholds([2.5, 2.5], 2), r"the 2 values are all 2\.5; two different ones"),
        (lambda: equal_mass_thresholds([], 2), "there are no values to cut"),
        (lambda: equal_mass_thresholds([1, np.nan], 2), r"values have shape \(2,\), or hold NaN or infinity"),
        (lambda: equal_mass_thresholds([[1, 2]], 2), r"values have shape \(1, 2\)"),
        (lambda: bin_of([1], [2, 2]), r"thresholds are \[2\.0, 2\.0\]; they increase strictly"),
        (lambda: bin_of([np.nan], [2]), "values hold NaN or infinity, which lie in no bin"),
        (lambda: bin_centres([1, 2], [5]), r"bin 1 of 0\.\.1 holds no value"),
        (lambda: expected_value([[0.5, 0.5]], [1, 2, 3]), r"shape \(1, 2\); 3 centres need \(items, 3\)"),
        (lambda: expected_value([[2.0, -1.0]], [1, 2]), "give a softmax, not logits"),
        (lambda: expected_value([[np.nan, 1.0]], [1, 2]), "give a softmax, not logits"),
        (lambda: ensemble_value([], []), "0 models have 0 rows of centres; give one or more of both"),
        (lambda: ensemble_value([[[1, 0]], [[1, 0]] * 2], [[0, 1]] * 2), "predict 1 and 2 items; give the same items"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
