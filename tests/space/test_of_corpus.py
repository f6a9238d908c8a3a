"""The label of an item with votes: the class that leads, and none where two are tied as metrics judge it."""

import numpy as np

from affectspace.metrics._inputs import leading_classes
from affectspace.space.of_corpus import sole_label


def test_shares_that_rounding_parts_are_a_tie():
    third = np.float32(1) / 3
    votes = np.array(
        [[third, third + np.float32(6e-8), third], [0.2, 0.5, 0.3], [0.4, 0.4 + 1e-7, 0.2], [0, 0.499, 0.501]]
    )
    assert sole_label(votes, ("a", "b", "c")).tolist() == [None, "b", None, "c"]
    assert (leading_classes(votes, 3).sum(1) > 1).tolist() == [True, False, True, False]
