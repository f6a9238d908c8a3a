"""An ensemble is the mean of the numbers that its runs predict of the same items."""

import json

import numpy as np
import pytest

from affectspace.cli.evaluate import evaluate
from affectspace.errors import InputError
from affectspace.labels import ensemble_value
from affectspace.metrics import value_scores
from affectspace.training import load_model, train
from affectspace.training.ensemble import averaged


@pytest.fixture
def runs(numbers, tmp_path):
    return [train(numbers(labels={"bins": bins}), tmp_path / f"bins-{bins}") for bins in (2, 3)]


def test_it_is_the_mean_of_the_expected_values(runs, capsys):
    found = averaged(runs)
    tests = [run.predictions.query("split == 'test'").sort_values("item") for run in runs]
    assert found["item"].tolist() == tests[0]["item"].tolist()
    probabilities = [np.stack(list(test["probabilities"])) for test in tests]
    expected = ensemble_value(probabilities, [load_model(run.path).cut.means for run in runs])
    assert found["predicted_value"].to_numpy() == pytest.approx(expected)
    evaluate(*(run.path for run in runs), ensemble=True, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["ensemble"] == {"items": 20, "scores": value_scores(found["value"], found["predicted_value"])}
    assert [run["test"]["uar"] for run in told["runs"]] == [run.metrics["test"]["uar"] for run in runs]
    evaluate(*(run.path for run in runs), ensemble=True)
    assert "ensemble of the 2 runs: 20 items" in capsys.readouterr().out


def test_runs_that_cannot_be_averaged(runs, numbers, tiny, tmp_path):
    with pytest.raises(InputError, match="1 run was given, and an ensemble is of two or more"):
        averaged(runs[:1])
    fold = train(numbers(protocol={"fold": 1}, name="fold"), tmp_path / "fold")
    with pytest.raises(InputError, match="fold and numbers were tested on other items; give runs of one protocol"):
        averaged([runs[0], fold])
    classes = train(tiny(training={"epochs": 1}), tmp_path / "classes")
    with pytest.raises(InputError, match="tiny predicts no numbers, which an ensemble averages"):
        averaged([runs[0], classes])
    with pytest.raises(InputError, match="leave out --corpus"):
        evaluate(runs[0].path, runs[1].path, corpus=tmp_path / "other", ensemble=True)
