"""Unlabelled items go through rounds of their own beside the labelled ones, and resume to the bit."""

import json
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.samplers import MixedBatches, ShuffledBatches, balanced_rows


def mixed(labelled=10, unlabelled=7, size=4, other=3, seed=0, rank=0, world=1):
    return MixedBatches(ShuffledBatches(labelled, size, seed, rank, world), unlabelled, other, seed, rank, world)


def epochs(batches, count):
    return [(a.tolist(), b.tolist()) for _ in range(count) for a, b in batches]


def test_the_labelled_half_is_that_of_its_own_sampler():
    own = [batch.tolist() for batch in ShuffledBatches(10, 4, seed=5)]
    assert [rows for rows, _ in epochs(mixed(seed=5), 1)] == own


@settings(deadline=None, max_examples=100)
@given(unlabelled=st.integers(1, 20), other=st.integers(1, 25), world=st.integers(1, 3), seed=st.integers(0, 3))
def test_every_round_goes_through_all_unlabelled_items_once(unlabelled, other, world, seed):
    ranks = [mixed(12, unlabelled, 2, other, seed, rank, world) for rank in range(world)]
    steps = zip(*[epochs(each, 4) for each in ranks])
    drawn = np.concatenate([rows for step in steps for _, rows in step])
    assert len(drawn) == 4 * len(ranks[0]) * world * other
    for start in range(0, len(drawn) - unlabelled + 1, unlabelled):
        assert sorted(drawn[start : start + unlabelled]) == list(range(unlabelled))


def test_rounds_differ_in_their_order():
    drawn = np.concatenate([rows for _, rows in epochs(mixed(40, 20, 2, 20), 1)]).reshape(-1, 20)
    assert len({tuple(row) for row in drawn}) == len(drawn)


@pytest.mark.parametrize("taken", range(8))
def test_resuming_gives_the_same_batches(taken):
    whole = epochs(mixed(), 4)
    first = mixed()
    stream = (batch for _ in range(9) for batch in first)
    before = [(a.tolist(), b.tolist()) for a, b in islice(stream, taken)]
    again = mixed()
    again.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert (before + epochs(again, 4))[: len(whole)] == whole


def test_resuming_keeps_the_rows_that_are_drawn_from():
    first = mixed()
    first.draw_from([2, 2, 5])
    again = mixed()
    again.load_state_dict(json.loads(json.dumps(first.state_dict())))
    drawn = epochs(again, 2)
    assert drawn == epochs(first, 2)
    assert [sorted(rows) for _, rows in drawn] == [[2, 2, 5]] * 6


def test_a_state_of_other_settings_is_refused():
    with pytest.raises(InputError, match="the saved sampler has unlabelled_batch_size 3 and this one 2; resume with"):
        mixed(other=2).load_state_dict(mixed(other=3).state_dict())


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="there are 0 unlabelled items to draw from; give one or more"):
        mixed(unlabelled=0)
    with pytest.raises(InputError, match="batch_size is 0; it must be 1 or more"):
        mixed(other=0)
    for rows in ([], [7], [-1]):
        with pytest.raises(InputError, match=rf"draw_from: {len(rows)} rows; legal: one or more of 0\.\.6"):
            mixed().draw_from(rows)


@settings(deadline=None, max_examples=100)
@given(classes=st.lists(st.integers(-1, 4), min_size=1, max_size=40), each=st.integers(1, 12), seed=st.integers(0, 3))
def test_every_class_that_occurs_comes_equally_often(classes, each, seed):
    if max(classes) < 0:
        with pytest.raises(InputError, match="no unlabelled item has been given a class"):
            balanced_rows(classes, each, seed)
        return
    rows = balanced_rows(classes, each, seed)
    codes = np.array(classes)
    for code in set(classes) - {-1}:
        own = rows[codes[rows] == code]
        assert len(own) == each
        times = np.bincount(own, minlength=len(codes))[codes == code]
        assert times.max() - times.min() <= 1  # sub-sampled without repetition, over-sampled evenly
    assert (codes[rows] >= 0).all()


def test_another_seed_balances_with_other_items():
    classes = np.zeros(50, int)
    assert sorted(balanced_rows(classes, 10, 0)) != sorted(balanced_rows(classes, 10, 1))
    with pytest.raises(InputError, match="per_class is 0; it must be 1 or more"):
        balanced_rows(classes, 0)
