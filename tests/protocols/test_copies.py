import numpy as np
import pandas as pd

from affectspace.protocols.copies import copy_groups


def table(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"id": [f"i{k}" for k in range(n)], "corpus": "a", **columns})


def told(items):
    return [(group.rows.tolist(), group.identical, group.differ) for group in copy_groups(items)]


def test_what_is_alone_is_no_group_and_groups_come_in_the_order_of_the_table():
    items = table(audio_sha=list("abcba"), near_audio=list("uvwvu"), speaker=list("xyxyx"))
    assert told(items) == [([0, 4], True, ()), ([1, 3], True, ())]
    assert told(items[:3]) == []
    assert told(items[:0]) == []


def test_identical_and_near_identical_ones_are_one_group_that_is_not_identical():
    items = table(audio_sha=list("aab"), near_audio=list("uuu"), label=["sad", "sad", "happy"])
    assert told(items) == [([0, 1, 2], False, ("label",))]


def test_ids_of_two_corpora_do_not_join_and_what_is_not_known_differs_from_what_is():
    items = table(audio_sha=[None, None], near_audio=["u", "u"], speaker=["x", None]).assign(id="1", corpus=["a", "b"])
    assert told(items) == [([0, 1], False, ("corpus", "speaker"))]
    assert told(items.assign(near_audio=[np.nan, np.nan])) == []
