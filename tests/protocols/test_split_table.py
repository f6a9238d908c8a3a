"""Tables of parts as people publish them: their columns, words and ids, and what is said of those of no use."""

import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.protocols.split_table import read_folds

ITEMS = pd.DataFrame(
    {
        "id": ["a1", "a2", "a3", "b1", "b2"],
        "corpus": ["a", "a", "a", "b", "b"],
        "speaker": ["x", "y", "z", "x", "y"],
        "audio": ["wav/0001.wav", "wav/0002.wav", "wav/0003.wav", None, None],
    }
)


def rows(fold):
    return {part: own.tolist() for part, own in fold.rows.items() if len(own)}


def read(items=ITEMS, **columns):
    return read_folds(pd.DataFrame(columns), items, "lists.csv")


@pytest.mark.parametrize("column", ["part", "split", " Partition", "subset"])
@pytest.mark.parametrize("word", ["dev", "valid", "VAL", " Validation "])
def test_one_split_under_the_usual_words(column, word):
    [fold] = read(**{"utt_id": ["a1", "a2", "a3", "b1"], column: ["Train", word, "test", None]})
    assert (fold.name, rows(fold)) == ("", {"train": [0], "validate": [1], "test": [2]})
    assert fold.split is not None
    assert fold.split.sizes == fold.counts == {"train": 1, "validate": 1, "test": 1}
    assert fold.leaks(ITEMS) == []


def test_folds_one_row_an_item_and_fold_or_one_column_each():
    ids, parts = ["a1", "a2", "a3"] * 2, ["train", "train", "test", "test", "train", "train"]
    long = read(id=ids, part=parts, fold=[2, 2, 2, 1, 1, 1])
    wide = read(id=ids[:3], Fold2=parts[:3], fold1=parts[3:])
    for folds, names in ((long, ["2", "1"]), (wide, ["fold2", "fold1"])):
        assert [fold.name for fold in folds] == names
        assert [rows(fold) for fold in folds] == [{"train": [0, 1], "test": [2]}, {"train": [1, 2], "test": [0]}]


@pytest.mark.parametrize(
    ("ids", "corpora"),
    [
        (["a1", "b1"], None),
        (["a/a1", "b/b1"], None),
        (["a1", "b1"], ["a", "b"]),
        (["some/where/a1.wav", "D:\\b1.flac"], None),
        (["wav/0001.wav", "b1.wav"], ["a", "b"]),
    ],
)
def test_an_item_is_known_by_its_id_its_file_and_its_corpus(ids, corpora):
    columns = {"path": ids, "part": ["train", "test"]} | ({"corpus": corpora} if corpora else {})
    assert rows(read(**columns)[0]) == {"train": [0], "test": [3]}


def test_an_exact_id_comes_before_a_file_of_that_name():
    items = ITEMS.assign(id=["0002", "a2", "a3", "b1", "b2"])
    assert rows(read(items, id=["0002", "a3"], part=["train", "test"])[0]) == {"train": [0], "test": [2]}
    with pytest.raises(
        InputError, match=r"1 ids of lists.csv are of several items, such as 'x/0002.wav' of 'a/0002' and"
    ):
        read(items, id=["x/0002.wav", "a3"], part=["train", "test"])


def test_ids_that_nobody_knows_are_counted_and_the_nearest_is_named():
    with pytest.raises(InputError) as caught:
        read(id=["a1", "a4", "quite other", "a2"], part=["train", "test", "test", "train"])
    assert str(caught.value) == (
        "2 of 4 ids of lists.csv are of no item of a, b, such as 'a4' in row 2 (did you mean 'a3'?); 'quite other' in "
        "row 3; correct them, or name the corpus that has them"
    )
    with pytest.raises(InputError, match="'b1' in row 1"):
        read(id=["b1", "a2"], part=["train", "test"], corpus=["a", "a"])
    with pytest.raises(InputError, match=r"no corpus to audit, in lists.csv, 'c'; legal: a, b"):
        read(id=["b1", "a2"], part=["train", "test"], corpus=["c", "a"])


