"""The summary of a collection: planted groups, medoids by a plain loop, no picture twice."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.space.space import Space
from affectspace.space.summary import summarise


def album(seed=0, groups=6, sizes=(60, 50, 40, 30, 20, 10), dimensions=16, apart=9.0):
    rng = np.random.default_rng(seed)
    means = np.linalg.qr(rng.normal(size=(dimensions, groups)))[0].T * apart
    truth = rng.permutation(np.repeat(np.arange(groups), sizes))
    vectors = means[truth] + rng.normal(size=(len(truth), dimensions))
    return Space(pd.DataFrame({"id": [f"p/{row}" for row in range(len(truth))]}), vectors, ()), truth


@pytest.mark.parametrize("seed", range(3))
def test_planted_groups_are_shown_by_size(seed):
    space, truth = album(seed)
    found = summarise(space, groups=6, per_group=3, seed=seed)
    leaders = found.table[found.table["medoid"]]
    assert leaders["size"].tolist() == [60, 50, 40, 30, 20, 10]
    assert truth[leaders["row"]].tolist() == [0, 1, 2, 3, 4, 5]
    assert (found.table.groupby("group").size() == 3).all()
    assert (space.items["id"].iloc[found.table["row"]].to_numpy() == found.table["id"].to_numpy()).all()


def test_members_and_coverage_agree_with_a_plain_loop():
    space, _ = album(4)
    found = summarise(space, groups=4, per_group=4)
    lost = 0.0
    for group in range(4):
        rows = [row for row in range(len(space)) if found.assignment[row] == group]
        mean = np.mean([space.vectors[row].astype(float) for row in rows], axis=0)
        medoid = min(rows, key=lambda row: np.linalg.norm(space.vectors[row] - mean))
        near = sorted(rows, key=lambda row: np.linalg.norm(space.vectors[row] - space.vectors[medoid]))
        assert found.table.query("group == @group")["row"].tolist() == near[:4]
        lost += sum(np.linalg.norm(space.vectors[row] - space.vectors[medoid]) ** 2 for row in rows)
    centred = space.vectors - space.vectors.mean(0)
    assert found.coverage == pytest.approx(1 - lost / (centred**2).sum(), abs=1e-5)


def test_more_groups_cover_more():
    covered = [summarise(album()[0], groups=groups).coverage for groups in (1, 3, 6)]
    assert covered == sorted(covered)
    assert covered[-1] > 0.7


def test_bursts_are_shown_once():
    space, _ = album(1)
    rng = np.random.default_rng(0)
    burst = np.repeat(space.vectors, 4, axis=0) + 1e-3 * rng.normal(size=(4 * len(space), 16))
    items = pd.DataFrame({"id": np.arange(4 * len(space)).astype(str)})
    found = summarise(Space(items, burst, ()), groups=6, per_group=5)
    assert found.table["row"].floordiv(4).is_unique
    assert (found.table.groupby("group").size() == 5).all()


def test_items_that_are_all_alike_are_one_group_shown_once():
    found = summarise(Space(pd.DataFrame({"id": ["a", "b", "c"]}), np.ones((3, 2)), ()), groups=40)
    assert found.table.values.tolist() == [[0, 0, "a", 0, True, 3]]
    assert found.coverage == 1


def test_a_collection_smaller_than_its_summary_is_shown_whole():
    vectors = np.random.default_rng(0).normal(size=(7, 3))
    found = summarise(Space(pd.DataFrame({"id": list("abcdefg")}), vectors, ()), groups=40)
    assert sorted(found.table["id"]) == list("abcdefg")
    assert found.coverage == pytest.approx(1)
    assert found.table["medoid"].all()


def test_numbers_that_show_nothing():
    for given in ({"groups": 0}, {"per_group": 0}):
        with pytest.raises(InputError, match="is 0; a summary needs at least 1"):
            summarise(album()[0], **given)
