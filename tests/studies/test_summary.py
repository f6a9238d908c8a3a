"""A study with a known truth is judged by that truth, and what cannot be compared is not."""

import numpy as np
import pandas as pd
import pytest

from affectspace.studies import open_study, summarise
from affectspace.studies.statistics import one_way_anova, tukey


@pytest.fixture(scope="module")
def planted(make_study):
    """KL knows more than CE, JS as much; on the second split all know the same."""
    first, second = "one", "two"
    skills = {"CE": 0.5, "KL": {first: 1.3, second: 0.5}, "JS": 0.5}
    return open_study(make_study(skills, (first, second), 8, items=400, epochs=0))


def test_planted_effects_are_found_and_no_others(planted):
    first, second = summarise(planted)
    verdicts = {row.recipe: row.verdict for row in first.rows}
    assert (verdicts["CE"], verdicts["KL"]) == ("", "above")
    kl = next(row for row in first.rows if row.recipe == "KL")
    # The true gap of a logit of 1.3 to one of 0.5 in the chance to be right, which is what UAR is here.
    truth = 1 / (1 + np.exp(-1.3)) - 1 / (1 + np.exp(-0.5))
    assert kl.change[0] == pytest.approx(truth, abs=0.05)
    assert kl.speakers.low < kl.change[0] < kl.speakers.high
    assert kl.speakers_and_seeds.low <= kl.speakers.low + 0.01
    assert first.anova.p < 0.001
    assert first.best == ("KL",)
    assert first.others[0].recipe == "KL"
    assert second.anova.p > 0.001


def test_figures_are_those_of_the_runs(planted):
    summary = summarise(planted)[0]
    runs = planted.runs[planted.runs["split"] == "one"]
    groups = [runs.loc[runs["recipe"] == name, "uar"].to_numpy() for name in planted.recipes]
    assert summary.anova == one_way_anova(groups)
    assert summary.tukey == tukey(groups)
    for row, group in zip(summary.rows, groups):
        assert (row.mean, row.uar.sd, row.uar.n) == pytest.approx((group.mean(), group.std(ddof=1), 8))
        assert row.seconds == pytest.approx(12.35)
    assert summary.chance == pytest.approx(runs["chance_uar"].mean())
    assert summary.items == 400
    assert np.isnan(summary.base.p)
    assert summary.base.difference is None


def test_equal_recipes_are_seldom_told_apart(make_study):
    """Sixty splits on which two recipes know the same: chance finds a few."""
    splits = [f"split {i}" for i in range(60)]
    results = open_study(make_study({"CE": 0.5, "KL": 0.5}, splits, 4, items=30, speakers=3))
    # Seeds of one recipe share the hardness of items with the other, as runs on one test set do.
    assert sum(row.verdict in {"above", "below"} for each in summarise(results) for row in each.rows) <= 8


def test_other_items_are_not_compared(make_study):
    results = open_study(make_study({"CE": 0.5, "KL": 0.9}, seeds=2, items=40, details={"KL": {"items": 30}}))
    (summary,) = summarise(results)
    assert summary.obstacles[0] == (
        "Set apart, as not judged on the items of CE: KL (without 10 of 40 items: boro/0030, boro/0031, boro/0032 and "
        "7 others)."
    )
    assert "leave what differs out of the corpus for all" in summary.obstacles[1]
    assert summary.chance == pytest.approx(results.runs.loc[results.runs["recipe"] == "CE", "chance_uar"].mean())
    assert summary.best == ()
    assert all(row.difference is None for row in summary.rows)
    assert summary.anova.reason == "the recipes were not judged on the same items"


def test_other_labels_and_other_classes_are_not_compared(make_study):
    results = open_study(make_study({"CE": 0.5, "KL": 0.9}, seeds=2, items=40, details={"KL": {"world": 3}}))
    assert "KL (on the same 40 items, with other labels)" in summarise(results)[0].obstacles[0]
    other = {"KL": {"classes": ("low", "high")}}
    results = open_study(make_study({"CE": 0.5, "KL": 0.9}, seeds=2, items=40, details=other))
    told = "KL (it tells low and high apart, CE negative and positive)"
    assert told in summarise(results)[0].obstacles[0]


