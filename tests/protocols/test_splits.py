"""Properties that hold for all tables, and the corpora people bring."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.corpora import open_corpus
from affectspace.errors import InputError, LeakError
from affectspace.protocols import (
    Split,
    audit,
    cross_corpus,
    group_names,
    grouped_k_fold,
    groups_of,
    kept_apart,
    leave_one_group_out,
    refuse_leaks,
)

seeds = st.integers(0, 10_000)


def make(seed=0, corpora=("a", "b", "c"), speakers=8, n=120, classes=3):
    """Items of random speakers and classes, in random order."""
    rng = np.random.default_rng(seed)
    names = [f"s{k}" for k in range(speakers)]
    corpus = rng.choice(corpora, n)
    frame = pd.DataFrame(
        {"corpus": corpus, "speaker": rng.choice(names, n), "label": rng.integers(classes, size=n).astype(str)}
    )
    everyone = pd.DataFrame([{"corpus": c, "speaker": s, "label": "0"} for c in corpora for s in names])
    items = pd.concat([frame, everyone]).sample(frac=1, random_state=seed).reset_index(drop=True)
    return items.assign(
        id=[f"i{k}" for k in range(len(items))], language="en", session=items["speaker"].str[-1]
    ).astype("string")


def parts(split):
    return {part: getattr(split, part).tolist() for part in ("train", "validate", "test")}


def crossing(items, split, by):
    """Groups found in two parts, by sets."""
    groups = groups_of(items, by)
    train, validate, test = ({*groups.iloc[rows]} for rows in (split.train, split.validate, split.test))
    return train & validate | train & test | validate & test


def everything(split):
    return sorted([*split.train, *split.validate, *split.test])


class TestCrossCorpus:
    @settings(deadline=None, max_examples=30)
    @given(seeds, st.floats(0.05, 0.9))
    def test_whole_speakers_validate_and_whole_corpora_test(self, seed, share):
        items = make(seed)
        split = cross_corpus(items, ["a", "b"], ["c"], share, seed=seed, labels=items["label"])
        assert not crossing(items, split, "speaker")
        assert everything(split) == list(range(len(items)))
        assert {*items["corpus"].iloc[split.test]} == {"c"}
        assert {*items["corpus"].iloc[split.validate]} == {"a", "b"} == {*items["corpus"].iloc[split.train]}

    def test_each_corpus_gives_about_its_share_and_its_classes(self):
        items = make(1, speakers=30, n=3000)
        split = cross_corpus(items, ["a", "b"], ["c"], 0.2, labels=items["label"])
        for column in ("corpus", "label"):
            found = items[column].iloc[split.validate].value_counts()
            whole = items[items["corpus"] != "c"][column].value_counts()
            np.testing.assert_allclose((found / whole).to_numpy(float), 0.2, atol=0.03)

    @given(seeds)
    @settings(deadline=None, max_examples=10)
    def test_the_same_seed_gives_the_same_items_whatever_their_order(self, seed):
        items = make(seed)
        ids = {*items["id"].iloc[cross_corpus(items, ["a"], ["b"], seed=3).validate]}
        shuffled = items.sample(frac=1, random_state=seed)
        assert {*shuffled["id"].iloc[cross_corpus(shuffled, ["a"], ["b"], seed=3).validate]} == ids

    def test_another_seed_gives_other_speakers(self):
        items = make(0, speakers=20)
        found = {tuple(cross_corpus(items, ["a"], ["b"], seed=seed).validate) for seed in range(10)}
        assert len(found) > 3

    def test_what_a_corpus_gives_does_not_depend_on_the_others(self):
        items = make(0)
        alone = cross_corpus(items, ["a"], ["c"]).validate
        together = cross_corpus(items, ["b", "a"], ["c"]).validate
        assert {*alone} == {*together[(items["corpus"].iloc[together] == "a").to_numpy(bool)]}

    def test_only_the_given_rows_are_used(self):
        items = make(0)
        rows = np.flatnonzero(np.arange(len(items)) % 3)
        assert everything(cross_corpus(items, ["a", "b"], ["c"], rows=rows)) == rows.tolist()
        assert everything(cross_corpus(items, ["a", "b"], ["c"], rows=np.arange(len(items)) % 3 > 0)) == rows.tolist()

    def test_names_and_promises(self):
        split = cross_corpus(make(0), ["a", "b"], ["c"], validate_by="session")
        assert split.name == "a + b -> c"
        assert split.keeps_apart == ("corpus", "session")

    def test_a_corpus_of_one_speaker_names_other_ways(self):
        items = make(0)
        items.loc[items["corpus"] == "a", "speaker"] = "only"
        with pytest.raises(InputError) as error:
            cross_corpus(items, ["a"], ["b"])
        assert "corpus 'a' has one speaker, 'a/only'" in str(error.value)
        assert "group by session or item, or leave the corpus out" in str(error.value)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"train": ["emodbb"], "test": ["b"]}, "no corpus 'emodbb'; legal: a, b, c"),
            ({"train": ["a"], "test": ["a", "b"]}, "'a' is named for train and for test"),
            ({"train": ["a"], "test": []}, "no corpus is named to test on"),
            (
                {"train": ["a"], "test": ["b"], "validate_share": 1.0},
                r"validate_share is 1\.0; give a share from 0 to below 1",
            ),
            ({"train": ["a"], "test": ["b"], "validate_by": "speakr"}, "did you mean 'speaker'"),
            ({"train": ["a"], "test": ["b"], "labels": [1, 2]}, "one label for each of the"),
            ({"train": ["a"], "test": ["b"], "rows": [0, 10_000]}, "rows run from 0 to 10000"),
            ({"train": ["a"], "test": ["b"], "rows": []}, "corpus 'a' has no usable items"),
        ],
    )
    def test_faults(self, settings, message):
        with pytest.raises(InputError, match=message):
            cross_corpus(make(0), **settings)

    def test_the_nearest_corpus_is_named(self):
        items = make(0, corpora=("emodb", "ravdess"))
        with pytest.raises(InputError, match="no corpus 'emo-db'; did you mean 'emodb'"):
            cross_corpus(items, ["emo-db"], ["ravdess"])

    @pytest.mark.parametrize("seed", range(10))
    def test_validation_is_the_most_representative_choice(self, seed):
        """Speakers who feel one thing only: of two that validate, each feels another."""
        speakers = np.repeat(np.arange(8), 5)
        items = pd.DataFrame({"id": map(str, range(40)), "corpus": "a", "speaker": speakers.astype(str)})
        items = pd.concat([items, items.assign(corpus="b")], ignore_index=True)
        labels = np.where(np.tile(speakers, 2) < 4, "sad", "angry")
        split = cross_corpus(items, ["a"], ["b"], validate_share=0.25, seed=seed, labels=labels)
        assert sorted(labels[split.validate]) == ["angry"] * 5 + ["sad"] * 5


class TestLeaveOneGroupOut:
    @settings(deadline=None, max_examples=20)
    @given(seeds, st.integers(1, 3))
    def test_each_group_is_tested_once_and_validates_equally_often(self, seed, validate):
        items = make(seed, corpora=("a",), speakers=6)
        splits = [leave_one_group_out(items, "speaker", fold, validate) for fold in range(6)]
        assert sorted(row for split in splits for row in split.test) == list(range(len(items)))
        assert sorted(row for split in splits for row in split.validate) == sorted([*range(len(items))] * validate)
        for split in splits:
            assert not crossing(items, split, "speaker")
            assert everything(split) == list(range(len(items)))

    def test_the_next_group_validates(self):
        items = make(0, corpora=("a",), speakers=4)
        names = group_names(items, "speaker")
        split = leave_one_group_out(items, fold=3)
        assert split.name == "leave one speaker out: a/s3"
        assert {*groups_of(items, "speaker").iloc[split.validate]} == {names[0]}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"fold": 8}, r"fold is 8; there are 8 speakers, so legal are 0\.\.7"),
            ({"fold": -1}, r"fold is -1"),
            ({"validate": -1}, "validate is -1; give a number of groups, or 0 for none"),
            ({"validate": 7}, "one to test, 7 to validate and one to train are needed"),
            ({"by": "sesion"}, "did you mean 'session'"),
            ({"rows": []}, "no items to split"),
            ({"rows": np.ones(3, bool)}, r"rows has shape \(3,\) and type bool; give row numbers, or True or False"),
            ({"rows": [0.5]}, r"type float64; give row numbers"),
        ],
    )
    def test_faults(self, settings, message):
        with pytest.raises(InputError, match=message):
            leave_one_group_out(make(0, corpora=("a",)), **settings)

    def test_one_speaker_is_not_enough(self):
        items = make(0, corpora=("a",), speakers=1).assign(session=lambda t: (t.index % 5).astype(str))
        with pytest.raises(InputError, match=r"there is 1 speaker \(a/s0\).*group by session or item, or add a corpus"):
            leave_one_group_out(items)


class TestGroupedKFold:
    @settings(deadline=None, max_examples=20)
    @given(seeds, st.integers(2, 6), st.sampled_from(["speaker", "session"]))
    def test_each_item_is_tested_once_and_groups_stay_whole(self, seed, folds, by):
        items = make(seed)
        splits = [grouped_k_fold(items, by, folds, fold, seed=seed, labels=items["label"]) for fold in range(folds)]
        assert sorted(row for split in splits for row in split.test) == list(range(len(items)))
        for split in splits:
            assert not crossing(items, split, by)
            assert everything(split) == list(range(len(items)))

    def test_folds_hold_about_the_same_of_each_corpus_and_class(self):
        items = make(0, speakers=40, n=4000)
        for fold in range(4):
            split = grouped_k_fold(items, "speaker", 4, fold, labels=items["label"])
            for column in ("corpus", "label"):
                share = items[column].iloc[split.test].value_counts() / items[column].value_counts()
                np.testing.assert_allclose(share.to_numpy(float), 0.25, atol=0.03)
            assert len(split.validate) / (len(split.validate) + len(split.train)) == pytest.approx(0.2, abs=0.02)

    def test_deterministic_by_seed_whatever_the_order(self):
        items = make(0)
        shuffled = items.sample(frac=1, random_state=5)
        ids = [{*t["id"].iloc[grouped_k_fold(t, "speaker", 3, 1, seed=2).test]} for t in (items, shuffled)]
        assert ids[0] == ids[1]
        assert len({tuple(grouped_k_fold(items, "speaker", 3, 1, seed=seed).test) for seed in range(5)}) > 1

    def test_scripts_can_be_folded_too(self):
        items = make(0).assign(script=lambda t: (t.index % 12).astype(str))
        split = grouped_k_fold(items, "script", 4, 0)
        assert not crossing(items, split, "script")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"folds": 1}, "folds is 1; at least 2"),
            ({"folds": 3, "fold": 3}, r"fold is 3; there are 3 folds, so legal are 0\.\.2"),
            ({"folds": 9}, r"8 speakers \(a/s0, .*cannot fill 9 folds .*lower folds"),
            ({"by": "id"}, "no group to fold by, 'id'"),
            ({"validate_share": -0.1}, "validate_share is -0.1"),
        ],
    )
    def test_faults(self, settings, message):
        with pytest.raises(InputError, match=message):
            grouped_k_fold(make(0, corpora=("a",)), **settings)


@pytest.mark.real
def test_emodb_leave_one_speaker_out(real_data):
    items = open_corpus(real_data / "speech/emodb").items
    assert len(group_names(items, "speaker")) == 10
    for fold in range(10):
        split = leave_one_group_out(items, "speaker", fold)
        assert everything(split) == list(range(535))
        assert not crossing(items, split, "speaker")
        # ten sentences, spoken by everybody
        assert {leak.group for leak in audit(items, split)} == {"script"}
        refuse_leaks(items, split, allow=["script"])
    with pytest.raises(LeakError, match=r'10 scripts are in both train .*allow = \["script"\] in \[protocol\]'):
        refuse_leaks(items, leave_one_group_out(items, "speaker", 0))


@pytest.mark.real
def test_ravdess_repeats_one_recording(real_data):
    items = open_corpus(real_data / "speech/ravdess").items
    content = [(real_data / "speech/ravdess" / path).read_bytes() for path in items["audio"]]
    items = items.assign(audio_sha=pd.array([str(hash(c)) for c in content], dtype="string"))
    twins = np.flatnonzero(items["audio_sha"].duplicated(keep=False))
    assert len(twins) == 2
    others = np.setdiff1d(np.arange(len(items)), twins)
    split = Split("twins apart", [twins[0], *others[:10]], [others[10]], [twins[1], *others[11:]])
    found = [leak for leak in audit(items, split) if leak.group == "audio"]
    assert len(found) == 1
    assert found[0].parts == ("train", "test")
    assert found[0].items == (1, 1)
    for fold in range(24):
        leaks = audit(items, leave_one_group_out(items, "speaker", fold), allow=["script"])
        assert all(leak.group == "audio" for leak in leaks)


@pytest.mark.real
def test_four_languages_cross_without_leaks(real_data):
    names = ["ravdess", "emodb", "urdu", "ased"]
    items = pd.concat([open_corpus(real_data / "speech" / name).items for name in names], ignore_index=True)
    for target in names:
        split = cross_corpus(
            items, [name for name in names if name != target], [target], labels=items["label"].fillna("")
        )
        leaks = audit(items, split)
        assert {leak.group for leak in leaks} <= {"script"}
        assert all("test" not in leak.parts for leak in leaks)  # other languages, other words


def test_within_a_session_the_others_validate_and_nobody_of_it_trains():
    items = pd.DataFrame(
        {
            "id": [str(number) for number in range(24)],
            "corpus": "a",
            "speaker": [f"s{number % 6}" for number in range(24)],
            "session": [f"d{number % 6 // 2}" for number in range(24)],
            "script": [str(number) for number in range(24)],
        }
    )
    tested = []
    for fold in range(6):
        split = leave_one_group_out(items, "speaker", fold, within="session")
        sessions = {part: set(items["session"].iloc[getattr(split, part)]) for part in ("train", "validate", "test")}
        assert sessions["test"] == sessions["validate"] == {f"d{fold // 2}"}
        assert sessions["train"] == {"d0", "d1", "d2"} - sessions["test"]
        assert set(items["speaker"].iloc[split.test]) == {f"s{fold}"}
        assert audit(items, split) == []
        assert kept_apart(items, split) == ("speaker", "session", "script")
        assert sorted(np.concatenate([split.train, split.validate, split.test])) == list(range(24))
        tested += split.test.tolist()
    assert sorted(tested) == list(range(24))
    mixed = Split("by hand", [0, 2], [1], [6], validates_within=("session",))
    assert [leak.parts for leak in audit(items, mixed, allow=["speaker"])] == [("train", "test"), ("train", "validate")]


def test_within_what_cannot_be_is_refused():
    items = pd.DataFrame({"id": list("1234"), "corpus": "a", "speaker": list("uvwx"), "session": list("1223")})
    with pytest.raises(InputError, match=r"speaker 'a/u' is alone in session a/1, so that nobody there can validate"):
        leave_one_group_out(items, "speaker", 0, within="session")
    with pytest.raises(InputError, match=r"all items are of session a/1, .* so that none is left to train on"):
        leave_one_group_out(items.assign(session="1"), "speaker", 0, within="session")
    with pytest.raises(InputError, match=r"group to validate within, 'speaker'; .*legal: session, script"):
        leave_one_group_out(items, "speaker", 0, within="speaker")
