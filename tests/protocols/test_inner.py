"""Splits within training items."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.protocols import Split, audit, inner_groups, inner_split, leave_one_group_out


def table(counts):
    speakers = [f"s{number}" for number, count in enumerate(counts) for _ in range(count)]
    return pd.DataFrame({"id": [str(row) for row in range(len(speakers))], "corpus": "a", "speaker": speakers})


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=4, max_size=8), st.data())
def test_every_training_item_validates_once_and_no_test_item_ever(counts, data):
    items = table(counts)
    outer = leave_one_group_out(items, fold=data.draw(st.integers(0, len(counts) - 1)))
    known = np.union1d(outer.train, outer.validate).tolist()
    groups = inner_groups(items, outer)
    assert len(groups) == len(counts) - 1
    validated = []
    for fold in range(len(groups)):
        inner = inner_split(items, outer, "speaker", fold)
        assert not len(inner.test)
        assert np.union1d(inner.train, inner.validate).tolist() == known
        assert not audit(items, inner)
        validated += inner.validate.tolist()
    assert sorted(validated) == known


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fold": 3}, "inner fold is 3; the training items of split 'x' have 3 speakers, so legal are 0..2"),
        ({"fold": -1}, "inner fold is -1"),
        ({"by": "rater"}, "no group to leave out, 'rater'; did you mean 'speaker'? legal: speaker, session, script"),
        ({"by": "session"}, "have no session"),
    ],
)
def test_faults(settings, words):
    items = table([1, 1, 1, 1])
    with pytest.raises(InputError) as error:
        inner_split(items, Split("x", [1, 2, 3], [], [0]), **settings)
    assert words in str(error.value)


def test_one_group_is_not_enough():
    with pytest.raises(InputError, match="are all of speaker 'a/s0'; leaving one speaker out needs at least two"):
        inner_split(table([3, 1]), Split("x", [0, 1, 2], [], [3]))
