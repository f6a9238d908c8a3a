"""The table of each set of items, and the curve by which validation items chose how many neighbours vote."""

import json

import matplotlib.figure
import numpy as np
import pytest

from affectspace.report import write_report
from affectspace.report.compare import Comparison
from affectspace.report.space_panels import _apart, neighbour_curve, neighbour_panels, part_table
from affectspace.training.run import Run

CURVE = {"1": 0.4, "3": 0.52, "11": 0.61, "31": 0.58}
SPACE = {"knn_k": 11.0, "knn_accuracy": 0.71, "map_macro_f1": 0.63, "nmi": None}


@pytest.fixture
def run(make_run):
    path = make_run("space", "space", items=20, epochs=1, snapshots=())
    metrics = json.loads((path / "metrics.json").read_text())
    for part in ("validate", "test"):
        metrics[part] |= SPACE
    metrics["unseen"] = {"<ck+>": {"uar": 0.345, **SPACE}}
    metrics["neighbours"] = {"k": 11, "macro_f1": CURVE}
    (path / "metrics.json").write_text(json.dumps(metrics))
    return Run(path)


def test_every_set_of_items_has_a_row(run):
    table = part_table(Comparison((run,)))
    assert [part for _, part, _ in table["rows"]] == ["validation", "test", "<ck+>, unseen"]
    cells = dict(zip(table["headings"], table["rows"][-1][2]))
    assert cells["UAR"].startswith("34.5")
    assert (cells["k"], cells["NMI"], cells["Recall@1"]) == ("11", "–", "–")
    assert cells["MAP macro F1"].startswith("63.0")


def test_the_curve_marks_the_chosen_number():
    ax = matplotlib.figure.Figure().add_subplot()
    neighbour_curve(ax, {31: 0.58, 1: 0.4, 11: 0.61}, 11)
    line, _, mark = ax.lines
    assert line.get_xydata().tolist() == [[1, 0.4], [11, 0.61], [31, 0.58]]
    assert mark.get_xydata().tolist() == [[11, 0.61]]


def test_every_number_has_a_label_that_has_room():
    ax = matplotlib.figure.Figure().add_subplot()
    numbers = [1, 3, 5, 7, 11, 15, 21, 31, 45]
    neighbour_curve(ax, dict.fromkeys(numbers, 0.5), 11)
    assert ax.get_xticks().tolist() == numbers
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["1", "3", "5", "7", "11", "", "21", "31", "45"]
    assert _apart(np.array([5])) == ["5"]


def test_runs_that_have_not_tried_have_no_panel(run, make_run, tmp_path):
    plain = Run(make_run("plain", "plain", items=20, epochs=1, snapshots=()))
    assert [panel.title for panel in neighbour_panels(Comparison((plain, run)))] == ["space"]
    assert part_table(Comparison((plain,))) is None
    assert 'id="parts"' not in write_report([plain], tmp_path / "without.html").read_text(encoding="utf-8")


def test_the_page_tells_it(run, tmp_path):
    source = write_report([run], tmp_path / "with.html").read_text(encoding="utf-8")
    assert '<h2 id="parts">' in source
    assert "&lt;ck+&gt;, unseen" in source
    assert 'aria-label="Macro F1 of the validation items of space with 1, 3, 11, 31 neighbours: highest' in source
    assert "chosen: 11 neighbours" in source
