"""What an epoch covers, on one rank and on several, and that resuming gives the same batches."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.samplers import ShuffledBatches


@settings(deadline=None, max_examples=200)
@given(n=st.integers(1, 60), size=st.integers(1, 9), world=st.integers(1, 5), seed=st.integers(0, 5))
def test_ranks_share_out_every_item_once_but_for_those_left_out(n, size, world, seed):
    if n < world:
        with pytest.raises(InputError, match=f"{n} items cannot be shared out over {world} processes"):
            ShuffledBatches(n, size, seed, 0, world)
        return
    ranks = [ShuffledBatches(n, size, seed, rank, world) for rank in range(world)]
    left_out = ranks[0].left_out
    assert all(np.array_equal(r.left_out, left_out) for r in ranks)
    assert len(left_out) < world
    batches = [list(r) for r in ranks]
    assert [len(b) for b in batches] == [len(r) for r in ranks] == [len(ranks[0])] * world
    seen = np.concatenate([b for each in batches for b in each] + [left_out])
    assert seen.dtype == np.int64
    assert np.array_equal(np.sort(seen), np.arange(n))
    for step in zip(*batches):
        sizes = [len(b) for b in step]
        assert min(sizes) >= 1
        assert max(sizes) <= size
        assert max(sizes) - min(sizes) <= 1
    assert all(len(b) == size for each in batches for b in each[:-1])


def test_one_process_leaves_out_nothing():
    batches = ShuffledBatches(10, 4)
    assert [len(b) for b in batches] == [4, 4, 2]
    assert len(batches.left_out) == 0


def test_an_epoch_is_a_function_of_seed_and_epoch():
    def epochs(seed: int) -> list[list[int]]:
        batches = ShuffledBatches(20, 6, seed)
        return [np.concatenate(list(batches)).tolist() for _ in range(3)]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    first, second, third = epochs(1)
    assert first != second != third


@settings(deadline=None, max_examples=60)
@given(n=st.integers(3, 40), size=st.integers(1, 9), stop=st.integers(0, 30), world=st.integers(1, 3))
def test_resumes_to_the_bit_at_any_batch(n, size, stop, world):
    def run(batches: ShuffledBatches, count: int) -> list[list[int]]:
        out: list[list[int]] = []
        while len(out) < count:
            for batch in batches:
                out.append(batch.tolist())
                if len(out) == count:
                    break
        return out

    whole = run(ShuffledBatches(n, size, 3, 1 % world, world), 40)
    first = ShuffledBatches(n, size, 3, 1 % world, world)
    before = run(first, stop) if stop else []
    resumed = ShuffledBatches(n, size, 3, 1 % world, world)
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert before + run(resumed, 40 - stop) == whole


def test_a_state_after_the_last_batch_ends_that_epoch():
    batches = ShuffledBatches(4, 2)
    states = [batches.state_dict() for _ in batches]
    assert [s["position"] for s in states] == [1, 2]
    batches.load_state_dict(states[-1])
    assert list(batches) == []
    assert (batches.epoch, batches.position) == (1, 0)


def test_what_is_left_out_changes_with_the_epoch():
    batches = ShuffledBatches(11, 5, world_size=2)
    assert len({batches.left_out.item() for _ in range(20) for _ in [list(batches)]}) > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be 1 or more"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"rank": 2, "world_size": 2}, r"rank is 2; with world_size 2 it must be 0\.\.1"),
        ({"n_items": 0}, "0 items cannot be shared out over 1 processes"),
    ],
)
def test_errors_say_value_and_remedy(arguments, message):
    with pytest.raises(InputError, match=message):
        ShuffledBatches(**{"n_items": 10, "batch_size": 2} | arguments)


@pytest.mark.parametrize("other", [{"n_items": 9}, {"batch_size": 3}, {"seed": 1}, {"world_size": 2}])
def test_a_state_of_other_settings_is_refused(other):
    settings = {"n_items": 10, "batch_size": 2, "seed": 0, "world_size": 1}
    (name,) = other
    with pytest.raises(
        InputError, match=rf"saved sampler has {name} {settings[name]} and this one {other[name]}; resume"
    ):
        ShuffledBatches(**settings | other).load_state_dict(ShuffledBatches(**settings).state_dict())
