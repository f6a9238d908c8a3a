"""What P x K batches hold, how often each item comes, and that resuming gives the same batches."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.samplers import ClassBatches

SIZES = st.lists(st.integers(1, 12), min_size=2, max_size=6)


def labels(sizes):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)) * 3, sizes))


@settings(deadline=None, max_examples=100)
@given(sizes=SIZES, p=st.integers(2, 7), k=st.integers(1, 5), seed=st.integers(0, 3))
def test_a_batch_holds_p_classes_with_k_items_each_or_all_there_are_and_none_twice(sizes, p, k, seed):
    classes = labels(sizes)
    batches = ClassBatches(classes, p, k, seed)
    for batch in list(batches):
        found, counts = np.unique(classes[batch], return_counts=True)
        assert len(found) == min(p, len(sizes))
        assert counts.tolist() == [min(k, sizes[each // 3]) for each in found]
        assert len(np.unique(batch)) == len(batch)


@settings(deadline=None, max_examples=60)
@given(sizes=SIZES, p=st.integers(2, 7), k=st.integers(1, 5))
def test_items_of_a_class_come_equally_often_and_classes_too(sizes, p, k):
    classes = labels(sizes)
    batches = ClassBatches(classes, p, k)
    left_out = batches.left_out
    drawn = list(batches)
    times = np.bincount(np.concatenate(drawn), minlength=len(classes))
    for each in np.unique(classes):
        assert np.ptp(times[classes == each]) <= 1
    turns = [sum(each in classes[batch] for batch in drawn) for each in np.unique(classes)]
    assert max(turns) - min(turns) <= 1
    assert np.array_equal(left_out, np.flatnonzero(times == 0))
    assert len(drawn) == -(-len(classes) // (min(p, len(sizes)) * k))


def test_an_epoch_is_a_function_of_seed_and_epoch():
    def epochs(seed):
        batches = ClassBatches(labels([9, 9, 4]), 3, 2, seed)
        return [[batch.tolist() for batch in batches] for _ in range(3)]

    assert epochs(1) == epochs(1) != epochs(2)
    first, second, third = epochs(1)
    assert first != second != third


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 7])
def test_resumes_to_the_bit_at_any_batch(stop):
    def draw(batches, count):
        out = []
        while len(out) < count:
            for batch in batches:
                out.append(batch.tolist())
                if len(out) == count:
                    break
        return out

    whole = draw(ClassBatches(labels([5, 7, 3]), 3, 2, seed=4), 10)
    first = ClassBatches(labels([5, 7, 3]), 3, 2, seed=4)
    begun = draw(first, stop)
    second = ClassBatches(labels([5, 7, 3]), 3, 2, seed=4)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert begun + draw(second, 10 - stop) == whole


def test_ranks_share_a_batch_out():
    classes = labels([8, 8, 8])
    alone = list(ClassBatches(classes, 3, 4))
    ranks = [list(ClassBatches(classes, 3, 4, rank=rank, world_size=2)) for rank in range(2)]
    for whole, *parts in zip(alone, *ranks):
        assert sorted(whole.tolist()) == sorted(np.concatenate(parts).tolist())
        assert abs(len(parts[0]) - len(parts[1])) <= 1
        assert all(len(np.unique(classes[part])) == 3 for part in parts)  # every rank has every class


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes_per_batch": 1}, "classes_per_batch is 1; it must be 2 or more"),
        ({"items_per_class": 0}, "items_per_class is 0; it must be 1 or more"),
        ({"rank": 2, "world_size": 2}, r"rank is 2; with world_size 2 it must be 0..1"),
        ({"classes": np.zeros(3)}, r"classes have shape \(3,\) and type float64; give one whole number an item"),
        ({"classes": np.zeros(3, int)}, "all 3 items are of one class, and a batch compares classes"),
        ({"items_per_class": 1, "world_size": 3}, "a batch may hold 2 items, too few for 3 processes"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    given = {"classes": np.array([0, 0, 1, 1]), "classes_per_batch": 2, "items_per_class": 2} | arguments
    with pytest.raises(InputError, match=message):
        ClassBatches(**given)


def test_a_state_of_other_settings_is_refused():
    state = ClassBatches(labels([3, 3]), 2, 2).state_dict()
    with pytest.raises(InputError, match="items_per_class 2 and this one 3"):
        ClassBatches(labels([3, 3]), 2, 3).load_state_dict(state)
