"""The library at all three levels, the resampled formula pair by pair, and an interval that covers."""

from types import SimpleNamespace

import krippendorff
import numpy as np
import pandas as pd
import pytest

from affectspace.labels import agreement
from affectspace.labels.alpha_interval import _by_coincidences, _by_counts, _by_moments, alpha_interval

FIVE = SimpleNamespace(low=1, high=5)


def long(matrix):
    """Items x raters, 0 is missing."""
    rows = [
        (f"u{unit}", f"r{rater}", "d", str(value))
        for unit, values in enumerate(matrix)
        for rater, value in enumerate(values)
        if value
    ]
    return pd.DataFrame(rows, columns=["item", "rater", "dimension", "value"]).astype("string")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_is_that_of_the_library(level, seed):
    matrix = np.random.default_rng(seed).integers(0, 6, (25, 4))
    found = alpha_interval(long(matrix), "d", None if level == "nominal" else FIVE, level)
    wide = np.where(matrix == 0, np.nan, matrix).T
    assert found.alpha == pytest.approx(krippendorff.alpha(wide, level_of_measurement=level), abs=1e-12)
    assert found.items == ((matrix > 0).sum(1) > 1).sum()


@pytest.mark.parametrize(
    ("alphas", "level"), [(_by_counts, "nominal"), (_by_coincidences, "ordinal"), (_by_moments, "interval")]
)
def test_a_draw_is_the_alpha_of_the_items_that_were_drawn(alphas, level):
    generator = np.random.default_rng(0)
    matrix = generator.integers(1, 6, (12, 3))
    told = alphas(np.repeat(np.arange(12), 3), matrix.ravel() - 1, np.arange(1.0, 6))
    for _ in range(5):
        rows = generator.integers(12, size=12)
        expected = krippendorff.alpha(matrix[rows].T.astype(float), level_of_measurement=level)
        assert told(np.bincount(rows, minlength=12)[None].astype(float))[0] == pytest.approx(expected, abs=1e-12)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Raters say the true class of two with probability 0.9, else the other: alpha of endless items is 0.64."""
    generator = np.random.default_rng(1)
    held = 0
    for seed in range(100):
        truth = generator.integers(0, 2, 80)
        seen = np.where(generator.random((80, 3)) < 0.9, truth[:, None], 1 - truth[:, None]) + 1
        found = alpha_interval(long(seen), "d", resamples=200, seed=seed)
        held += found.low <= 0.64 <= found.high
    assert 86 <= held <= 100


def test_fewer_items_make_it_wider():
    matrix = np.random.default_rng(2).integers(1, 4, (400, 3))
    few, many = alpha_interval(long(matrix[:40]), "d"), alpha_interval(long(matrix), "d")
    assert few.high - few.low > 2 * (many.high - many.low)


def test_there_is_none_where_alpha_is_not_defined():
    assert alpha_interval(long([[1, 0], [2, 0]]), "d") is None
    assert alpha_interval(long([[1, 1], [1, 1]]), "d") is None
    assert alpha_interval(long([[1, 1]]).iloc[:0], "d") is None
    assert agreement(long([[1, 1], [1, 1]]), "d").alpha is None


def test_ranks_are_for_few_whole_numbers():
    halves = long([[1, 2], [3, 4]]).assign(value=["1.5", "2", "3", "4"])
    assert alpha_interval(halves, "d", FIVE, "ordinal") is None
    assert alpha_interval(halves, "d", FIVE) is not None
    with pytest.raises(ValueError, match="categories have no ordinal distances"):
        alpha_interval(halves, "d", None, "ordinal")
