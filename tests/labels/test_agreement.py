"""The published example, the library itself on a rater-by-item table, and the formula by hand."""

from itertools import permutations
from types import SimpleNamespace

import krippendorff
import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.labels import agreement
from affectspace.labels import agreement as module_function

FIVE = SimpleNamespace(low=1, high=5)
# Krippendorff 2011, four observers and twelve units; zero is missing
EXAMPLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def long(matrix, named=True):
    rows = [
        (f"u{unit}", f"r{rater}" if named else None, "d", str(value) if value else None)
        for rater, values in enumerate(matrix)
        for unit, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["item", "rater", "dimension", "value"]).astype("string")


def by_hand(matrix, distance):
    """Observed over expected disagreement, pair by pair."""
    units = [[v for v in unit if v] for unit in zip(*matrix)]
    units = [unit for unit in units if len(unit) > 1]
    everything = [v for unit in units for v in unit]
    observed = sum(sum(distance(a, b) for a, b in permutations(u, 2)) / (len(u) - 1) for u in units)
    expected = sum(distance(a, b) for a, b in permutations(everything, 2)) / (len(everything) - 1)
    return 1 - observed / expected


@pytest.mark.parametrize("named", [True, False])
def test_the_published_example(named):
    nominal, interval = agreement(long(EXAMPLE, named), "d"), agreement(long(EXAMPLE, named), "d", FIVE)
    assert nominal.alpha == pytest.approx(0.743, abs=5e-4)
    assert interval.alpha == pytest.approx(0.849, abs=5e-4)
    assert (nominal.level, interval.level) == ("nominal", "interval")
    assert nominal.raters == (4 if named else None)
    assert nominal.items == 11
    assert nominal.ratings_per_item == pytest.approx(41 / 12)


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_formula_and_the_library(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 6, size=(4, 15))
    wide = np.where(matrix == 0, np.nan, matrix)
    nominal, interval = agreement(long(matrix), "d"), agreement(long(matrix), "d", FIVE)
    assert nominal.alpha == pytest.approx(by_hand(matrix, lambda a, b: float(a != b)))
    assert interval.alpha == pytest.approx(by_hand(matrix, lambda a, b: float(a - b) ** 2))
    assert interval.alpha == pytest.approx(krippendorff.alpha(wide, level_of_measurement="interval"))


@pytest.mark.parametrize("scale", [None, SimpleNamespace(low=0, high=100)])
def test_the_sums_for_large_tables_give_the_same(monkeypatch, scale):
    rng = np.random.default_rng(0)
    ratings = long(rng.integers(0, 101, size=(5, 40)))
    dense = agreement(ratings, "d", scale)
    monkeypatch.setitem(module_function.__globals__, "DENSE", 0)
    assert agreement(ratings, "d", scale).alpha == pytest.approx(dense.alpha, abs=1e-12)


def test_a_slider_on_many_items_needs_no_table_of_items_by_values_by_values():
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 15, 5000)
    values = np.clip(truth[:, None] + rng.normal(0, 15, (5000, 4)), 0, 100).round(3)
    rows = {"item": np.repeat(np.arange(5000), 4), "rater": "x", "dimension": "d", "value": values.ravel()}
    found = agreement(pd.DataFrame(rows).astype("string"), "d", SimpleNamespace(low=0, high=100))
    assert found.alpha == pytest.approx(0.5, abs=0.03)  # half of the variance is the raters'


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no ratings of 'd'"),
        ([("a", "x", "1"), ("b", "y", "2")], "no item has two ratings"),
        ([("a", "x", "1"), ("a", "y", "1"), ("b", "x", "2")], "all ratings are equal"),
        ([("a", "mean", "1.5"), ("b", "mean", "2")], "published means only"),
    ],
)
def test_no_alpha_is_said_and_why(rows, reason):
    ratings = pd.DataFrame(rows, columns=["item", "rater", "value"]).assign(dimension="d").astype("string")
    for scale in (None, FIVE):
        found = agreement(ratings, "d", scale)
        assert found.alpha is None
        assert reason in found.reason


def test_a_published_mean_is_no_rater():
    ratings = long(EXAMPLE)
    means = pd.DataFrame({"item": [f"u{k}" for k in range(12)], "rater": "mean", "dimension": "d", "value": "2.5"})
    assert agreement(pd.concat([ratings, means]).astype("string"), "d", FIVE) == agreement(ratings, "d", FIVE)


def test_a_value_off_the_scale_is_refused():
    with pytest.raises(InputError, match="item 'u0': rater 'r0' gave 'd' the value '9'"):
        agreement(long([[9, 1], [1, 1]]), "d", FIVE)


@pytest.mark.real
def test_emobank_by_ratings_without_raters(real_data):
    single = pd.read_parquet(real_data / "text/emobank/ratings_train_dev.parquet")
    ratings = pd.DataFrame({"item": single["id"], "rater": None, "dimension": "V", "value": single["V"]}).astype(
        "string"
    )
    found = agreement(ratings, "V", FIVE)
    assert found.raters is None
    assert found.items == 9062
    assert found.alpha == pytest.approx(0.199, abs=1e-3)