def drop_item(folder, recipe, item, seeds):
    """As if one front end had refused a recording."""
    for seed in seeds:
        path = folder / f"runs/{recipe}/alva----boro/seed-{seed}/predictions.parquet"
        table = pd.read_parquet(path)
        table[table["item"] != item].to_parquet(path)


def test_only_who_lacks_an_item_is_set_apart(make_study):
    skills = {"CE": 0.5, "KL": 1.4, "JS": 2.0}
    folder = make_study(skills, seeds=3, items=110)
    (before,) = summarise(open_study(make_study({name: skills[name] for name in ("CE", "KL")}, seeds=3, items=110)))
    drop_item(folder, "JS", "boro/0042", range(3))
    (summary,) = summarise(open_study(folder))
    assert summary.apart == {"JS": "without 1 of 110 items: boro/0042"}
    assert (summary.obstacles, summary.tested, summary.best) == ((), ("CE", "KL"), ("KL",))
    # The others are compared as if it were not there.
    assert (summary.rows[:2], summary.tukey, summary.chance) == (before.rows, before.tukey, before.chance)
    assert (summary.rows[2].difference, summary.rows[2].verdict) == (None, "")
    assert summary.rows[2].mean > summary.rows[0].mean


def test_an_item_more_and_seeds_that_differ_set_apart_too(make_study):
    folder = make_study({"CE": 0.5, "KL": 0.6, "JS": 0.7, "PS": 0.7}, seeds=2, items=40)
    for recipe in ("CE", "KL"):
        drop_item(folder, recipe, "boro/0003", range(2))
    drop_item(folder, "PS", "boro/0003", range(1))
    (summary,) = summarise(open_study(folder))
    assert summary.apart == {"JS": "with 1 more: boro/0003", "PS": "on other items from seed to seed"}
    drop_item(folder, "CE", "boro/0004", range(1))
    (summary,) = summarise(open_study(folder))
    assert summary.obstacles[0] == "The seeds of CE were not judged on the same items."


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"speakers": 4}, "4 test speakers: too few to speak for others, which takes 5"),
        ({"speakers": 1}, "one test speaker: too few"),
        ({"speakers": 5}, ""),
    ],
)
def test_few_speakers_make_no_interval(make_study, settings, reason):
    (summary,) = summarise(open_study(make_study({"CE": 0.5, "KL": 0.9}, seeds=2, items=40, **settings)))
    assert summary.no_speakers.startswith(reason)
    assert (summary.rows[1].speakers is None) == bool(reason)


def test_an_unfinished_study_is_judged_by_what_there_is(make_study):
    folder = make_study(
        {"CE": 0.5, "KL": 0.9, "JS": 0.7}, seeds=4, items=60,
        without=lambda recipe, split, seed: recipe == "JS" or (recipe == "KL" and seed == 0),
    )  # fmt: skip
    (summary,) = summarise(open_study(folder))
    assert [row.uar.n for row in summary.rows] == [4, 3, 0]
    assert summary.tested == ("CE", "KL")
    assert summary.rows[1].paired.n == 3
    assert np.isnan(summary.rows[2].mean)


def test_without_the_baseline_or_alone(make_study):
    folder = make_study({"CE": 0.5, "KL": 0.9}, seeds=2, items=30, without=lambda recipe, *_: recipe == "CE")
    (summary,) = summarise(open_study(folder))
    assert summary.anova.reason == "only KL has finished runs"
    assert summary.rows[1].difference is None
    (nothing,) = summarise(open_study(make_study({"CE": 0.5}, seeds=2, without=lambda *_: True)))
    assert nothing.anova.reason == nothing.no_speakers == "no run is finished"


def test_transductive_recipes_are_known(make_study):
    folder = make_study({"CE": 0.5, "KL": 0.9}, seeds=2, items=30, details={"KL": {"transductive": True}})
    assert summarise(open_study(folder))[0].transductive == ("KL",)


def test_folds_are_judged_together(make_study):
    (summary,) = summarise(open_study(make_study({"CE": 0.5, "KL": 1.2}, seeds=3, folds=2, items=60)))
    assert summary.items == 120
    assert summary.rows[1].speakers.speakers == 20
