"""The table from labels to losses: on the command line, as JSON, and in the docs, saying the same."""

import json
import re
import sys
from pathlib import Path

import pytest

import affectspace.losses
from affectspace.cli.app import main
from affectspace.losses.guide import GUIDE, LABELS

DOCS = Path(__file__).parents[2] / "docs/losses.md"


def run(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["affectspace", "losses", *arguments])
    try:
        main()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


@pytest.mark.parametrize("labels", LABELS)
def test_labels_lead_to_the_losses_that_fit(monkeypatch, capsys, labels):
    assert run(monkeypatch, labels, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    told = answer["losses"]
    assert told
    assert [row["term"] for row in told] == [row.term for row in GUIDE if labels in row.labels]
    assert run(monkeypatch, labels) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{row['term']} " in shown for row in told)
    assert "next:" in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_other_labels_are_refused_with_those_there_are(monkeypatch, capsys):
    assert run(monkeypatch, "emotions") == 2
    assert '"modalities"' in capsys.readouterr().err


def test_the_guide_names_classes_that_can_be_imported():
    for row in GUIDE:
        assert row.module in affectspace.losses.__all__
        assert set(row.labels) <= set(LABELS)


def test_the_docs_hold_the_same_table():
    table = re.findall(r"^\| `(\w+)` \| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", DOCS.read_text(), re.M)
    assert table == [(r.term, r.module, ", ".join(r.labels), r.use, r.time, r.memory) for r in GUIDE]
