"""Every term is drawn in its own unit, and none that had nothing to learn from as a perfect fit."""

import json

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

from affectspace.report.compare import Comparison
from affectspace.report.term_panels import TERMS, term_curve, term_panels, term_words, terms_after_epochs
from affectspace.training.run import Run


def table(**terms):
    return pd.DataFrame(terms, index=pd.Index([1, 2], name="epoch"))


def axes():
    return matplotlib.figure.Figure().add_subplot()


@pytest.fixture
def run(make_run):
    path = make_run("several", "several", items=20, epochs=2, snapshots=())
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for row, empty in zip(rows, (4, 3)):
        row["terms"] |= {"matching": 0.25, "unlabelled.matching": 0.0}
        row["batches"] = 4
        row["taught_nothing"] = {"matching": {"batches": empty}, "unlabelled.matching": {"batches": 4}}
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Run(path)


def test_terms_keep_their_unit_and_are_dashed_without_labels():
    ax = axes()
    term_curve(ax, "matching", table(**{"matching": [4.0, 2.0], "unlabelled.matching": [0.5, -2.0]}))
    labelled, unlabelled, zero = ax.lines
    assert labelled.get_ydata().tolist() == [4.0, 2.0]
    assert unlabelled.get_ydata().tolist() == [0.5, -2.0]
    assert set(zero.get_ydata()) == {0}
    assert (labelled.get_linestyle(), unlabelled.get_linestyle()) == ("-", "--")
    assert ax.get_title(loc="left") == "matching"
    assert [each.get_text() for each in ax.texts] == [TERMS["matching"]]


def test_an_epoch_of_empty_batches_alone_is_a_gap(run):
    found = terms_after_epochs(run)
    assert np.isnan(found["matching"][1])
    assert found["matching"][2] == 0.25
    assert found["unlabelled.matching"].isna().all()


def test_a_term_that_learned_nothing_is_named_and_not_drawn(run):
    (panel,) = term_panels(Comparison((run,)))
    assert panel.note == "matching, unlabelled learned nothing from any batch, and has no line"
    assert "matching, unlabelled learned nothing" in str(panel.picture)
    ax = axes()
    term_curve(ax, "consistency", table(**{"unlabelled.consistency": [np.nan, np.nan]}))
    assert not ax.lines
    assert ax.texts[-1].get_text() == "learned nothing"


def test_a_second_term_of_a_kind_has_the_words_of_the_first():
    ax = axes()
    term_curve(ax, "matching_2", table(matching_2=[1.0, 0.5]))
    assert ax.texts[0].get_text() == TERMS["matching"]
    assert term_words("unlabelled.pseudo_labels") == "pseudo labels, unlabelled"
