"""What recipes reach with other speakers, on a study's page and in its tables."""

import re

import numpy as np
import pandas as pd
import pytest

from affectspace.metrics.speaker_intervals import figure_interval
from affectspace.report import write_tables
from affectspace.report.reached import reached_rows
from affectspace.report.study_words import answers
from affectspace.studies import open_study, summarise


@pytest.fixture(scope="module")
def planted(make_study):
    return open_study(make_study({"CE": 0.5, "KL": 1.4}, ("one",), 3, items=200))


def test_each_recipe_has_the_interval_of_its_own_runs(planted, tmp_path):
    (split,) = summarise(planted)
    table = pd.read_parquet(write_tables(planted, tmp_path)["table.parquet"]).set_index("recipe")
    for name in ("CE", "KL"):
        tallies = [each.tally for each in planted.judged(name, "one")]
        row = next(row for row in split.rows if row.recipe == name)
        for metric in ("uar", "macro_f1"):
            value, interval = row.reached[metric]
            assert interval == figure_interval(tallies, metric, seeds=True)
            assert value == planted.runs[planted.runs["recipe"] == name][metric].mean()
            assert interval.low < value < interval.high
            told = table.loc[name, [f"{metric}_reached_low", f"{metric}_reached_high"]]
            assert told.tolist() == [interval.low, interval.high]
        assert table.loc[name, "speakers"] == row.reached["uar"][1].speakers


def test_rows_and_markdown_say_over_how_much(planted, tmp_path):
    rows = reached_rows(summarise(planted))
    assert [(split, recipe) for split, recipe, _ in rows] == [("one", "CE"), ("one", "KL")]
    for _, _, cells in rows:
        assert re.fullmatch(r"\d\d\.\d", cells[0])
        assert re.fullmatch(r"\d\d\.\d to \d\d\.\d", cells[1])
        assert re.fullmatch(r"\d+ speakers and 3 seeds", cells[4])
    lines = write_tables(planted, tmp_path)["figures.md"].read_text(encoding="utf-8").splitlines()
    assert f"| one | CE | {' | '.join(rows[0][2])} |" in lines


def test_a_recipe_alone_is_told_with_its_interval(make_study):
    (split,) = summarise(open_study(make_study({"CE": 0.5}, seeds=2, items=100)))
    first = answers(split)[0]
    assert re.search(r"\(95\s% interval over \d+ speakers and 2 seeds: \d\d\.\d to \d\d\.\d\)\.$", first)


def test_too_few_speakers_have_no_interval_and_the_reason_stands_there(make_study, tmp_path):
    results = open_study(make_study({"CE": 0.5, "KL": 0.9}, seeds=2, items=60, speakers=3))
    splits = summarise(results)
    why = "3 test speakers: too few to speak for others, which takes 5"
    assert {(cells[1], cells[3], cells[4]) for _, _, cells in reached_rows(splits)} == {("–", "–", why)}
    table = pd.read_parquet(write_tables(results, tmp_path)["table.parquet"])
    assert np.isnan(table["uar_reached_low"]).all()
    assert np.isfinite(table["macro_f1"]).all()
    assert table["speakers"].isna().all()


def test_a_recipe_that_is_always_right_has_no_interval_and_says_why(make_study, tmp_path):
    results = open_study(make_study({"CE": 0.9, "KL": 99.0}, seeds=2, items=100))
    splits = summarise(results)
    other, right = (cells for _, _, cells in reached_rows(splits))
    assert right == ["100.0", "–", "100.0", "–", "the same without any one of the speakers"]
    assert re.fullmatch(r"\d+ speakers and 2 seeds", other[4])
    table = pd.read_parquet(write_tables(results, tmp_path)["table.parquet"]).set_index("recipe")
    assert np.isnan(table.loc["KL", "uar_reached_low"])
    assert np.isfinite(table.loc["CE", "uar_reached_low"])
