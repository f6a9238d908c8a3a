"""The oracle is a loop over the ratings, one by one."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.labels.votes import judgements, mean_ratings, vote_shares


def table(rows, dimension="valence"):
    """Ratings from (item, rater, value)."""
    frame = pd.DataFrame(rows, columns=["item", "rater", "value"], dtype="string")
    return frame.assign(dimension=dimension).astype("string")


ratings = st.lists(st.tuples(st.sampled_from("abcz"), st.none() | st.sampled_from("xy"), st.none() | st.integers(1, 5)))


@given(ratings)
def test_mean_equals_a_loop(rows):
    items = pd.DataFrame({"id": list("abcd")})
    given_values, skipped = defaultdict(list), 0
    for item, _, value in rows:
        if item in "abcd" and value is None:
            skipped += 1
        elif value is not None:
            given_values[item].append(value)
    mean, count = mean_ratings(
        items, table([(i, r, None if v is None else str(v)) for i, r, v in rows]), "valence", 1, 5
    )
    expected = [np.mean(given_values[item]) if given_values[item] else np.nan for item in "abcd"]
    np.testing.assert_allclose(mean, expected, rtol=1e-15)
    assert count == skipped


def test_missing_values_in_any_form_are_skipped_and_counted():
    items = pd.DataFrame({"id": ["a"]})
    mean, skipped = mean_ratings(
        items, table([("a", "x", "2"), ("a", "y", None), ("a", "z", "nan"), ("a", "w", "NaN")]), "valence"
    )
    assert mean == [2]
    assert skipped == 3


def test_numbers_need_not_be_text():
    frame = pd.DataFrame({"item": ["a", "a"], "rater": ["x", "y"], "dimension": "valence", "value": [1, 4]})
    assert mean_ratings(pd.DataFrame({"id": ["a"]}), frame, "valence", 1, 5)[0] == [2.5]


def test_other_dimensions_and_items_do_not_count():
    mixed = pd.concat([table([("a", "x", "2"), ("b", "x", "77")]), table([("a", "x", "5")], "dominance")])
    assert mean_ratings(pd.DataFrame({"id": ["a"]}), mixed, "valence", 1, 5)[0] == [2]


@pytest.mark.parametrize("value", ["0.99", "5.5", "inf", "-inf", "1e400", "three", "", "4,5"])
def test_a_value_off_the_scale_names_item_rater_value_and_scale(value):
    items = pd.DataFrame({"id": ["a", "b"]})
    with pytest.raises(InputError) as error:
        mean_ratings(items, table([("a", "x", "3"), ("b", "E2", value)]), "valence", 1, 5)
    assert f"item 'b': rater 'E2' gave 'valence' the value {value!r}" in str(error.value)
    assert "from 1 to 5" in str(error.value)
    assert "correct or remove" in str(error.value)


def test_an_unnamed_rater_is_called_so_and_further_faults_are_counted():
    with pytest.raises(InputError, match=r"an unnamed rater gave 'valence' the value '9' \(and 1 more"):
        mean_ratings(pd.DataFrame({"id": ["a"]}), table([("a", None, "9"), ("a", None, "8")]), "valence", 1, 5)


def test_an_id_that_occurs_twice_is_refused():
    with pytest.raises(InputError, match="item id 'a' occurs more than once"):
        mean_ratings(pd.DataFrame({"id": ["a", "a"]}), table([("a", "x", "3")]), "valence")


def test_a_hundred_thousand_ratings_are_read_in_bulk(monkeypatch):
    """One conversion of the whole column, whatever its length."""
    calls = []
    convert = pd.to_numeric
    monkeypatch.setattr(pd, "to_numeric", lambda *a, **k: calls.append(1) or convert(*a, **k))
    items = pd.DataFrame({"id": [f"i{k}" for k in range(10_000)]})
    frame = pd.DataFrame({"item": np.repeat(items["id"], 10), "rater": "x", "dimension": "valence", "value": "4"})
    mean, _ = mean_ratings(items, frame, "valence", 1, 5)
    assert (mean == 4).all()
    assert len(calls) == 1


@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1))
def test_shares_sum_to_one_and_majorities_are_the_leaders(counts):
    votes = np.array(counts)
    voted = votes.sum(1) > 0
    soft, hard = vote_shares(votes), vote_shares(votes, soft=False)
    np.testing.assert_allclose(soft[voted].sum(1), 1)
    assert np.isnan(soft[~voted]).all()
    assert np.isnan(hard[~voted]).all()
    for row, shares in zip(votes[voted], hard[voted]):
        leaders = row == row.max()
        np.testing.assert_allclose(shares, leaders / leaders.sum())


def test_judgements_keep_who_said_what():
    found = judgements(table([("a", "x", "1"), ("a", None, None), ("b", None, "2")]), "valence")
    assert found.items.tolist() == ["a", "b"]
    assert found.raters.tolist() == ["x", None]
    assert found.missing.tolist() == ["a"]
