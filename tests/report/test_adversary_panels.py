"""An adversary's accuracy is drawn beside chance, for each run that has one."""

import json

import pytest

from affectspace.report.adversary_panels import adversary_panels
from affectspace.report.compare import Comparison
from affectspace.report.html import write_report
from affectspace.training.run import Run

ACCURACY = (0.5, 0.125)


@pytest.fixture
def make(make_run):
    def make(name: str, accuracy=ACCURACY, chance=0.1):
        path = make_run(name, name, items=20, epochs=2, snapshots=())
        rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for row, value in zip(rows, accuracy):
            row["figures"] = {"adversary.accuracy": value} | ({"adversary.chance": chance} if chance else {})
        (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return Run(path)

    return make


def test_the_accuracy_after_each_epoch_stands_beside_chance(make, monkeypatch):
    lines = []

    def plotted(figure, *_):
        lines.extend((line.get_xdata().tolist(), line.get_ydata().tolist()) for line in figure.axes[0].lines)
        return "<svg></svg>"

    monkeypatch.setattr("affectspace.report.adversary_panels.inline_svg", plotted)
    (panel,) = adversary_panels(Comparison((make("hides"),)))
    assert lines == [([1, 2], [0.1, 0.1]), ([1, 2], list(ACCURACY))]
    assert panel.note == "ends at 12.5 %, chance 10.0 %"
    assert panel.title == "hides: adversary"


def test_runs_without_an_adversary_or_without_its_chance_have_no_panel(make, make_run):
    plain = Run(make_run("plain", "plain", items=20, epochs=2, snapshots=()))
    assert adversary_panels(Comparison((plain, make("older", chance=None)))) == []


def test_a_page_shows_it_with_what_it_means(make, tmp_path):
    write_report([make("hides")], tmp_path / "page.html")
    words = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What adversaries still tell" in words
    alone = "of one that stays above the class may tell a part, which a linear adversary leaves alone, so that it is no"
    assert f"{alone} reason for more weight by itself" in words
    assert "accuracy after each epoch ends at 12.5 %, chance 10.0 %." in words


def test_a_linear_adversary_has_a_panel_that_names_its_groups(make_run):
    terms = [{"kind": "cross_entropy"}, {"kind": "linear_adversary", "groups": "speaker"}]
    path = make_run("linear", "linear", items=20, epochs=2, snapshots=())
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        row["figures"] = {"linear_adversary.accuracy": 0.5, "linear_adversary.chance": 0.1}
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = Run(path)
    run.recipe["terms"] = terms
    (panel,) = adversary_panels(Comparison((run,)))
    assert panel.title == "linear: linear adversary of speakers"
