"""Several arrays read as one: whatever is asked for is what numpy would give of them side by side."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.features.spread_values import SpreadValues


def parts(lengths, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(0, 1000, (length, 3)).astype(np.int16) for length in lengths]


@settings(deadline=None, max_examples=100)
@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    ends=st.tuples(*[st.none() | st.integers(-20, 20)] * 2),
    step=st.sampled_from([None, 1, 2, -1, -3]),
    rows=st.lists(st.integers(0, 10**6), max_size=8),
)
def test_slices_and_rows_are_those_of_one_array(lengths, ends, step, rows):
    made = parts(lengths)
    whole, spread = np.concatenate(made), SpreadValues(made)
    assert (spread.shape, spread.dtype, spread.ndim, len(spread)) == (whole.shape, whole.dtype, 2, len(whole))
    chosen = slice(*ends, step)
    assert np.array_equal(spread[chosen], whole[chosen])
    assert spread[chosen].dtype == whole.dtype
    mask = np.arange(len(whole)) % 2 == 0
    assert np.array_equal(spread[mask], whole[mask])
    if len(whole):
        rows = np.array(rows, dtype=np.int64) % (2 * len(whole)) - len(whole)
        assert np.array_equal(spread[rows], whole[rows])
        assert np.array_equal(spread[-1], whole[-1])
    assert np.array_equal(np.asarray(spread), whole)


def test_a_slice_within_a_part_is_a_view():
    made = parts([4, 5])
    spread = SpreadValues(made)
    for start, stop, part in [(0, 4, 0), (4, 9, 1), (5, 6, 1), (1, 1, 0)]:
        found = spread[start:stop]
        assert found.base is made[part]
    assert np.shares_memory(spread[4:9], made[1])
    assert not np.shares_memory(spread[3:5], made[0])


def test_a_row_outside_is_an_error():
    for row in (9, -10):
        with pytest.raises(IndexError, match="of 9"):
            SpreadValues(parts([4, 5]))[[0, row]]


def test_there_is_no_single_array_without_a_copy():
    with pytest.raises(ValueError, match="no single array without a copy"):
        np.asarray(SpreadValues(parts([1, 2])), copy=False)
