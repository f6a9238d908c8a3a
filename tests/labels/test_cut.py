"""Cuts lead numbers to levels and probabilities of levels back to numbers."""

import numpy as np
import pytest

from affectspace.labels import Cut, bin_of, equal_mass_thresholds


def test_each_level_stands_for_the_mean_of_its_values():
    values = np.random.default_rng(0).gamma(2, size=200)
    cut = Cut.learned(values, equal_mass_thresholds(values, 5))
    place = bin_of(values, cut.thresholds)
    assert cut.means == pytest.approx([np.mean([v for v, k in zip(values, place) if k == level]) for level in range(5)])
    assert cut.values(np.eye(5)[place]).mean() == pytest.approx(values.mean())  # certain and right, none is lost


def test_predictions_lie_between_the_ends_and_move_with_the_unit():
    rng = np.random.default_rng(1)
    values, probabilities = rng.normal(size=50), rng.dirichlet(np.ones(3), 20)
    thresholds = equal_mass_thresholds(values, 3)
    cut, shifted = Cut.learned(values, thresholds), Cut.learned(100 + 10 * values, 100 + 10 * thresholds)
    found = cut.values(probabilities)
    assert cut.means[0] <= found.min() <= found.max() <= cut.means[-1]
    assert shifted.values(probabilities) == pytest.approx(100 + 10 * found)


def test_a_level_without_values_stands_for_nothing():
    with pytest.raises(ValueError, match=r"bin 1 of 0\.\.1 holds no value"):
        Cut.learned([1.0, 2.0], [5.0])


@pytest.mark.parametrize("means", [(1.0,), (1.0, 2.0, 3.0), (1.0, float("nan"))])
def test_every_level_has_a_mean(means):
    with pytest.raises(ValueError, match=r"thresholds \[5\.0\] make 2 levels, which need a finite mean each"):
        Cut((5.0,), means)
