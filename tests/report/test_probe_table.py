"""What the space knows of speakers, and how sure the figures are, on the page of runs."""

import json

import pandas as pd
import pytest

from affectspace.metrics.speaker_intervals import figure_interval
from affectspace.report import write_report
from affectspace.report.compare import Comparison
from affectspace.report.phrases import ends
from affectspace.report.probe_table import probe_table
from affectspace.report.score_table import score_table
from affectspace.studies.speakers import tally_of
from affectspace.training.final_figures import over_speakers
from affectspace.training.run import Run

KNOWN = "what the space knows of speakers and languages"


@pytest.fixture
def plain(make_run):
    return Run(make_run("plain", "plain", items=60, epochs=1, snapshots=()))


@pytest.fixture
def probed(make_run):
    path = make_run("probed", "probed", items=60, epochs=1, snapshots=())
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["probes_not_finite"] = {"train": {"items": 7, "of": 1207}}
    metrics["probes"] = {
        "same_class": {"before": 0.3, "after": None, "chance": 0.25, "items": 1200},
        "speaker": {
            "before": 0.8,
            "after": 0.512,
            "before_by_neighbours": 0.7,
            "after_by_neighbours": 0.6,
            "chance": 0.1,
            "groups": 10,
            "items": 1000,
        },
    }
    (path / "metrics.json").write_text(json.dumps(metrics))
    return Run(path)


def test_each_question_has_a_row_with_chance_beside(probed, plain):
    table = probe_table(Comparison((plain, probed)))
    assert table["rows"] == [
        ("probed", "speakers",
         ["80.0\u202f%", "51.2\u202f%", "70.0\u202f%", "60.0\u202f%", "10.0\u202f%", "10", "1,000"]),
        ("probed", "nearest of other languages that are of the same class",
         ["30.0\u202f%", "–", "–", "–", "25.0\u202f%", "–", "1,200"]),
    ]  # fmt: skip
    assert len(table["headings"]) == 7
    assert probe_table(Comparison((plain,))) is None


def test_the_page_has_the_table_only_where_something_was_asked(probed, plain, tmp_path):
    page, other = (write_report([run], tmp_path / f"{run.name}.html").read_text() for run in (probed, plain))
    assert "Who speaks, and in which language" in page
    assert "51.2\u202f%" in page
    assert f"Features or embeddings of 7 of 1,207 training items are not finite: {KNOWN} is told without" in page
    assert "Who speaks, and in which language" not in other
    assert "not finite" not in other


def test_the_page_says_that_no_item_was_finite_where_there_is_no_table(plain, tmp_path):
    metrics = json.loads((plain.path / "metrics.json").read_text())
    metrics |= {"probes": {}, "probes_not_finite": {"train": {"items": 1207, "of": 1207}}}
    (plain.path / "metrics.json").write_text(json.dumps(metrics))
    page = write_report([Run(plain.path)], tmp_path / "page.html").read_text()
    assert "Who speaks, and in which language" not in page
    told = f"Features or embeddings of 1,207 of 1,207 training items are not finite: nothing is told of {KNOWN}; look"
    assert told in page


def test_figures_stand_with_their_interval_over_speakers(plain):
    comparison = Comparison((plain,))
    tallied = tally_of(plain.evaluated())
    table = score_table(comparison)
    ((_, _, cells),) = table["rows"]
    for place, metric in ((0, "uar"), (3, "macro_f1")):
        found = figure_interval([tallied], metric)
        assert ends(found.low, found.high) in cells[place].below
    assert f"like these {len(tallied.speakers)} speakers (95\u202f% interval)" in table["speakers"]


def test_few_speakers_have_none_and_the_page_says_so(make_run):
    path = make_run("few", "few", items=60, epochs=1, snapshots=())
    table = pd.read_parquet(path / "predictions.parquet")
    table.assign(speaker=[f"s{row % 3}" for row in range(len(table))]).to_parquet(path / "predictions.parquet")
    run = Run(path)
    table = score_table(Comparison((run,)))
    assert not any("to" in line for line in table["rows"][0][2][0].below)
    assert table["speakers"] == (
        "There is no interval for other speakers: 3 test speakers: too few to speak for others, which takes 5."
    )


def test_a_run_that_is_always_right_has_none_and_the_page_and_metrics_say_so(make_run):
    path = make_run("right", "right", items=60, epochs=1, snapshots=())
    table = pd.read_parquet(path / "predictions.parquet")
    table.assign(probabilities=table["target"]).to_parquet(path / "predictions.parquet")
    run = Run(path)
    tallied = tally_of(run.evaluated())
    why = f"the figure is the same without any one of the {len(tallied.speakers)} test speakers, which tells nothing of"
    assert over_speakers(tallied) == {"speakers": len(tallied.speakers), "none": f"{why} others"}
    table = score_table(Comparison((run,)))
    assert not any("to" in line for cell in table["rows"][0][2] for line in cell.below)
    assert table["speakers"] == f"There is no interval for other speakers: {why} others."
    beside = score_table(Comparison((run, Run(make_run("other", "other", items=60, epochs=1, snapshots=())))))
    assert beside["speakers"].startswith("Small below UAR and macro F1 is where they lie")
    assert beside["speakers"].endswith(f" Where there is none: {why} others.")
