"""Raters, classes and items one judgement at a time, and raters whose habits are known."""

from collections import Counter
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from affectspace.labels import rater_agreement as module
from affectspace.labels.rater_agreement import OTHERS, class_agreement, divided_items, rater_agreement

FIVE = SimpleNamespace(low=1, high=5)


def table(rows):
    return pd.DataFrame(rows, columns=["item", "rater", "value"]).assign(dimension="d").astype("string")


@pytest.fixture
def ratings():
    """Some rate twice, some have no name, some are alone with an item."""
    generator = np.random.default_rng(0)
    names = np.array(["ann", "bo", "cy", None, "mean"], dtype=object)
    rows = [
        (f"i{item}", names[generator.integers(5)], str(generator.integers(1, 4)))
        for item in range(30)
        for _ in range(generator.integers(1, 6))
    ]
    return table(rows)


def by_item(ratings):
    kept = ratings[(ratings["rater"] != "mean").fillna(True)]
    return {
        item: list(zip(part["rater"].fillna("?"), part["value"])) for item, part in kept.groupby("item", sort=False)
    }


def test_raters_are_those_of_a_loop_over_pairs(ratings):
    found = rater_agreement(ratings, "d").set_index("rater")
    items = by_item(ratings)
    assert sorted(found.index) == ["ann", "bo", "cy"]
    for name in found.index:
        agreed, says, others, unlike = [], [], [], Counter()
        judged = [said for said in items.values() if any(who == name for who, _ in said)]
        for said in judged:
            mine = [value for who, value in said if who == name]
            rest = [value for who, value in said if who != name]
            if not rest:
                continue
            agreed.append(np.mean([a == b for a in mine for b in rest]))
            says.append([mine.count(value) / len(mine) for value in "123"])
            others.append([rest.count(value) / len(rest) for value in "123"])
            first = Counter(rest).most_common(2)
            if len(mine) == 1 and (len(first) == 1 or first[0][1] > first[1][1]) and first[0][0] != mine[0]:
                unlike[mine[0], first[0][0]] += 1
        chance = float(np.mean(says, 0) @ np.mean(others, 0))
        row = found.loc[name]
        assert (row["items"], row["shared"]) == (len(judged), len(agreed))
        assert row["agreement"] == pytest.approx(np.mean(agreed))
        assert row["chance"] == pytest.approx(chance)
        assert row["kappa"] == pytest.approx((np.mean(agreed) - chance) / (1 - chance))
        assert unlike[row["says"], row["others_say"]] == row["times"] == max(unlike.values())


def test_numbers_are_those_of_a_loop(ratings):
    found = rater_agreement(ratings, "d", FIVE).set_index("rater")
    items = by_item(ratings)
    for name in found.index:
        both = [
            (
                np.mean([float(v) for who, v in said if who == name]),
                np.mean([float(v) for who, v in said if who != name]),
            )
            for said in items.values()
            if any(who == name for who, _ in said) and any(who != name for who, _ in said)
        ]
        mine, rest = np.array(both).T
        assert found.loc[name, "shared"] == len(both)
        assert found.loc[name, "bias"] == pytest.approx((mine - rest).mean())
        assert found.loc[name, "correlation"] == pytest.approx(np.corrcoef(mine, rest)[0, 1])


def test_classes_are_those_of_a_loop_over_pairs(ratings):
    found = class_agreement(ratings, "d").set_index("class")
    said, total = {}, Counter()
    for values in by_item(ratings).values():
        if len(values) < 2:
            continue
        for (_, a), (_, b) in permutations(values, 2):
            said[a, b] = said.get((a, b), 0) + 1 / (len(values) - 1)
        total.update(value for _, value in values)
    for name in "123":
        row = found.loc[name]
        assert row["judgements"] == total[name]
        assert row["agreement"] == pytest.approx(said.get((name, name), 0) / total[name])
        against = {other: said.get((name, other), 0) for other in "123" if other != name}
        assert against[row["against"]] == pytest.approx(max(against.values()))
        assert row["against_share"] == pytest.approx(max(against.values()) / total[name])
        assert row["chance"] == pytest.approx((total[name] - 1) / (total.total() - 1))


def test_divided_items_are_those_of_a_loop_over_pairs(ratings):
    found = divided_items(ratings, "d", count=100)
    expected = {
        item: np.mean([a != b for (_, a), (_, b) in permutations(said, 2)])
        for item, said in by_item(ratings).items()
        if len(said) > 1
    }
    assert dict(zip(found["item"], found["divided"])) == pytest.approx({i: d for i, d in expected.items() if d})
    assert found["divided"].is_monotonic_decreasing
    spread = divided_items(ratings, "d", FIVE, count=100).set_index("item")["divided"]
    for item, said in by_item(ratings).items():
        values = [float(value) for _, value in said]
        assert spread.get(item, 0.0) == pytest.approx(np.std(values) if len(values) > 1 else 0.0)


def test_order_and_blocks_change_nothing(ratings, monkeypatch):
    whole = rater_agreement(ratings, "d")
    monkeypatch.setattr(module, "PAIRS", 4)
    pd.testing.assert_frame_equal(rater_agreement(ratings.sample(frac=1, random_state=1), "d"), whole)


def test_who_answers_at_random_has_no_kappa_and_who_is_careful_the_highest():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, 400)
    wrong = {"careful": 0.05, "so so": 0.3, "random": 1.0}
    rows = [
        (str(item), who, str(generator.integers(3) if generator.random() < share else value))
        for item, value in enumerate(truth)
        for who, share in wrong.items()
    ]
    found = rater_agreement(table(rows), "d")
    assert found["rater"].tolist() == ["random", "so so", "careful"]
    assert abs(found["kappa"][0]) < 0.1


def test_a_habit_is_named():
    rows = [
        (str(item), who, "sad" if who == "ann" or item % 4 else "angry")
        for item in range(40)
        for who in ("ann", "bo", "cy")
    ]
    ann = rater_agreement(table(rows), "d").iloc[0]
    assert (ann["rater"], ann["says"], ann["others_say"], ann["times"]) == ("ann", "sad", "angry", 10)
    assert ann["kappa"] == 0  # always the same word tells nothing


def test_nobody_to_agree_with():
    alone = rater_agreement(table([("a", "ann", "1"), ("b", "bo", "2")]), "d")
    assert alone["shared"].tolist() == [0, 0]
    assert alone["kappa"].isna().all()
    for empty in (table([]), table([("a", None, "1"), ("a", None, "2")])):
        assert rater_agreement(empty, "d").empty
        assert rater_agreement(empty, "d", FIVE).empty
    assert class_agreement(table([]), "d").empty
    assert divided_items(table([]), "d").empty


def test_words_of_their_own_are_counted_together():
    rows = [(str(item), who, f"word {item}") for item in range(150) for who in ("ann", "bo")]
    found = class_agreement(table(rows), "d")
    assert len(found) == 100
    assert found["class"][0] == OTHERS
