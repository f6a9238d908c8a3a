import dataclasses

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.protocols import Split


def test_rows_are_kept_sorted_and_parts_cannot_be_exchanged():
    split = Split("x", [3, 1], np.array([0], np.int32), [2], keeps_apart=["speaker"])
    assert split.train.tolist() == [1, 3]
    assert all(rows.dtype == np.int64 for rows in (split.train, split.validate, split.test))
    assert split.keeps_apart == ("speaker",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        split.name = "y"  # pyright: ignore[reportAttributeAccessIssue]


def test_it_leaves_the_callers_array_alone():
    mine = np.array([3, 1])
    split = Split("x", mine, [0], [2])
    split.train[0] = 7
    assert mine.tolist() == [3, 1]


def test_allowed_can_be_added():
    split = dataclasses.replace(Split("x", [0], [1], [2]), allowed=("script",))
    assert split.allowed == ("script",)


def test_validation_or_test_may_be_empty():
    assert Split("x", [0], [], [2]).sizes == {"train": 1, "validate": 0, "test": 1}
    assert Split("x", [0], [1], []).test.dtype == np.int64


def test_all_rows_train_where_others_test():
    assert Split("x", [0, 1], [], [], tested_elsewhere=True).sizes == {"train": 2, "validate": 0, "test": 0}
    with pytest.raises(InputError, match="leaves nothing to train on"):
        Split("x", [], [], [], tested_elsewhere=True)


def test_unseen_items_belong_to_no_other_part():
    assert Split("x", [0], [], [2], unseen=[4, 3]).sizes == {"train": 1, "validate": 0, "test": 1, "unseen": 2}
    with pytest.raises(InputError, match="in both train and unseen"):
        Split("x", [0], [], [2], unseen=[0])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([], [1], [2]), "leaves nothing to train on"),
        (([0], [], []), "leaves nothing to validate or to test on"),
        (([0, 1], [1], [2]), "1 rows in both train and validate, such as row 1"),
        (([0], [1], [2, 0]), "1 rows in both train and test, such as row 0"),
        (([0], [1, 2], [2]), "in both validate and test"),
        (([0, 0], [1], [2]), "holds row 0 twice"),
        (([-1], [1], [2]), "holds row -1; rows count from 0"),
        (([0.5], [1], [2]), "type float64; give row numbers"),
        (([True], [1], [2]), "type bool"),
    ],
)
def test_faults(parts, message):
    with pytest.raises(InputError, match=message):
        Split("x", *parts)
