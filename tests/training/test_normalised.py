"""What is told as normalised by its own statistics: that something measured had a part in them, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from affectspace.protocols import Split
from affectspace.training.normalised import normalised_groups, uses_own, without_put_aside

GROUPS = ["a", "a", "b", "b", "c", None]


@pytest.mark.parametrize(
    ("train", "validate", "test", "unseen", "own"),
    [
        ([0, 2], [1], [3], [], False),
        ([0, 2], [1], [], [], False),  # c is of unlabelled items alone
        ([0, 1], [], [2, 3], [], True),
        ([0, 1], [2, 3], [], [], True),  # the epoch is selected by these
        ([0, 2], [1], [3], [4], True),
        ([0, 2], [1], [5], [], False),  # of no group, so by all that train
    ],
)
def test_a_group_of_what_is_measured_without_training_items_is_its_own(train, validate, test, unseen, own):
    split = Split("by hand", train, validate, test, unseen=unseen)
    assert uses_own(GROUPS, split, np.ones(6, bool)) is own


def test_who_lacks_the_features_shapes_no_group():
    split = Split("by hand", [0, 2], [1], [3])
    has = np.ones(6, bool)
    has[2] = False  # the only training item of b
    assert uses_own(GROUPS, split, has)
    has[3] = False
    assert not uses_own(GROUPS, split, has)


def test_those_put_aside_are_of_no_group():
    items = pd.DataFrame({"corpus": list("aabbc"), "speaker": ["1", None, "1", "2", "1"]})
    assert normalised_groups(items, "speaker") == ["a/1", "a/", "b/1", "b/2", "c/1"]
    assert normalised_groups(items, "corpus") == list("aabbc")
    assert normalised_groups(items, "train") is None
    kept = without_put_aside(list("aabbc"), Split("by hand", [0], [], [2]), np.array([4]))
    assert kept == ["a", None, "b", None, "c"]
