"""The average over splits is what the figures of all splits say together, and stands only where they can."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from affectspace.metrics.speaker_intervals import figure_interval, speaker_interval
from affectspace.report.study import write_study_report
from affectspace.report.study_tables import entry, table_markdown, write_tables
from affectspace.report.study_words import answers
from affectspace.studies import open_study, summarise
from affectspace.studies.over_splits import AVERAGE, with_average

OWN = {"one": {"corpus": "alva", "world": 3}, "two": {"corpus": "boro", "world": 4}}  # items and speakers of its own
SKILLS = {"CE": 0.5, "KL": {"one": 1.4, "two": 0.9}, "JS": 0.5}


@pytest.fixture(scope="module")
def planted(make_study):
    return open_study(make_study(SKILLS, ("one", "two"), 6, items=300, by_split=OWN))


def averaged(results):
    return with_average(results, summarise(results))


def test_the_average_is_the_mean_over_splits_seed_by_seed(planted):
    *splits, average = averaged(planted)
    assert [split.split for split in splits] == ["one", "two"]
    table = planted.runs.pivot_table(index=["recipe", "seed"], columns="split", values="uar").mean(axis=1)
    for row in average.rows:
        own = table[row.recipe].to_numpy()
        assert (row.mean, row.uar.sd, row.uar.n) == pytest.approx((own.mean(), own.std(ddof=1), 6))
        assert row.mean == pytest.approx(
            np.mean([next(r.mean for r in s.rows if r.recipe == row.recipe) for s in splits])
        )
        assert row.reached["uar"][0] == pytest.approx(row.mean)
    kl, ce = table["KL"].to_numpy(), table["CE"].to_numpy()
    row = average.rows[1]
    assert row.change[0] == pytest.approx(kl.mean() - ce.mean())
    assert row.verdict == "above"
    assert row.paired.p == pytest.approx(stats.ttest_rel(kl, ce).pvalue)
    assert (average.items, average.chance) == (600, pytest.approx(np.mean([split.chance for split in splits])))


def test_its_intervals_are_over_the_speakers_of_all_splits(planted):
    *splits, average = averaged(planted)
    for name, row in zip(planted.recipes, average.rows):
        tallies = [[each.tally for each in planted.judged(name, split.split)] for split in splits]
        parts = [figure_interval(each) for each in tallies]
        interval = row.reached["uar"][1]
        assert (interval.speakers, interval.seeds) == (20, 6)
        # Of independent tests of one size the half widths of the mean are about the root of the sum of squares, halved.
        halves = [(each.high - each.low) / 2 for each in parts]
        assert (interval.high - interval.low) / 2 == pytest.approx(np.hypot(*halves) / 2, rel=0.2)
        assert (interval.high + interval.low) / 2 == pytest.approx(row.mean)
    own, its = ([[j.tally for j in planted.judged(name, s.split)] for s in splits] for name in ("KL", "CE"))
    alone = [speaker_interval(one, other) for one, other in zip(own, its)]
    assert max(each.low for each in alone) - 0.05 < average.rows[1].speakers.low
    assert average.rows[1].speakers_and_seeds.low <= average.rows[1].speakers.low


def test_splits_that_share_items_have_none(make_study):
    """They differ in what they train on, such as in how much of it: no mean of them says anything."""
    results = open_study(make_study(SKILLS, ("one", "two"), 2, items=40))
    assert averaged(results) == summarise(results)


def test_one_split_and_an_unfinished_baseline_have_none(make_study):
    assert len(averaged(open_study(make_study({"CE": 0.5}, seeds=2, items=40)))) == 1
    waits = make_study(
        SKILLS, ("one", "two"), 2, items=40, by_split=OWN, without=lambda r, s, _: (r, s) == ("CE", "two")
    )
    assert [split.split for split in averaged(open_study(waits))] == ["one", "two"]


def test_seeds_and_recipes_that_lack_a_split_do_not_count(make_study):
    def without(recipe, split, seed):
        return (recipe, split) == ("JS", "two") or (recipe, split, seed) == ("KL", "one", 1)

    results = open_study(make_study(SKILLS, ("one", "two"), 3, items=60, by_split=OWN, without=without))
    *_, average = averaged(results)
    counts = {row.recipe: row.uar.n for row in average.rows}
    assert counts == {"CE": 3, "KL": 2, "JS": 0}
    assert average.tested == ("CE", "KL")
    runs = results.runs[(results.runs["recipe"] == "KL") & (results.runs["seed"] != 1)]
    assert average.rows[1].mean == pytest.approx(runs["uar"].mean())
    assert average.rows[2].difference is None
    told = table_markdown([*summarise(results), average])
    assert "| average | 50.0 |" in told.replace("**", "")
    assert "| – | 2–3 of 3 |" in told


def test_shared_speakers_are_told(make_study):
    """Two splits of one corpus, of other items of the same people: a mean, and no interval over speakers."""
    folder = make_study({"CE": 0.5, "KL": 0.9}, ("one", "two"), 2, items=60)
    for path in folder.glob("runs/*/two/*/predictions.parquet"):
        table = pd.read_parquet(path)
        table.assign(item=table["item"] + "b").to_parquet(path)
    *_, average = averaged(open_study(folder))
    assert average.no_speakers == "several splits test items of the same speakers"
    assert average.rows[1].speakers is None
    assert average.rows[0].reached["uar"][1] is None


def test_a_run_without_uar_leaves_its_recipe_without_a_figure(make_study, tmp_path):
    folder = make_study({"CE": 0.5, "KL": 0.9, "JS": 0.7}, ("one", "two"), 3, items=60, by_split=OWN)
    path = folder / "runs/KL/two/seed-1/metrics.json"
    said = json.loads(path.read_text())
    said["test"]["uar"] = None
    path.write_text(json.dumps(said))
    results = open_study(folder)
    *splits, average = averaged(results)
    ce, kl, js = average.rows
    assert np.isnan(kl.mean)
    assert kl.difference is None
    assert entry(average, kl).about == entry(splits[1], splits[1].rows[1]).about == "a figure is not a number"
    assert js.change[0] == pytest.approx(js.mean - ce.mean)
    write_tables(results, tmp_path)
    write_study_report(results, tmp_path / "report.html")


def test_who_has_no_average_is_told_why(make_study):
    def without(recipe, split, seed):
        torn = {"one": seed < 2, "two": seed >= 2}  # of four seeds two on either split
        return (recipe, split) == ("JS", "two") or (recipe == "KL" and torn[split])

    *_, average = averaged(
        open_study(
            make_study({"CE": 0.5, "KL": 0.9, "JS": 0.4}, ("one", "two"), 4, items=60, by_split=OWN, without=without)
        )
    )
    assert [entry(average, row).about for row in average.rows[1:]] == [
        "no seed is finished on every split", "not compared on two",
    ]  # fmt: skip
    assert average.tukey.reason == "only CE has finished runs on every split"
    assert answers(average)[-1] == "No other recipe has an average."


def test_splits_of_other_classes_have_none(make_study):
    """A mean of one among two classes and one among three is a figure of nothing."""
    other = {"one": OWN["one"], "two": OWN["two"] | {"classes": ("angry", "happy", "sad")}}
    results = open_study(make_study({"CE": 0.5, "KL": 0.9}, ("one", "two"), 2, items=60, by_split=other))
    assert averaged(results) == summarise(results)


def test_a_split_that_is_called_average_is_a_split(make_study, tmp_path):
    own = {"one": OWN["one"], AVERAGE: OWN["two"]}
    results = open_study(make_study({"CE": 0.5, "KL": 0.9}, ("one", AVERAGE), 2, items=60, by_split=own))
    splits = averaged(results)
    assert [(split.split, split.average) for split in splits] == [("one", False), (AVERAGE, False)]
    written = write_tables(results, tmp_path)
    assert "The average is the mean over the splits" not in written["table.md"].read_text()
    assert "on a split the same" not in written["figures.md"].read_text()


def test_summaries_at_hand_are_taken_as_they_are(planted, tmp_path):
    """So that nothing is computed twice: without the average in them there is none on the page or in a table."""
    given = averaged(planted)
    for summaries in (given, given[:-1]):
        told = write_tables(planted, tmp_path, summaries)["table.md"].read_text()
        page = write_study_report(planted, tmp_path / "report.html", summaries=summaries).read_text()
        assert ("| average |" in told) == ("KL is above CE on average" in page) == (summaries is given)
    assert write_tables(planted, tmp_path)["table.md"].read_text() == table_markdown(given)


def test_it_stands_in_tables_and_on_the_page(planted, tmp_path):
    paths = write_tables(planted, tmp_path)
    assert "| average |" in paths["table.md"].read_text()
    assert (
        "The average is the mean over the splits, each counting alike, seed by seed." in paths["table.md"].read_text()
    )
    assert list(pd.read_parquet(paths["table.parquet"])["split"].unique()) == ["one", "two", AVERAGE]
    page = write_study_report(planted, tmp_path / "report.html").read_text()
    assert "KL is above CE on average: +" in page
    assert page.index("on average") < page.index("on one")
