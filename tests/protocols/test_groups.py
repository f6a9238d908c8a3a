import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.protocols import cross_corpus, group_names, groups_of


def table(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"id": [f"i{k}" for k in range(n)], "corpus": "a", **columns}).astype("string")


def same(items, by="script"):
    """Sets of rows that share a group."""
    groups = groups_of(items, by)
    return {tuple(rows) for rows in groups.groupby(groups).groups.values()}


def test_names_of_speakers_hold_within_a_corpus_only():
    assert same(table(corpus=["a", "a", "b"], speaker=["1", "1", "1"]), "speaker") == {(0, 1), (2,)}


def test_one_script_of_a_corpus_is_one():
    assert same(table(script=["s1", "s1", "s2", None])) == {(0, 1), (2,)}


def test_codes_of_two_corpora_are_not_compared():
    assert same(table(corpus=["a", "b"], script=["s1", "s1"], language=["en", "en"])) == {(0,), (1,)}


def test_the_same_words_in_two_corpora_of_one_language_are_one_script():
    items = table(
        corpus=["a", "b", "c"], script=["s1", "01", None], language=["en", "en", "de"],
        text=["It's eleven o'clock.", "its eleven  OCLOCK", "It's eleven o'clock."],
    )  # fmt: skip
    assert same(items) == {(0, 1), (2,)}


def test_a_script_of_several_words_counts_as_the_words():
    items = table(
        corpus=["a", "b"], script=["kids are talking", "s1"], language=["en", "en"], text=[None, "Kids are talking!"]
    )
    assert same(items) == {(0, 1)}


def test_what_is_joined_by_words_and_by_script_is_one_group():
    items = table(
        corpus=list("aab"), script=["s1", "s1", "x"], language=["en"] * 3, text=["one two", "one too", "one two"]
    )
    assert same(items) == {(0, 1, 2)}


def test_free_speech_shares_no_script():
    items = table(script=["i0", "i1", "s"], text=["yes", "yes", "yes"], language=["en"] * 3)
    assert same(items) == {(0,), (1,), (2,)}


def test_audio_is_compared_over_everything_and_only_where_it_is_known():
    assert same(table(corpus=["a", "b", "b"], audio_sha=["f0", "f0", None]), "audio") == {(0, 1)}
    assert groups_of(table(speaker=["x"]), "audio").isna().all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 100_000))
def test_what_shares_any_hash_is_joined_however_far(seed):
    rng = np.random.default_rng(seed)
    owned = [{f"h{code}" for code in rng.integers(12, size=rng.integers(4))} for _ in range(9)]
    expected = [{row} for row in range(9) if owned[row]]
    while pair := next(
        ((one, other) for one in expected for other in expected
         if one is not other and any(owned[a] & owned[b] for a in one for b in other)), None,
    ):  # fmt: skip
        expected = [each for each in expected if each not in pair] + [pair[0] | pair[1]]
    items = table(audio_sha=[" ".join(sorted(hashes)) or None for hashes in owned])
    assert same(items, "audio") == {tuple(sorted(each)) for each in expected}
    alone = groups_of(items, "item")
    assert [alone[row] for row in range(9) if not owned[row]] == [f"a/i{row}" for row in range(9) if not owned[row]]


def test_near_identical_recordings_are_one_item_and_so_is_what_they_join():
    items = table(audio_sha=["f", "g", "f", None, "h"], near_audio=["x", "y", "x", None, "y"])
    assert groups_of(items, "item").tolist() == ["f", "g", "f", "a/i3", "g"]
    items["near_audio"] = ["x", "x", None, "z", "y"]
    assert same(items, "item") == {(0, 1, 2), (3,), (4,)}
    assert groups_of(items, "near_audio").tolist()[:2] == ["x", "x"]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 100_000))
def test_near_groups_that_join_nothing_new_leave_items_as_they_were(seed):
    rng = np.random.default_rng(seed)
    audio = pd.Series([f"h{code}" for code in rng.integers(6, size=10)], dtype="string").mask(rng.random(10) < 0.3)
    items = table(audio_sha=audio.to_list())
    near = "near " + audio.fillna(items["id"])
    assert groups_of(items.assign(near_audio=near), "item").equals(groups_of(items, "item"))


def test_the_group_of_a_single_hash_is_that_hash():
    shas = ["f1", None, "f0", "f1"]
    assert groups_of(table(audio_sha=shas), "audio").astype(object).where(lambda s: s.notna(), None).tolist() == shas
    assert groups_of(table(audio_sha=[*shas, "f0 f2", "f2"]), "audio").tolist()[2:] == ["f0", "f1", "f0", "f0"]


def test_the_index_of_the_table_plays_no_part():
    items = table(speaker=["x", "y"]).set_index(pd.Index([7, 7]))
    assert groups_of(items, "speaker").tolist() == ["a/x", "a/y"]


def test_groups_come_in_their_natural_order():
    assert group_names(table(speaker=["s10", "s9", "s1", "t"]), "speaker") == ["a/s1", "a/s9", "a/s10", "a/t"]


def test_no_such_group_names_the_nearest():
    with pytest.raises(InputError, match="no kind of group 'speakers'; did you mean 'speaker'"):
        groups_of(table(speaker=["x"]), "speakers")


def test_items_without_a_group_are_counted_named_and_another_group_is_shown():
    items = table(speaker=["x", None, None], session=["1", "2", "3"])
    told = r"2 of 3 items have no speaker \(1 names one\), such as 'a/i1'; fill the column 'speaker' for every item, "
    told += r"with its own id where it belongs with no other, or write into the recipe: "
    with pytest.raises(InputError, match=told + 'protocol.by = "session" or "item"'):
        group_names(items, "speaker")
    with pytest.raises(InputError, match=told + 'protocol.validate_by = "session" or "item"'):
        cross_corpus(pd.concat([items, items.assign(corpus="b")]), ["a"], ["b"])
