"""Planted leaks are found, all of them; clean splits are accused of nothing."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError, LeakError
from affectspace.protocols import GROUPS, Leak, Split, audit, grouped_k_fold, kept_apart, refuse_leaks

COLUMNS = {kind: kind for kind in GROUPS} | {"audio": "audio_sha"}


def clean(seed, n=30):
    """Items and a split in which every group lies within one part, by its name; some are not known."""
    rng = np.random.default_rng(seed)
    part = np.concatenate([[0, 1, 2], rng.integers(3, size=n - 3)])
    items = pd.DataFrame({"id": [f"i{k}" for k in range(n)], "corpus": rng.choice(["a", "b"], n), "language": "en"})
    for column in COLUMNS.values():
        names = pd.Series([f"{column}{p}{rng.integers(3)}" for p in part], dtype="string")
        items[column] = names.mask(pd.Series(rng.random(n) < 0.2))
    return items, Split("clean", *(np.flatnonzero(part == p) for p in range(3)))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_a_clean_split_is_never_accused(seed):
    items, split = clean(seed)
    assert audit(items, split) == []
    refuse_leaks(items, split)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10_000),
    st.sampled_from(GROUPS),
    st.sampled_from([("train", "test"), ("train", "validate"), ("validate", "test")]),
)
def test_a_planted_leak_is_always_found_and_is_the_only_one(seed, group, sides):
    items, split = clean(seed)
    rng = np.random.default_rng(seed)
    one, other = (int(rng.choice(getattr(split, side))) for side in sides)
    if group not in ("audio", "near_audio"):
        items.loc[[one, other], "corpus"] = "a"
    items.loc[[one, other], COLUMNS[group]] = "planted"
    leaks = audit(items, split)
    assert len(leaks) == 1
    assert (leaks[0].group, leaks[0].parts, leaks[0].groups, leaks[0].items) == (group, sides, 1, (1, 1))
    assert leaks[0].example_items == tuple(repr(f"{items['corpus'][row]}/i{row}") for row in (one, other))
    with pytest.raises(LeakError):
        refuse_leaks(items, split)
    assert audit(items, split, allow=[group]) == []
    assert audit(items, dataclasses.replace(split, allowed=(group,))) == []
    assert group not in kept_apart(items, split)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_equals_a_comparison_of_every_pair(seed):
    rng = np.random.default_rng(seed)
    items = pd.DataFrame({"id": [f"i{k}" for k in range(15)], "corpus": rng.choice(["a", "b"], 15)})
    items["speaker"] = pd.Series(rng.choice(["x", "y", "z", "w"], 15), dtype="string").mask(
        pd.Series(rng.random(15) < 0.3)
    )
    split = Split("random", range(5), range(5, 10), range(10, 15))
    named = [None if pd.isna(speaker) else (c, speaker) for c, speaker in zip(items["corpus"], items["speaker"])]
    found = {leak.parts: leak for leak in audit(items, split)}
    for parts in (("train", "test"), ("train", "validate"), ("validate", "test")):
        one, other = (getattr(split, part) for part in parts)
        pairs = [(i, j) for i in one for j in other if named[i] is not None and named[i] == named[j]]
        assert (parts in found) == bool(pairs)
        if pairs:
            assert found[parts].items == (len({i for i, _ in pairs}), len({j for _, j in pairs}))
            assert found[parts].groups == len({named[i] for i, _ in pairs})


def speakers(*names):
    return pd.DataFrame(
        {"id": [f"i{k}" for k in range(len(names))], "corpus": "a", "speaker": pd.array(names, dtype="string")}
    )


def test_the_same_name_in_two_corpora_is_two_people():
    items = speakers("x", "y", "x")
    items["corpus"] = ["a", "a", "b"]
    assert audit(items, Split("s", [0], [1], [2])) == []


def test_validation_is_held_to_the_same_rule():
    leaks = audit(speakers("x", "x", "y"), Split("s", [0], [1], [2]))
    assert [leak.parts for leak in leaks] == [("train", "validate")]


def test_each_leak_is_one_sentence_with_count_example_and_remedy():
    items = speakers("x", "y", "z", "x", "y", "y")
    with pytest.raises(LeakError) as error:
        refuse_leaks(items, Split("mine", [0, 1], [2], [3, 4, 5]))
    assert str(error.value) == (
        "split 'mine' leaks:\n"
        "- 2 speakers are in both train (2 items) and test (3 items), such as 'a/x' ('a/i0' and 'a/i3'); "
        'split by speaker (by = "speaker" in [protocol], of kind grouped_folds or leave_one_out), or accept it and say '
        'so with allow = ["speaker"] in [protocol]'
    )
    assert error.value.exit_code == 2


def test_a_split_without_the_leak_is_a_remedy_and_one_with_it_is_none():
    items = speakers("x", "y", "z", "x").assign(session=["1", "2", "3", "3"])
    clean, leaky = Split("clean", [0, 3], [1], []), Split("leaky", [0], [1], [3])
    with pytest.raises(LeakError) as error:
        refuse_leaks(items, Split("mine", [0], [1], [3]), (), [("leak", leaky), ("make it clean", clean)])
    assert "; split by speaker (by = " in str(error.value)
    assert " or leave_one_out), or make it clean, or accept it and say so" in str(error.value)
    worse = Split("worse", [2], [1], [3])  # no speaker leaks, and a session does
    with pytest.raises(LeakError, match=r" or leave_one_out\), or accept it"):
        refuse_leaks(items, Split("mine", [0], [1], [3]), (), [("make it worse", worse)])
    refuse_leaks(items, clean, (), (pytest.fail("is not asked for") for _ in range(1)))


@pytest.mark.parametrize(("column", "what"), [("image", "picture"), ("audio", "recording"), (None, "recording")])
def test_identical_media_are_called_what_they_are(column, what):
    items = speakers("x", "y", "z").assign(audio_sha=["1", "2", "1"])
    if column:
        items[column] = ["one.file", "two.file", "three.file"]
    (leak,) = audit(items, Split("mine", [0], [1], [2]))
    assert str(leak).startswith(f"1 {what} is in both train")
    assert f'; remove one copy of each {what}, or accept it and say so with allow = ["audio"]' in str(leak)


def test_unseen_items_are_held_apart_from_all_that_is_learned_from():
    items = speakers("x", "y", "z", "x", "z", "y")
    leaks = audit(items, Split("s", [0], [1], [2], unseen=[3, 4, 5]))
    assert [leak.parts for leak in leaks] == [("train", "unseen"), ("validate", "unseen")]  # z is tested both times


def test_rows_outside_the_split_do_not_count():
    assert audit(speakers("x", "y", "z", "x"), Split("s", [0], [1], [2])) == []


def test_an_allowed_group_must_exist():
    with pytest.raises(InputError, match="no kind of group to allow, 'scripts'; did you mean 'script'"):
        audit(speakers("x", "y", "z"), Split("s", [0], [1], [2]), allow=["scripts"])


def test_one_word_may_be_given_as_it_is():
    assert audit(speakers("x", "y", "x"), Split("s", [0], [1], [2]), allow="speaker") == []


def test_what_is_not_known_is_not_claimed():
    split = Split("s", [0], [1], [2])
    assert kept_apart(speakers("x", "y", "z"), split) == ("speaker",)
    assert kept_apart(speakers("x", "y", None), split) == ()


def test_a_split_for_another_table_is_refused():
    with pytest.raises(InputError, match=r"row 9, and the items have rows 0\.\.2"):
        audit(speakers("x", "y", "z"), Split("s", [0], [1], [9]))


def test_the_remedy_and_the_protocol_it_names_do_not_send_each_other_in_circles():
    """Nine of twelve name no session: the audit says so where it advises that, and what it advises can be done."""
    sessions = ["s1", None, None, None, None, None, "s1", None, None, None, "s2", None]
    items = pd.DataFrame({"id": [f"i{k}" for k in range(12)], "corpus": "a", "session": sessions})
    [leak] = audit(items, Split("by hand", range(6), [], range(6, 12)))
    assert leak.nameless == 9
    assert (
        'split by session (by = "session" in [protocol], of kind grouped_folds or leave_one_out; first fill the column '
        "'session' of the 9 items that have none, with the item's own id where it belongs with no other)"
    ) in str(leak)
    assert leak.remedy_in_list == "give all items of a session the same part, or accept it by --allow session"
    with pytest.raises(InputError) as caught:
        grouped_k_fold(items, "session", folds=3)
    assert str(caught.value).startswith(
        "9 of 12 items have no session (3 name one), such as 'a/i1'; fill the column 'session' for every item, with "
        "its own id where it belongs with no other, or write into the recipe: protocol.by = "
    )
    filled = items.assign(session=items["session"].fillna(items["id"]))
    assert audit(filled, grouped_k_fold(filled, "session", folds=3)) == []
    with pytest.raises(InputError, match=r"12 of 12 items have no session, such as 'a/i0'; fill the column '\w+', or"):
        grouped_k_fold(items.assign(session=None), "session", folds=3)


def near(audio, near_audio):
    return speakers(*(f"s{k}" for k in range(len(audio)))).assign(audio_sha=audio, near_audio=near_audio)


def test_near_identical_recordings_are_called_so_with_a_pair_and_the_remedy():
    (leak,) = audit(near(list("1234"), ["x", "y", "z", "x"]), Split("mine", [0, 1], [2], [3]))
    assert str(leak) == (
        "1 recording is in both train (1 item) and test (1 item) as near-identical copies, which differ in level, "
        "coding, noise or length alone, such as 'a/i0' and 'a/i3'; remove all but one of each, or accept it and say so "
        'with allow = ["near_audio"] in [protocol]'
    )


def test_what_is_identical_is_told_of_as_that_alone():
    split = Split("mine", [0, 1], [], [2, 3])
    (leak,) = audit(near(["1", "2", "1", "3"], ["x", "y", "x", "z"]), split)
    assert leak.group == "audio"
    assert audit(near(["1", "2", "1", "3"], ["x", "y", "x", "z"]), split, allow=["audio"]) == []
    # a third that differs is near-identical to the copy on the other side, and not to the one on its own
    for audio, pair in ((["1", "1", "1", "3"], None), (["1", "2", "1", "3"], (1, 2)), (["2", "1", "1", "3"], (0, 2))):
        leaks = audit(near(audio, ["x", "x", "x", "z"]), split)
        assert [leak.group for leak in leaks] == ["audio"] + ["near_audio"] * (pair is not None)
        assert pair is None or leaks[1].example_items == tuple(f"'a/i{row}'" for row in pair)
    (leak,) = audit(near([None] * 4, ["x", "y", "x", "z"]), split)  # of which nobody knows whether it is identical
    assert (leak.group, leak.items) == ("near_audio", (1, 1))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_near_leaks_equal_a_comparison_of_every_pair(seed):
    rng = np.random.default_rng(seed)
    audio = rng.integers(6, size=12)
    group = rng.integers(4, size=6)[audio]  # what is identical is near-identical, too
    missing = rng.random(12) < 0.2
    items = near(pd.Series(audio.astype(str)).mask(missing), pd.Series(group.astype(str)).mask(rng.random(12) < 0.1))
    found = {leak.parts: leak for leak in audit(items, Split("random", range(4), range(4, 8), range(8, 12)), "audio")}
    sides = {"train": range(4), "validate": range(4, 8), "test": range(8, 12)}
    copies, groups = items["audio_sha"], items["near_audio"]
    for parts in (("train", "test"), ("train", "validate"), ("validate", "test")):
        pairs = {
            (one, other)
            for one in sides[parts[0]]
            for other in sides[parts[1]]
            if groups[one] == groups[other]
            and (pd.isna(copies[one]) or pd.isna(copies[other]) or copies[one] != copies[other])
        }
        assert (parts in found) == bool(pairs)
        if pairs:
            assert found[parts].groups == len({groups[one] for one, _ in pairs})
            rows = tuple(int(item.strip("'").removeprefix("a/i")) for item in found[parts].example_items)
            assert rows in pairs


def test_items_in_two_parts_are_told_without_a_column_to_fill():
    leak = Leak("item", ("train", "test"), 2, (2, 2), "'a/x'", ("'a/x'", "'a/x'"))
    assert leak.fact == "2 items are in both train and test, such as 'a/x'"
    assert leak.remedy == leak.remedy_in_list == "keep each in one of them"


def test_who_validates_is_drawn_by_another_key_in_some_kinds_of_protocol():
    (leak,) = audit(speakers("x", "x", "y"), Split("s", [0], [1], [2]))
    assert leak.remedy == 'split by speaker (validate_by or by = "speaker" in [protocol], whichever its kind has)'


def test_copies_may_be_allowed_in_a_list_too():
    (leak,) = audit(near(list("1213"), [None] * 4), Split("mine", [0, 1], [], [2, 3]))
    assert leak.remedy_in_list == "remove one copy of each recording, or accept it by --allow audio"
