"""Truths in closed form, a loop as the oracle, and raters' votes as three corpora publish them."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.labels import Classes, Levels, Poles, Targets, Uncut, ground_distance


def labelled(*labels):
    return pd.DataFrame({"id": [f"i{k}" for k in range(len(labels))], "label": pd.array(labels, dtype="string")})


def votes(*rows, dimension="emotion"):
    """Ratings from (item, value)."""
    frame = pd.DataFrame(rows, columns=["item", "value"], dtype="string")
    return frame.assign(rater=pd.array(["r"] * len(frame), dtype="string"), dimension=dimension)


class TestClasses:
    def test_votes_become_shares(self):
        found = Classes(("angry", "sad")).targets(
            labelled("anger", "anger"), votes(("i0", "anger"), ("i0", "anger"), ("i0", "sadness"), ("i1", "sad"))
        )
        np.testing.assert_allclose(found.values, [[2 / 3, 1 / 3], [0, 1]])
        assert found.source == "ratings"

    def test_the_majority_takes_all_and_ties_stay_tied(self):
        space = Classes(("angry", "sad", "happy"), soft=False)
        found = space.targets(
            labelled(None, None), votes(*[("i0", e) for e in ("sad", "sad", "angry")], ("i1", "sad"), ("i1", "joy"))
        )
        assert found.values.tolist() == [[0, 1, 0], [0, 0.5, 0.5]]

    def test_own_labels_are_one_hot_rows(self):
        found = Classes(("angry", "sad")).targets(labelled("sadness", "Anger", None))
        np.testing.assert_array_equal(found.values, [[0, 1], [1, 0], [np.nan, np.nan]])
        assert found.source == "label"
        assert found.usable.tolist() == [True, True, False]
        assert found.left_out == {"no label": 1}

    def test_the_dimension_label_asks_for_the_own_label_in_spite_of_votes(self):
        found = Classes(("angry", "sad")).targets(labelled("sad"), votes(("i0", "angry")), "label")
        assert found.values.tolist() == [[0, 1]]
        assert found.source == "label"

    def test_ratings_of_other_kinds_leave_the_own_label(self):
        found = Classes(("angry", "sad")).targets(labelled("sad"), votes(("i0", "3"), dimension="valence"))
        assert found.values.tolist() == [[0, 1]]

    def test_an_item_that_nobody_voted_on_is_told(self):
        found = Classes(("angry", "sad")).targets(labelled("sad", "sad"), votes(("i1", "sad"), ("i0", None)))
        assert np.isnan(found.values[0]).all()
        assert found.reasons[0] == "no vote on 'emotion'"
        assert found.skipped == 1

    def test_a_nearly_named_dimension_is_not_passed_over(self):
        with pytest.raises(InputError, match=r"no votes on 'emotion'; did you mean 'emotion_voice'\?.*own labels"):
            Classes(("angry", "sad")).targets(labelled("sad"), votes(("i0", "sad"), dimension="emotion_voice"))

    def test_a_label_outside_names_itself_its_count_and_the_remedy(self):
        with pytest.raises(InputError) as error:
            Classes(("angry", "sad")).targets(labelled("sad", "calm", "calm", "bored"))
        assert "labels 'calm' (2 items), 'bored' (1 item) are outside the classes angry, sad" in str(error.value)
        assert "label map" in str(error.value)
        assert 'others = "leave_out"' in str(error.value)

    def test_or_it_is_left_out_and_counted(self):
        found = Classes(("angry", "sad"), others="leave_out").targets(labelled("sad", "calm", "calm", None))
        assert found.usable.tolist() == [True, False, False, False]
        assert found.left_out == {"label 'calm' is left out": 2, "no label": 1}

    def test_a_map_to_no_class_is_told_with_the_word_that_it_leads_to(self):
        items, own = labelled("wut", "trauer", "trauer", "ekel", "calm"), {"wut": "angry", "trauer": "traurig"}
        with pytest.raises(InputError) as error:
            Classes(("angry", "sad")).targets(items, label_map={**own, "calm": ""})
        told = "labels 'trauer' (by the map 'traurig', 2 items), 'ekel' (1 item) are outside the classes angry, sad; "
        assert str(error.value).startswith(told + "map them to a class, or to '' to leave them out, in the label map")
        found = Classes(("angry", "sad"), others="leave_out").targets(items, label_map={**own, "calm": ""})
        assert found.left_out == {
            "label 'trauer' (by the map 'traurig') is left out": 2,
            "label 'ekel' is left out": 1,
            "label 'calm' is left out": 1,
        }
        chain = {"trauer": "kummer", "kummer": "traurig"}  # of a corpus's map, and that of a recipe
        with pytest.raises(
            InputError, match=r"^label 'trauer' \(by the map 'traurig', 1 vote\) is outside the classes"
        ):
            Classes(("angry", "sad")).targets(labelled(None), votes(("i0", "trauer")), label_map=chain)

    def test_a_stray_vote_inside_does_not_make_a_certain_target(self):
        space = Classes(("angry", "sad"), others="leave_out")
        rows = (
            [("i0", "disgust")] * 8 + [("i0", "angry")] + [("i1", "disgust")] + [("i1", "angry")] * 3 + [("i1", "sad")]
        )
        found = space.targets(labelled(None, None), votes(*rows))
        assert np.isnan(found.values[0]).all()
        assert found.reasons[0] == "the most voted label is left out"
        assert found.values[1].tolist() == [0.75, 0.25]

    def test_an_equal_lead_outside_leaves_the_item_out(self):
        space = Classes(("angry", "sad"), others="leave_out")
        assert not space.targets(labelled(None), votes(("i0", "disgust"), ("i0", "sad"))).usable.any()

    def test_the_map_merges_leaves_out_and_comes_before_names(self):
        space = Classes(("angry", "happy"), label_map={"excited": "happy", "calm": ""})
        found = space.targets(labelled("exc", "excited", "calm", "wut"), label_map={"wut": "angry"})
        assert found.values[[0, 1, 3]].tolist() == [[0, 1], [0, 1], [1, 0]]
        assert found.reasons[2] == "label 'calm' is left out"

    def test_the_corpus_map_leads_on_into_the_map_of_the_space(self):
        space = Classes(("low", "high"), label_map={"angry": "high", "sad": "low"})
        assert space.targets(labelled("w", "t"), label_map={"w": "angry", "t": "sad"}).values.tolist() == [
            [0, 1],
            [1, 0],
        ]

    def test_a_map_may_swap_and_may_not_hang(self):
        swap = {"angry": "sad", "sad": "angry"}
        assert Classes(("angry", "sad"), label_map=swap).targets(labelled("angry")).values.tolist() == [[0, 1]]
        with pytest.raises(InputError, match="outside the classes"):
            Classes(("angry", "sad"), others="error").targets(labelled("a"), label_map={"a": "b", "b": "a"})

    def test_classes_may_be_named_as_people_name_them(self):
        found = Classes(("anger", "joy")).targets(labelled("ang", "happiness"))
        assert found.values.tolist() == [[1, 0], [0, 1]]

    @pytest.mark.parametrize(
        ("names", "message"), [(("a",), "two names or more"), ((), "none"), (("a", "b", "a"), "'a' is named twice")]
    )
    def test_names_are_checked(self, names, message):
        with pytest.raises(InputError, match=message):
            Classes(names)

    def test_a_map_to_no_class_is_refused(self):
        with pytest.raises(InputError, match=r"leads 'exc' to 'hapy', which is no class; legal: happy, sad"):
            Classes(("happy", "sad"), label_map={"exc": "hapy"})

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["angry", "sad", "bored", "calm"])), max_size=40))
    def test_equals_a_loop(self, cast):
        found = Classes(("angry", "sad"), others="leave_out").targets(
            labelled(*["angry"] * 5), votes(("i9", "angry"), *[(f"i{k}", e) for k, e in cast])
        )
        for item in range(5):
            given_votes = [e for k, e in cast if k == item]
            inside = [given_votes.count(e) for e in ("angry", "sad")]
            if max(inside) > max(given_votes.count(e) for e in ("bored", "calm")):
                np.testing.assert_allclose(found.values[item], np.array(inside) / sum(inside))
            else:
                assert np.isnan(found.values[item]).all()
                assert pd.notna(found.reasons[item])


class TestPoles:
    def test_a_rating_is_split_between_the_ends(self):
        items = pd.DataFrame({"id": [f"i{k}" for k in range(5)]})
        found = Poles().targets(items, votes(*[(f"i{k}", str(k + 1)) for k in range(5)], dimension="valence"))
        assert found.values.tolist() == [[1, 0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0, 1]]

    @pytest.mark.parametrize("ratings", [(3,), (1, 5), (1, 2, 3, 4, 5), (2, 2, 5), (1, 4, 4), (2.5, 3.5), (2.9, 3.1)])
    def test_a_mean_in_the_middle_is_exactly_tied(self, ratings):
        found = Poles().targets(
            pd.DataFrame({"id": ["a"]}), votes(*[("a", str(r)) for r in ratings], dimension="valence")
        )
        assert found.values.tolist() == [[0.5, 0.5]]

    @given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    def test_the_mean_of_the_votes_is_the_vote_of_the_mean(self, ratings):
        items = pd.DataFrame({"id": ["a"]})
        single = Poles().targets(items, votes(*[("a", str(r)) for r in ratings], dimension="valence")).values
        mean = float(Fraction(sum(ratings), len(ratings)))
        assert np.array_equal(single, Poles().targets(items, votes(("a", repr(mean)), dimension="valence")).values)
        exact = [float(sum((Fraction(5 - r, 4) for r in ratings), Fraction(0)) / len(ratings))]
        np.testing.assert_allclose(single[:, 0], exact, rtol=0, atol=2e-16)

    def test_no_such_ratings(self):
        ratings = pd.concat([votes(("a", "3"), dimension=d) for d in ("valence", "dominance")])
        with pytest.raises(
            InputError, match=r"no ratings of 'valance'; did you mean 'valence'\? it has: dominance, valence"
        ):
            Poles().targets(pd.DataFrame({"id": ["a"]}), ratings, "valance")
        with pytest.raises(InputError, match="it has: none at all"):
            Poles().targets(pd.DataFrame({"id": ["a"]}))

    def test_unrated_items_are_told(self):
        found = Poles().targets(pd.DataFrame({"id": ["a", "b"]}), votes(("a", "3"), dimension="valence"))
        assert found.left_out == {"no rating of 'valence'": 1}

    def test_the_scale_is_the_callers(self):
        space = Poles(("calm", "excited"), low=0, high=100)
        found = space.targets(pd.DataFrame({"id": ["a"]}), votes(("a", "25"), dimension="arousal"), "arousal")
        assert found.values.tolist() == [[0.75, 0.25]]
        assert space.names == ("calm", "excited")

    @pytest.mark.parametrize("ends", [(5, 1), (1, 1), (float("nan"), 5), (1, float("inf"))])
    def test_ends_are_checked(self, ends):
        with pytest.raises(InputError, match="low must be less than high"):
            Poles(low=ends[0], high=ends[1])


class TestLevels:
    def test_a_threshold_belongs_to_the_level_above(self):
        items = pd.DataFrame({"id": list("abcd")})
        space = Levels(("low", "mid", "high"), thresholds=(2.5, 3.5))
        found = space.targets(
            items, votes(*zip("abcd", ["2.49", "2.5", "3.49", "3.5"]), dimension="arousal"), "arousal"
        )
        assert found.values.argmax(1).tolist() == [0, 1, 1, 2]
        assert (found.values.sum(1) == 1).all()

    def test_the_mean_is_cut_not_the_single_rating(self):
        space = Levels(thresholds=(3,))
        found = space.targets(pd.DataFrame({"id": ["a"]}), votes(("a", "1"), ("a", "4"), dimension="v"), "v")
        assert found.values.tolist() == [[1, 0]]
        assert space.names == ("below 3", "3 and above")

    def test_a_column_of_the_items_may_be_cut_where_nobody_rates_it(self):
        items = labelled("x", "y", "z").assign(age=[31.5, None, 70.0])
        found = Levels(thresholds=(40,)).targets(items, None, "age")
        assert found.values[[0, 2]].tolist() == [[1, 0], [0, 1]]
        assert found.numbers[[0, 2]].tolist() == [31.5, 70]
        assert found.left_out == {"no age": 1}
        assert found.source == "label"
        rated = Levels(thresholds=(40,)).targets(items, votes(("i0", "50"), dimension="age"), "age")
        assert rated.numbers[0] == 50  # people come first
        assert rated.source == "ratings"
        told = "no ratings of 'height', nor its items such a column; ratings: none at all; columns of numbers: age"
        with pytest.raises(InputError, match=told):
            Levels(thresholds=(40,)).targets(items, None, "height")
        told = r"no ratings of 'agee', nor .*; did you mean 'age'\? ratings: valence; columns of numbers: age"
        with pytest.raises(InputError, match=told):
            Levels(thresholds=(40,)).targets(items, votes(("i0", "50"), dimension="valence"), "agee")

    def test_a_scale_that_is_not_cut_is_one_level(self):
        found = Uncut().targets(labelled("3", None, "1e3"))
        assert found.values[[0, 2]].tolist() == [[1], [1]]
        assert found.numbers[[0, 2]].tolist() == [3, 1000]
        assert found.left_out == {"no label": 1}

    def test_names_have_as_many_digits_as_tell_them_apart(self):
        assert Levels(thresholds=(1000000.25, 1000000.5)).names == (
            "below 1000000.2",
            "1000000.2 to 1000000.5",
            "1000000.5 and above",
        )
        assert Levels(thresholds=(0.1 + 0.2, 0.5)).names[0] == "below 0.3"

    def test_own_labels_may_be_numbers(self):
        found = Levels(("young", "old"), thresholds=(40,)).targets(labelled("39", "40", None))
        assert found.values[:2].tolist() == [[1, 0], [0, 1]]
        assert found.left_out == {"no label": 1}
        with pytest.raises(InputError, match=r"item 'i0'.* the value 'old'"):
            Levels(("young", "old"), thresholds=(40,)).targets(labelled("old"))

    def test_named_levels_are_read_in_their_order_whatever_their_spelling(self):
        found = Levels(("3", "4", "5")).targets(labelled("5", "3.0", "4"))
        assert found.values.argmax(1).tolist() == [2, 0, 1]

    @pytest.mark.parametrize(
        ("names", "thresholds", "message"),
        [
            (("a", "b"), (1, 2), "2 thresholds cut a scale into 3 levels, but 2 are named"),
            ((), (2, 2), "increase strictly"),
            ((), (), "at least one"),
            ((), (float("nan"),), "finite"),
            ((), None, "two names or more"),
        ],
    )
    def test_faults(self, names, thresholds, message):
        with pytest.raises(InputError, match=message):
            Levels(names, thresholds)


@pytest.mark.parametrize("space", [Classes(("a", "b", "c")), Levels(("a", "b", "c")), Poles()])
def test_ground_distance_is_a_metric(space):
    d = ground_distance(space)
    assert (d == d.T).all()
    assert (np.diag(d) == 0).all()
    assert (d[~np.eye(len(d), dtype=bool)] > 0).all()
    assert (d[:, :, None] + d[None] >= d[:, None, :].swapaxes(1, 2)).all()


def test_ground_distance_knows_order_only_where_there_is_one():
    assert ground_distance(Levels(tuple("abcd")))[0].tolist() == [0, 1, 2, 3]
    assert ground_distance(Classes(tuple("abcd")))[0].tolist() == [0, 1, 1, 1]


def check_rows(found: Targets):
    np.testing.assert_allclose(found.values[found.usable].sum(1), 1, atol=1e-12)
    assert found.reasons.isna().to_numpy().tolist() == found.usable.tolist()


@pytest.mark.real
def test_crema_d_votes_are_the_published_shares(real_data):
    table = (
        pd.read_csv(real_data / "speech/cremad_votes/votes.csv").query("condition == 'voice'").reset_index(drop=True)
    )
    letters = list("ADFHNS")
    counts = table[letters].to_numpy()
    row, column = np.nonzero(counts)
    single = np.repeat(np.arange(len(row)), counts[row, column])
    ratings = pd.DataFrame({"item": table["id"].to_numpy()[row[single]], "dimension": "emotion", "rater": None,
                            "value": np.array(letters)[column[single]]})  # fmt: skip
    names = ("angry", "disgusted", "fearful", "happy", "neutral", "sad")
    found = Classes(names).targets(table, ratings, label_map=dict(zip(letters, names)))
    check_rows(found)
    np.testing.assert_array_equal(found.values, counts / counts.sum(1, keepdims=True))
    majority = Classes(names, soft=False).targets(table, ratings, label_map=dict(zip(letters, names))).values
    for shares, published in zip(majority, table["emoVote"]):
        assert {letters[k] for k in np.flatnonzero(shares)} == set(published.split(":"))


@pytest.mark.real
def test_emobank_ratings_and_their_means_give_the_same_targets(real_data):
    single = pd.read_parquet(real_data / "text/emobank/ratings_train_dev.parquet")
    published = pd.read_parquet(real_data / "text/emobank/emobank_train_dev.parquet")
    ratings = pd.DataFrame(
        {"item": single["id"], "rater": None, "dimension": "valence", "value": single["V"].astype("string")}
    )
    found = Poles().targets(published, ratings)
    check_rows(found)
    means = single.groupby("id")["V"].mean().reindex(published["id"])
    of_means = pd.DataFrame(
        {"item": means.index, "rater": "mean", "dimension": "valence", "value": means.map(repr).to_numpy()}
    )
    assert np.array_equal(found.values, Poles().targets(published, of_means).values)
    assert (found.values[means.to_numpy() == 3] == 0.5).all()
    assert (means == 3).sum() > 1000


@pytest.mark.real
def test_iemocap_has_means_off_its_own_scale(real_data):
    parts = [pd.read_parquet(real_data / f"multimodal/iemocap/iemocap_session{k}.parquet") for k in range(1, 6)]
    turns = pd.concat(parts, ignore_index=True).rename(columns={"utterance_id": "id"})
    mean = turns["valence"].astype(float)
    ratings = pd.DataFrame({"item": turns["id"], "rater": "mean", "dimension": "valence", "value": mean.map(repr)})
    with pytest.raises(InputError, match=r"rater 'mean' gave 'valence' the value '5\.5' \(and 3 more"):
        Poles().targets(turns, ratings)
    legal = mean.between(1, 5)
    found = Poles().targets(turns, ratings[legal])
    check_rows(found)
    np.testing.assert_array_equal(found.values[legal, 1], (mean[legal] - 1) / 4)
    assert found.left_out == {"no rating of 'valence'": 4}
    assert ((found.values[legal] == 0.5).all(1) == (mean[legal] == 3)).all()
