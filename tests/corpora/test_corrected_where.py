"""Shares of what was looked at, by hand and by Fisher, and a cluster that is found where one was planted."""

from math import comb, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora.corpus import Card, Corpus, make_items, make_ratings
from affectspace.corpora.corrected_where import LEFT_OUT, NONE, _holm, corrected_where
from affectspace.corpora.corrections import Correction, Corrections


def corpus(rows, **card):
    card = Card("toy", **card)
    return Corpus(Path(), make_items(pd.DataFrame(rows), card), make_ratings(None), card)


def said(*entries, by="ann"):
    made = [Correction("", by, item if "/" in item else f"toy/{item}", old, new) for item, old, new in entries]
    return Corrections(Path("corrections.jsonl"), tuple(made))


@pytest.fixture
def toy():
    """Forty items of four speakers; speaker and class are crossed."""
    rows = range(40)
    return corpus(
        {
            "id": [f"i{row}" for row in rows],
            "label": ["sad" if row % 2 else "angry" for row in rows],
            "speaker": [f"s{row // 10}" for row in rows],
        }
    )


def judged(wrong, right=()):
    label = lambda row: "sad" if row % 2 else "angry"  # noqa: E731
    other = {"sad": "angry", "angry": "sad"}
    return said(
        *((f"i{row}", label(row), other[label(row)]) for row in wrong),
        *((f"i{row}", label(row), label(row)) for row in right),
    )


def test_shares_are_of_what_was_looked_at_where_anything_was_confirmed(toy):
    found = corrected_where(toy, judged([0, 1, 2, 11], right=[3, 4, 12, 13, 14]))
    assert (found.corrected, found.confirmed, found.of, found.looked_at) == (4, 5, 9, True)
    by = {(group.by, group.name): group for group in found.groups}
    assert (by["speaker", "s0"].corrected, by["speaker", "s0"].of) == (3, 5)
    assert by["speaker", "s0"].others == 1 / 4
    assert ("speaker", "s2") not in by
    assert by["by", "ann"].share == 4 / 9
    assert np.isnan(by["by", "ann"].p)  # nobody else to compare with


def test_shares_are_of_all_items_where_nothing_was_confirmed(toy):
    found = corrected_where(toy, judged([0, 1, 2, 11]))
    assert (found.of, found.looked_at) == (40, False)
    by = {(group.by, group.name): group for group in found.groups}
    assert (by["speaker", "s0"].corrected, by["speaker", "s0"].of) == (3, 10)
    assert by["speaker", "s3"].corrected == 0
    assert not any(kind == "by" for kind, _ in by)


def test_p_is_fishers_over_all_ways_to_deal_the_corrections(toy):
    found = corrected_where(toy, judged([0, 1, 2, 3, 4, 5, 11, 21], right=[6, 12, 13, 14, 22, 23, 24, 33]))
    group = next(each for each in found.groups if each.name == "s0")
    ways = [comb(7, hits) * comb(9, 8 - hits) / comb(16, 8) for hits in range(8)]
    plain = sum(each for each in ways if each <= ways[6] * (1 + 1e-9))
    tests = len([each for each in found.groups if not np.isnan(each.p)])
    assert group.p == pytest.approx(min(1, plain * tests))  # the smallest is taken times all


def test_a_planted_cluster_is_found_and_chance_is_none():
    generator = np.random.default_rng(0)
    rows = range(600)
    items = {
        "id": [f"i{row}" for row in rows],
        "label": ["sad" if row % 2 else "angry" for row in rows],
        "speaker": [f"s{row // 30}" for row in rows],
    }
    base = generator.random(600) < 0.15
    for planted in (False, True):
        wrong = base.copy()
        if planted:
            wrong[60:90] |= generator.random(30) < 0.5
        found = corrected_where(corpus(items), judged(np.flatnonzero(wrong), np.flatnonzero(~wrong)))
        unlike = [(group.by, group.name) for group in found.groups if group.p < 0.05]
        assert unlike == ([("speaker", "s2")] if planted else [])


def test_changes_are_told_in_shared_words_and_items_of_none_are_told():
    made = corpus({"id": list("abc"), "label": ["Trauer", None, "Wut"]}, label_map={"Trauer": "sad", "Wut": "angry"})
    found = corrected_where(
        made,
        said(("a", "sad", "angry"), ("b", "", "sad"), ("c", "angry", ""), ("z", "sad", "angry"), ("other/a", "x", "y")),
    )
    assert set(found.changes) == {("sad", "angry", 1), (NONE, "sad", 1), ("angry", LEFT_OUT, 1)}
    assert (found.corrected, found.left_out, found.not_here) == (3, 1, 1)
    assert {group.name for group in found.groups if group.by == "label"} == {"sad", "angry", NONE}


def test_what_was_brought_back_counts_as_looked_at(toy):
    back = said(("i0", "angry", "sad"), ("i0", "sad", "angry"), ("i1", "sad", "angry"))
    found = corrected_where(toy, back)
    assert (found.corrected, found.confirmed, found.of) == (1, 1, 2)


def test_an_item_without_a_label_that_is_of_no_class_is_left_out_and_not_confirmed():
    made = corpus({"id": list("ab"), "label": [None, "sad"]})
    found = corrected_where(made, said(("a", "", ""), ("b", "sad", "sad")))
    assert (found.corrected, found.left_out, found.confirmed) == (1, 1, 1)
    assert found.changes == ((NONE, LEFT_OUT, 1),)


def test_labels_that_the_corpus_does_not_know_are_counted(toy):
    told = said(("i0", "angry", "hapy"), ("i1", "sad", "hapy"), ("i2", "angry", "sadd"), ("i3", "sad", "anger"))
    assert corrected_where(toy, told).unknown == (("hapy", 2), ("sadd", 1))  # anger is a word for angry
    mended = said(("i0", "angry", "hapy"), ("i0", "hapy", "sad"))
    assert corrected_where(toy, mended).unknown == ()
    seen = said(("i0", "low", "high"), ("i1", "high", "low"))  # of a model, which reads labels of its own
    assert corrected_where(toy, seen).unknown == ()
    bare = corpus({"id": ["i0", "i1"]})
    assert corrected_where(bare, said(("i0", "", "calm"))).unknown == ()


def test_nothing_was_corrected(toy):
    for none in (said(), judged([], [0, 1])):
        found = corrected_where(toy, none)
        assert (found.corrected, found.groups, found.changes) == (0, (), ())


def test_holm_is_the_loop():
    p = np.random.default_rng(0).random(9) / 5
    order = np.argsort(p)
    expected, top = np.empty(9), 0.0
    for place, row in enumerate(order):
        top = max(top, min(1, p[row] * (9 - place)))
        expected[row] = top
    assert _holm(p).tolist() == pytest.approx(expected.tolist())
    assert np.isnan(_holm([nan])).all()
