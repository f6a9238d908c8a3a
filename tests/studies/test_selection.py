"""Choices against curves whose best point is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.studies.selection import Tried, choose

figures = st.sampled_from([0.1, 0.2, 0.3, 0.7, 0.9])
curves = st.integers(1, 5).flatmap(
    lambda epochs: st.lists(
        st.lists(st.lists(figures, min_size=epochs, max_size=epochs), min_size=3, max_size=3), min_size=1, max_size=4
    )
)


def by_hand(points):
    """Look at every point and epoch in turn, epochs outermost, and keep what is truly better than before."""
    best = (-1.0, 0, 0)
    for epoch, (place, point) in itertools.product(range(len(points[0][0])), list(enumerate(points))):
        mean = sum(run[epoch] for run in point) / len(point)
        if mean > best[0] + 1e-9:
            best = (mean, epoch + 1, place)
    return best


@given(curves)
def test_the_highest_mean_then_the_earliest_epoch_then_the_first_settings(points):
    best = choose([Tried("CE", {"n": n}, np.array(point)) for n, point in enumerate(points)])
    mean, epoch, place = by_hand(points)
    assert (best.epoch, best.settings) == (epoch, {"n": place})
    assert best.curve[best.epoch - 1] == pytest.approx(mean)


@given(curves, st.randoms())
def test_the_order_of_runs_does_not_matter(points, random):
    shuffled = [random.sample(point, len(point)) for point in points]
    one, other = ([Tried("CE", {"n": n}, np.array(p)) for n, p in enumerate(each)] for each in (points, shuffled))
    assert (choose(one).settings, choose(one).epoch) == (choose(other).settings, choose(other).epoch)


def test_an_epoch_is_chosen_by_the_mean_not_by_the_luckiest_run():
    lucky = Tried("CE", {}, np.array([[0.5, 0.9, 0.6], [0.5, 0.2, 0.6]]))
    assert choose([lucky]).epoch == 3


def test_a_point_without_a_figure_cannot_win():
    broken, whole = Tried("CE", {"n": 0}, np.array([[np.nan], [0.9]])), Tried("CE", {"n": 1}, np.array([[0.2], [0.3]]))
    assert choose([broken, whole]).settings == {"n": 1}
    with pytest.raises(InputError, match="no point of the grid has a validation UAR, so nothing can be chosen"):
        choose([broken])


def test_what_is_told_of_a_tried_point():
    tried = Tried("CE", {"a": 1}, np.array([[0.2, 0.5, 0.5], [0.4, 0.7, 0.7]]))
    told = tried.told(chooses_epoch=True)
    assert (told["recipe"], told["set"], told["epoch"], told["runs"]) == ("CE", {"a": 1}, 2, 2)
    assert (told["uar"], told["sd"]) == (pytest.approx(0.6), pytest.approx(0.02**0.5))
    assert Tried("CE", {}, np.array([[0.4]])).told(chooses_epoch=False)["epoch"] is None
    assert Tried("CE", {}, np.array([[0.4]])).told(chooses_epoch=False)["sd"] is None
    assert Tried("CE", {}, np.array([[np.nan]])).told(chooses_epoch=True)["uar"] is None
