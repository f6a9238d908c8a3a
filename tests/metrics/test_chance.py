"""Exact expectations by going through every possible prediction; a seeded simulation where these are too many."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.metrics import chance_uar, uar


def ties(*sets, classes):
    """One item for each set of tied classes."""
    return np.array([[float(k in tied) / len(tied) for k in range(classes)] for tied in sets])


def over_all_predictions(truth):
    n, classes = truth.shape
    return np.mean([uar(truth, np.array(guess)) for guess in product(range(classes), repeat=n)])


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_without_ties_it_is_one_over_the_classes(classes):
    truth = np.random.default_rng(0).integers(classes, size=50)
    assert chance_uar(truth, classes) == pytest.approx(1 / classes)
    assert chance_uar(np.eye(classes)[truth]) == pytest.approx(1 / classes)


def test_a_class_without_items_changes_nothing_as_in_the_uar():
    assert chance_uar([0, 0, 1], classes=4) == chance_uar([0, 0, 3]) == 1 / 2
    tied = ties({0}, {1}, {0, 1}, classes=2)
    assert chance_uar(np.hstack([tied, np.zeros((3, 2))])) == chance_uar(tied)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(0, 3), st.integers(0, 9), st.integers(0, 10_000))
def test_one_answer_to_everything_is_never_above_chance(present, absent, tied, seed):
    """As long as each class that occurs has an item of its own; and without ties it is chance to the last bit."""
    rng, classes = np.random.default_rng(seed), present + absent
    own = np.concatenate([np.arange(present), rng.integers(present, size=10)])
    torn = np.eye(classes)[rng.integers(present, size=tied)] + np.eye(classes)[rng.integers(present, size=tied)]
    truth = np.vstack([np.eye(classes)[own], torn / 2])
    for answer in range(classes):
        assert uar(truth, np.full(len(truth), answer)) <= chance_uar(truth) + 1e-12 * bool(tied)


@pytest.mark.parametrize(
    "truth",
    [
        ties({0}, {1}, {0, 1}, classes=2),
        ties({0}, {0}, {1}, {0, 1}, {0, 1}, {0, 1}, classes=2),
        ties({0}, {1}, {2}, {0, 1}, {0, 1}, {1, 2}, classes=3),
        ties({0}, {1}, {2}, {0, 1, 2}, {0, 2}, {2}, classes=3),
        ties({0}, {1}, {2}, {3}, {0, 1}, {1, 2, 3}, classes=4),
    ],
)
def test_exact_where_every_class_has_items_of_its_own(truth):
    assert chance_uar(truth) == pytest.approx(over_all_predictions(truth), abs=1e-9)


def test_a_class_that_occurs_in_ties_alone_is_close():
    truth = ties({0}, {0}, *[{0, 1}] * 8, classes=2)
    assert chance_uar(truth) == pytest.approx(over_all_predictions(truth), abs=2e-3)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 400))
def test_ties_raise_it(negative, positive, tied):
    truth = ties(*[{0}] * negative, *[{1}] * positive, *[{0, 1}] * tied, classes=2)
    chance, more = chance_uar(truth), chance_uar(np.vstack([truth, [[0.5, 0.5]]]))
    assert 0.5 - 1e-9 <= chance < more <= 1


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10_000))
def test_against_a_simulation(seed):
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(3, [0.5, 0.3, 0.2], size=60)
    truth = np.vstack([votes / 3, np.eye(3)])
    drawn = [uar(truth, rng.integers(3, size=len(truth))) for _ in range(600)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert chance_uar(truth) == pytest.approx(np.mean(drawn), abs=5 * error)


def test_it_holds_for_a_hundred_thousand_items():
    truth = ties({0}, {1}, {0, 1}, classes=2).repeat([60_000, 20_000, 20_000], axis=0)
    # so many items that the expectation of the ratio is the ratio of the expectations
    expected = np.mean([(30_000 + 10_000) / 70_000, (10_000 + 10_000) / 30_000])
    assert chance_uar(truth) == pytest.approx(expected, abs=1e-5)


def test_all_tied():
    assert chance_uar(ties(*[{0, 1}] * 30, classes=2)) == pytest.approx(1)


@pytest.mark.real
@pytest.mark.parametrize(("dimension", "ours", "reported"), [("valence", 58.59, 58.41), ("activation", 62.82, 62.74)])
def test_iemocap_is_near_what_the_paper_reports(real_data, dimension, ours, reported):
    parts = [pd.read_parquet(real_data / f"multimodal/iemocap/iemocap_session{k}.parquet") for k in range(1, 6)]
    mean = pd.concat(parts)[dimension].to_numpy(float)
    mean = mean[(mean >= 1) & (mean <= 5)]
    found = 100 * chance_uar(np.stack([5 - mean, mean - 1], 1) / 4)
    assert found == pytest.approx(ours, abs=0.01)
    assert found == pytest.approx(reported, abs=0.2)


def test_a_class_of_ties_alone_counts_where_it_has_an_item():
    """The tied item is class 0's in two of three draws, right in one of them; so is class 1's; class 2 has its own."""
    assert chance_uar([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]) == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)
