"""The published split: taken as it is, and where it validates on nothing, whole groups of training do."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.protocols import audit, groups_of, published


def items(parts, **columns):
    table = pd.DataFrame({"id": [str(i) for i in range(len(parts))], "corpus": "a", "split": parts})
    return table.assign(**columns)


def test_three_published_parts_are_taken_as_they_are():
    split = published(items(["train", "test", "validate", " Train "]))
    assert split.train.tolist() == [0, 3]
    assert (split.validate.tolist(), split.test.tolist()) == ([2], [1])


def test_a_share_of_whole_groups_validates_where_none_is_published():
    speakers = [f"s{i // 3}" for i in range(60)]
    table = items(["train"] * 60 + ["test"] * 5, speaker=speakers + ["t"] * 5)
    labels = np.arange(65) % 2
    split = published(table, 0.2, "speaker", labels=labels)
    assert split.sizes == {"train": 48, "validate": 12, "test": 5}
    assert audit(table, split) == []
    assert published(table, 0.2, "speaker", labels=labels).validate.tolist() == split.validate.tolist()
    assert published(table, 0.2, "speaker", seed=1, labels=labels).validate.tolist() != split.validate.tolist()
    assert published(table, 0.0).sizes == {"train": 60, "validate": 0, "test": 5}


def test_items_without_a_known_person_are_their_own_group_but_for_identical_pictures():
    table = items(["train"] * 4 + ["test"], audio_sha=["x", "x", "y", pd.NA, "z"])
    assert groups_of(table, "item").tolist() == ["x", "x", "y", "a/3", "z"]
    split = published(table, 0.5, "item")
    assert audit(table, split) == []


def test_what_is_identical_to_a_tested_item_is_put_aside_and_counted():
    # Two pictures are in train and test, one in validate and test, one in train and validate, and one twice in train.
    sha = ["a", "b", "c", "d", "d", "e", "f", "e", "c", "a", "b", "f", pd.NA, pd.NA]
    parts = ["train"] * 6 + ["validate"] * 3 + ["test"] * 3 + ["train", "test"]
    table = items(parts, audio_sha=sha, session=[f"s{name}" for name in sha[:-2]] + ["s1", "s2"])
    split = published(table)
    assert split.train.tolist() == [3, 4, 12]
    assert (split.validate.tolist(), split.test.tolist()) == ([7, 8], [9, 10, 11, 13])
    assert split.name == "published split, without 4 training and 1 validation items identical to others"
    assert audit(table, split) == []  # nor does a session cross, that is one for identical pictures


def test_of_items_of_several_media_one_in_common_is_enough():
    shas = ["film1 voice1", "film2", "voice3", "film1", "voice2 film2", "voice3 film9"]
    table = items(["train", "train", "validate", "test", "test", "test"], audio_sha=shas)
    with pytest.raises(InputError, match="every training item is identical to one that is tested or validates"):
        published(table)
    more = pd.concat([table, items(["train"], audio_sha="film5").assign(id="6")], ignore_index=True)
    split = published(more, 0)
    assert (split.train.tolist(), split.validate.tolist()) == ([6], [])
    assert audit(more, split) == []


def test_identical_items_stay_where_they_are_asked_for_and_are_a_leak():
    table = items(["train", "train", "validate", "test"], audio_sha=["a", "b", "c", "a"])
    split = published(table, keep_identical=True)
    assert (split.name, split.sizes["train"]) == ("published split", 2)
    assert [leak.group for leak in audit(table, split)] == ["audio"]


def test_what_is_left_to_train_on_gives_the_share_that_validates():
    table = items(["train"] * 4 + ["test"], audio_sha=["x", "y", "y", "z", "z"])
    split = published(table, 0.4, "item")
    assert sorted([*split.train, *split.validate]) == [0, 1, 2]
    assert audit(table, split) == []
    with pytest.raises(InputError, match="every training item is identical to one that is tested"):
        published(items(["train", "test"], audio_sha="x"))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            ["train", "dev", "test"],
            "1 of 3 items belong to none of train, validate, test, such as 'a/1' with the split 'dev'",
        ),
        (["train", pd.NA, "test"], "such as 'a/1' with no split; fill the column split"),
        (["train", "train"], "no item is published with the split 'test'"),
        (["test", "test"], "no item is published with the split 'train'"),
    ],
)
def test_a_split_that_does_not_tell_is_refused(parts, message):
    with pytest.raises(InputError, match=message):
        published(items(parts, speaker="s"))


def test_one_group_cannot_be_parted():
    with pytest.raises(InputError, match="all training items are of one speaker, 'a/s'"):
        published(items(["train", "train", "test"], speaker="s"))


def two_corpora(**columns):
    table = items(["train"] * 6 + ["validate", "test"] + ["train", "odd", pd.NA], **columns)
    return table.assign(corpus=["a"] * 8 + ["b"] * 3)


def test_an_unseen_corpus_is_tested_whole_whatever_its_column_says():
    split = published(two_corpora(), unseen=["b"])
    assert split.sizes == {"train": 6, "validate": 1, "test": 1, "unseen": 3}
    assert split.unseen.tolist() == [8, 9, 10]
    assert split.name == "published split; unseen: b"


def test_what_is_identical_to_an_unseen_item_is_put_aside():
    table = two_corpora(audio_sha=list("abcdefghagh"))
    split = published(table, 0, unseen=["b"])
    assert (split.train.tolist(), split.validate.tolist()) == ([1, 2, 3, 4, 5], [])
    assert (split.test.tolist(), split.unseen.tolist()) == ([7], [8, 9, 10])  # the same picture may be tested twice
    assert split.name == "published split, without 1 training and 1 validation items identical to others; unseen: b"
    assert audit(table, split) == []
    leaks = audit(table, published(table, unseen=["b"], keep_identical=True))
    assert [(leak.group, leak.parts) for leak in leaks] == [
        ("audio", ("train", "unseen")),
        ("audio", ("validate", "unseen")),
    ]


def test_an_unseen_corpus_must_be_there_and_leave_something():
    with pytest.raises(InputError, match="there is no corpus to keep unseen, 'c'; legal: a, b"):
        published(two_corpora(), unseen=["c"])
    with pytest.raises(InputError, match="no item is published with the split 'train'"):
        published(two_corpora(), unseen=["a", "b"])
