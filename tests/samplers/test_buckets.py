"""Nothing is lost, nothing depends on anything but (seed, epoch), and chance is as it is said to be."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from affectspace.errors import InputError
from affectspace.samplers import LengthBuckets, ShuffledBatches


def sets(batches) -> set[frozenset[int]]:
    return {frozenset(batch.tolist()) for batch in batches}


@settings(deadline=None, max_examples=200)
@given(
    n=st.integers(1, 80),
    size=st.integers(1, 7),
    pool=st.integers(1, 6),
    world=st.integers(1, 4),
    seed=st.integers(0, 9),
    levels=st.integers(1, 50),
)
def test_ranks_share_out_every_item_once_but_for_those_left_out(n, size, pool, world, seed, levels):
    lengths = np.random.default_rng(seed).integers(1, levels + 1, n)
    if n < world:
        with pytest.raises(InputError, match=f"{n} items cannot be shared out over {world} processes"):
            LengthBuckets(lengths, size, pool, seed, 0, world)
        return
    ranks = [LengthBuckets(lengths, size, pool, seed, rank, world) for rank in range(world)]
    plain = [ShuffledBatches(n, size, seed, rank, world) for rank in range(world)]
    for _ in range(2):
        left_out = ranks[0].left_out
        assert np.array_equal(left_out, plain[0].left_out)
        epoch, expected = [list(rank) for rank in ranks], [list(rank) for rank in plain]
        assert [[len(b) for b in each] for each in epoch] == [[len(b) for b in each] for each in expected]
        seen = np.concatenate([b for each in epoch for b in each] + [left_out])
        assert seen.dtype == np.int64
        assert np.array_equal(np.sort(seen), np.arange(n))


def test_an_epoch_is_a_function_of_seed_and_epoch():
    def epochs(seed: int) -> list[list[int]]:
        batches = LengthBuckets(np.arange(40) % 7, 6, 3, seed)
        return [np.concatenate(list(batches)).tolist() for _ in range(3)]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    first, second, third = epochs(1)
    assert first != second != third


def test_a_pool_of_one_sorts_nothing():
    lengths = np.random.default_rng(0).integers(1, 99, 43)
    assert sets(LengthBuckets(lengths, 5, pool=1, seed=4)) == sets(ShuffledBatches(43, 5, seed=4))


def test_a_pool_of_all_cuts_the_sorted_lengths():
    lengths = np.random.default_rng(0).permutation(60)
    *batches, tail = LengthBuckets(lengths, 7, pool=100)
    sorted_head = np.setdiff1d(np.arange(60), lengths[tail])
    found = sorted(tuple(sorted(lengths[batch].tolist())) for batch in batches)
    assert found == [tuple(part) for part in sorted_head.reshape(-1, 7).tolist()]


def test_pools_are_those_of_a_plain_loop():
    lengths = np.random.default_rng(1).permutation(64)
    batches, plain = LengthBuckets(lengths, 4, pool=3, seed=2), list(ShuffledBatches(64, 4, seed=2))
    expected, start = set(), 0
    for steps in (3, 3, 3, 3, 2, 2):  # sixteen steps in pools of three at most, as equal as can be
        pool = sorted(np.concatenate(plain[start : start + steps]).tolist(), key=lambda item: lengths[item])
        expected |= {frozenset(pool[first : first + 4]) for first in range(0, len(pool), 4)}
        start += steps
    assert sets(batches) == expected


def test_of_equal_lengths_any_two_meet_alike_often():
    batches, meetings = LengthBuckets(np.ones(12), 3, pool=2), np.zeros((12, 12))
    for _ in range(1500):
        for batch in batches:
            meetings[np.ix_(batch, batch)] += 1
    assert chisquare(meetings[np.triu_indices(12, 1)]).pvalue > 1e-3


def test_neighbours_in_length_meet_more_often_than_chance_and_strangers_less():
    lengths = np.random.default_rng(3).permutation(120)
    batches, meetings, epochs = LengthBuckets(lengths, 6, pool=4), np.zeros((120, 120)), 300
    for _ in range(epochs):
        for batch in batches:
            meetings[np.ix_(lengths[batch], lengths[batch])] += 1
    gap = np.abs(np.subtract.outer(np.arange(120), np.arange(120)))
    chance = epochs * 5 / 119
    near, middle, far = (meetings[(gap >= low) & (gap <= high)].mean() for low, high in ((1, 6), (25, 35), (80, 119)))
    assert near > 2.5 * chance
    assert 0 < middle < chance
    assert far == 0  # as the docstring warns
    assert (meetings[gap == 1] < epochs).all()  # and no two are tied together


def test_short_batches_come_at_any_time_and_to_any_rank():
    lengths = np.arange(96)
    ranks = [LengthBuckets(lengths, 4, pool=6, rank=rank, world_size=2) for rank in range(2)]
    means = np.array([[[lengths[b].mean() for b in rank] for rank in ranks] for _ in range(400)])  # epoch, rank, step
    noise = means.std() / np.sqrt(400)
    assert (np.abs(means.mean(0) - lengths.mean()) < 4.5 * noise).all()
    assert np.abs(means[:, 0] - means[:, 1]).mean() < 0.2 * means.std()  # yet both work on like lengths


@settings(deadline=None, max_examples=60)
@given(n=st.integers(3, 40), size=st.integers(1, 9), stop=st.integers(0, 30), world=st.integers(1, 3))
def test_resumes_to_the_bit_at_any_batch(n, size, stop, world):
    def run(batches: LengthBuckets, count: int) -> list[list[int]]:
        out: list[list[int]] = []
        while len(out) < count:
            for batch in batches:
                out.append(batch.tolist())
                if len(out) == count:
                    break
        return out

    def make() -> LengthBuckets:
        return LengthBuckets(np.arange(n) % 5, size, 2, 3, 1 % world, world)

    whole, first, resumed = run(make(), 40), make(), make()
    before = run(first, stop) if stop else []
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert (resumed.epoch, resumed.position) == (first.epoch, first.position)
    assert before + run(resumed, 40 - stop) == whole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool": 0}, "pool is 0; it must be 1 or more"),
        ({"batch_size": 0}, "batch_size is 0; it must be 1 or more"),
        ({"lengths": [[1, 2]]}, r"shape \(1, 2\) and 2 finite numbers; give one finite number an item"),
        ({"lengths": [1.0, float("nan")]}, r"shape \(2,\) and 1 finite numbers"),
        ({"lengths": []}, "0 items cannot be shared out"),
    ],
)
def test_errors_say_value_and_remedy(arguments, message):
    given_ = {"lengths": [3, 4, 5], "batch_size": 2} | arguments
    with pytest.raises(InputError, match=message):
        LengthBuckets(np.array(given_.pop("lengths")), **given_)


@pytest.mark.parametrize("other", [{"lengths": np.arange(1, 11)}, {"pool": 4}, {"batch_size": 3}, {"seed": 1}])
def test_a_state_of_other_settings_is_refused(other):
    own = {"lengths": np.arange(10), "batch_size": 2, "pool": 3, "seed": 0}
    (name,) = other
    with pytest.raises(InputError, match=rf"saved sampler has {name} .* resume with"):
        LengthBuckets(**own | other).load_state_dict(LengthBuckets(**own).state_dict())
