"""Labels that are none of a model's classes: counted by their names, and the others are kept."""

import itertools

import pandas as pd
import pytest

from affectspace.corpora import open_corpus
from affectspace.labels import Classes
from affectspace.space.of_corpus import known_of
from affectspace.space.unknown_labels import unknown_labels, unknown_labels_told
from affectspace.training import make_recipe

NAMES = ("angry", "sad")
NOTHING = pd.DataFrame({"item": [], "rater": [], "dimension": [], "value": []}, dtype="string")


def recipe(**labels):
    return make_recipe(
        {
            "name": "own", "corpora": [{"path": "."}], "labels": {"kind": "classes", "names": list(NAMES)} | labels,
            "features": {"kind": "log_mel"}, "protocol": {"kind": "leave_one_out", "by": "speaker", "fold": 0},
            "encoder": {"kind": "conv_pool"}, "terms": [{"kind": "cross_entropy"}],
        }
    )  # fmt: skip


def corpus(folder, labels, ratings=None, card=""):
    pd.DataFrame({"id": [f"i{row}" for row in range(len(labels))], "label": labels, "audio": "a.wav"}).to_csv(
        folder / "items.csv", index=False
    )
    if ratings is not None:
        pd.DataFrame(ratings, columns=["item", "rater", "value"]).assign(dimension="emotion").to_csv(
            folder / "ratings.csv", index=False
        )
    (folder / "corpus.toml").write_text(f'name = "mine"\n{card}')
    return open_corpus(folder)


def test_unknown_labels_are_named_and_take_no_other_label_along(tmp_path):
    opened = corpus(tmp_path, ["angry", "calm", "sad", "calm", None, "bored", "anger"])
    known, told = known_of(opened, recipe())
    assert known["label"].fillna("-").tolist() == ["angry", "-", "sad", "-", "-", "-", "angry"]
    assert known["other_label"].fillna("-").tolist() == ["-", "calm", "-", "calm", "-", "bored", "-"]
    assert told == (
        "3 labels of mine are none of the model's classes (calm 2, bored 1): their items have "
        "no label in the space, where other_label keeps them; "
        "if they mean one of angry, sad, say so under [label_map] in the corpus.toml of the corpus (docs/your-data.md)"
    )


def test_what_a_map_leads_or_leaves_out_is_not_told(tmp_path):
    card = '[label_map]\ncalm = "sad"\nbored = ""\n'
    known, told = known_of(corpus(tmp_path, ["angry", "calm", "bored"], card=card), recipe())
    assert known["label"].fillna("-").tolist() == ["angry", "sad", "-"]
    assert told == ""
    _, told = known_of(corpus(tmp_path, ["angry", "calm", "wild"], card=card), recipe())
    assert told.startswith("1 label of mine is none of the model's classes (wild 1): its item has no label")


def test_levels_by_name_are_classes_too(tmp_path):
    opened = corpus(tmp_path, ["low", "middle", "high", "low"])
    known, told = known_of(opened, recipe(kind="levels", names=["low", "high"]))
    assert known["label"].fillna("-").tolist() == ["low", "-", "high", "low"]
    assert told.startswith("1 label of mine is none of the model's classes (middle 1)")


def test_of_votes_the_label_that_most_have_chosen_is_told(tmp_path):
    votes = [("i0", "a", "calm"), ("i0", "b", "calm"), ("i0", "c", "sad"), ("i1", "a", "sad"), ("i1", "b", "calm"),
             ("i1", "c", "sad")]  # fmt: skip
    known, told = known_of(corpus(tmp_path, [None, None, None], votes), recipe())
    assert known["label"].fillna("-").tolist() == ["-", "sad", "-"]
    assert told.startswith("1 label of mine is none of the model's classes (calm 1): its item has no label")


def test_raters_who_are_torn_between_a_class_and_another_label_are_told_of_in_any_order(tmp_path):
    votes = [("i0", "1", "calm"), ("i0", "2", "sad"), ("i1", "1", "sad"), ("i1", "2", "calm")]
    for number, rows in enumerate(itertools.permutations(votes)):
        folder = tmp_path / str(number)
        folder.mkdir()
        known, told = known_of(corpus(folder, [None, None], list(rows)), recipe())
        assert known["label"].isna().all()
        assert told.startswith("2 labels of mine are none of the model's classes (calm 2): ")


def test_a_corpus_that_cannot_be_labelled_at_all_says_why(tmp_path):
    known, told = known_of(
        corpus(tmp_path, ["angry", "calm"]), recipe(kind="poles", names=["low", "high"], dimension="v")
    )
    assert "label" not in known
    assert told.startswith("no item of mine has a label in the space, as corpus mine declares no scale for 'v'; add")
    known, told = known_of(corpus(tmp_path, [None, None]), recipe(kind="poles", names=["low", "high"], dimension="v"))
    assert told == ""


@pytest.mark.parametrize("labels", [[None, None], ["sad", "angry"], []])
def test_nothing_is_told_where_all_is_known(labels):
    items = pd.DataFrame({"id": [str(row) for row in range(len(labels))], "label": pd.array(labels, "string")})
    found = Classes(NAMES, others="leave_out").targets(items)
    unknown = unknown_labels(items, NOTHING, "emotion", found, NAMES, {})
    assert (len(unknown), unknown.notna().any(), unknown_labels_told("mine", unknown, NAMES)) == (
        len(labels),
        False,
        "",
    )


def test_a_label_that_a_terminal_would_obey_is_quoted():
    items = pd.DataFrame({"id": ["a"], "label": ["h\x1b[31mred"]})
    found = Classes(NAMES, others="leave_out").targets(items)
    told = unknown_labels_told("mine", unknown_labels(items, NOTHING, "emotion", found, NAMES, {}), NAMES)
    assert told.startswith(r"1 label of mine is none of the model's classes ('h\x1b[31mred' 1): ")


def test_many_unknown_labels_are_counted_and_five_are_named():
    items = pd.DataFrame({"id": list("abcdefgh"), "label": ["p", "p", "q", "r", "s", "t", "u", "v"]})
    found = Classes(NAMES, others="leave_out").targets(items)
    told = unknown_labels_told("mine", unknown_labels(items, NOTHING, "emotion", found, NAMES, {}), NAMES)
    assert told.startswith("8 labels of mine are none of the model's classes (p 2, q 1, r 1, s 1, t 1 and 2 more): ")
