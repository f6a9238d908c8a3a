"""A class of which no item is tested: it changes neither side of UAR and chance, and every output tells of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.cli.tell import comparison, item_notes
from affectspace.metrics import chance_uar, uar
from affectspace.report import write_report
from affectspace.training import train, train_folds
from affectspace.training.remarks import remarks

TOLD = "No test item is of class {}: UAR, chance and F1 of them are means over the other {} classes."


@pytest.fixture
def halved(numbers):
    """Four levels of ``mine``, of which the test items show the lower two, and another corpus the lowest."""
    protocol = {"kind": "published", "unseen": ["other"], "allow": ["speaker"]}
    recipe = numbers(protocol=protocol, corpora=[{"path": "mine"}, {"path": "other"}])
    root = Path(recipe.data)
    mine, other = (pd.read_csv(root / name / "items.csv") for name in ("mine", "other"))
    low = np.flatnonzero(mine["value"] < mine["value"].median() - 0.5)
    mine["split"] = np.resize(["train", "train", "validate"], len(mine))
    mine.loc[low[::4], "split"] = "test"
    mine.to_csv(root / "mine" / "items.csv", index=False)
    other[other["value"] <= other["value"].min()].to_csv(root / "other" / "items.csv", index=False)
    return recipe


def test_chance_and_uar_are_of_the_same_classes_and_the_others_are_told(halved, tmp_path, capsys):
    run = train(halved, tmp_path / "run", quiet=True)
    answers = run.predictions.query("split == 'test'")
    truth = np.stack(list(answers["target"]))
    seen = truth.any(0)
    missing = [name for name, there in zip(run.classes, seen) if not there]
    assert 0 < len(missing) < 3
    assert run.scores()["chance_uar"] == chance_uar(truth) == 1 / seen.sum()
    assert uar(truth, np.full(len(truth), seen.argmax())) == run.scores()["chance_uar"]
    assert run.metrics["absent"]["test"] == missing
    assert len(run.metrics["absent"]["unseen.other"]) == len(run.classes) - 1
    told = TOLD.format(", ".join(missing), seen.sum())
    assert told in remarks(run)
    item_notes([run])
    assert f"note: {told}" in capsys.readouterr().out
    comparison([run])
    assert "above 1 / classes that occur" in " ".join(capsys.readouterr().out.split())
    page = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert told in page
    assert "No item of other is of class" in page


def test_nothing_is_told_where_every_class_is_tested_and_folds_tell_of_all_together(numbers, tmp_path):
    whole = {"kind": "grouped_folds", "by": "item", "folds": 2, "allow": ["speaker"]}
    run = train_folds(numbers(protocol=whole, corpora=[{"path": "mine"}]), tmp_path / "run", quiet=True)
    assert "absent" not in run.metrics
    assert remarks(run) == []