def test_an_id_of_two_corpora_needs_the_corpus():
    items = ITEMS.assign(id=["1", "2", "3", "1", "2"])
    with pytest.raises(InputError, match=r"2 ids .* such as '1' of 'a/1' and 'b/1'; add a column corpus, or"):
        read(items, id=["1", "2"], part=["train", "test"])
    assert rows(read(items, id=["1", "2"], part=["train", "test"], corpus=["b", "a"])[0]) == {"train": [3], "test": [1]}


def test_an_item_in_two_parts_is_a_leak_of_its_own_and_the_rest_is_audited_without_it():
    table = {"id": ["a1", "a1", "a2", "a2", "a3", "b1"], "part": ["train", "test", "train", "dev", "train", "test"]}
    [fold] = read(**table)
    assert fold.counts == {"train": 3, "validate": 1, "test": 2}
    assert fold.split is not None
    assert [getattr(fold.split, part).tolist() for part in ("train", "validate", "test")] == [[2], [1], [0, 3]]
    leaks = fold.leaks(ITEMS)
    assert [(leak.group, leak.parts, leak.groups) for leak in leaks] == [
        ("item", ("train", "test"), 1), ("item", ("train", "validate"), 1),
    ]  # fmt: skip
    [whole] = read(id=["a1", "a2"] * 2, part=["train", "train", "test", "test"])
    assert whole.split is None
    assert [leak.groups for leak in whole.leaks(ITEMS)] == [2]


def test_named_twice_for_one_part_is_named_once():
    assert read(id=["a1", "a1", "a2"], part=["train", "train", "test"])[0].counts == {"train": 1, "test": 1}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"id": ["a1"], "label": ["sad"]}, "lists.csv has the columns id, label; give id and part, and fold where"),
        ({"part": ["train"]}, "has the columns part; give id and part"),
        ({"id": ["a1"], "part": ["train"], "fold1": ["a"], "fold2": ["b"]}, "give id and part"),
        (
            {"id": ["a1", "a2"], "part": ["train", "tset"]},
            "part is 'tset' in row 2 of lists.csv; legal: train, training",
        ),
        (
            {"id": ["a1", "a2"], "fold": ["1", "2"]},
            "fold is '1' .* One number an item is not enough: say for each fold",
        ),
        ({"id": ["a1", "a2"], "part": ["train", "train"]}, "lists.csv has train alone; it must say which items train"),
        ({"id": ["a1", "a2"], "part": ["dev", "test"]}, "has validate and test alone"),
        ({"id": ["a1"], "part": [None]}, "names no part of any item"),
        (
            {"id": ["a1"], "fold": ["1"], "part": [None]},
            "^lists.csv names no part of any item; it must say which items",
        ),
        (
            {"id": [], "fold": [], "part": []},
            r"^lists.csv has a header \(id, fold, part\) and no rows below it; write a row for each item and fold",
        ),
        ({"id": [], "part": []}, r"has a header \(id, part\) and no rows below it; "),
        ({"id": [], "fold1": [], "fold2": []}, r"has a header \(id, fold1, fold2\) and no rows below it; "),
        (
            {"id": ["x", "y"], "part": ["train", "test"]},
            "^2 of 2 ids of lists.csv are of no item of a, b, such as 'x' in",
        ),
        (
            {"id": ["x"], "fold": ["1"], "part": [None]},
            "^1 of 1 ids of lists.csv are of no item of a, b, such as 'x' in",
        ),
        (
            {"id": ["a1", "a2"], "part": ["train", "test"], "fold": ["1", None]},
            "row 2 of lists.csv names no fold; fill",
        ),
        ({"id": ["a1", "a2"], "part": ["train", "test"], "fold": ["1", "2"]}, "fold '1' of lists.csv has train alone"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_what_it_lacks(columns, told):
    with pytest.raises(InputError, match=told):
        read(**columns)
