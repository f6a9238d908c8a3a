"""The tables of few labels, on a study of a few answers whose figures can be counted."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "benchmarks/few_labels.py"
    spec = importlib.util.spec_from_file_location("few_labels_bench", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_run(folder, answers):
    """Two turns of each of two speakers, of the classes 0 and 1, and what is said of them."""
    folder.mkdir(parents=True)
    items = [f"iemocap/Ses01{who}_{kind}_{who}00{number}" for number, (who, kind) in enumerate(TURNS)]
    rows = {
        "item": items,
        "split": "test",
        "speaker": [f"iemocap/S1{who}" for who, _ in TURNS],
        "target": [*np.eye(2)[[0, 1, 0, 1]]],
        "probabilities": [*np.eye(2)[answers]],
    }
    pd.DataFrame(rows).to_parquet(folder / "predictions.parquet")


TURNS = [("F", "impro01"), ("F", "script01"), ("M", "impro01"), ("M", "impro02")]


@pytest.fixture
def study(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path / f"runs/alone/few/seed-{seed}/fold-00", [0, 1, 1, 0])  # right of her, wrong of him
        write_run(tmp_path / f"runs/other/few/seed-{seed}/fold-00", [0, seed, 0, 1])  # of her by seed, right of him
    return tmp_path


def test_figures_are_of_all_answers_of_a_seed(bench, study):
    found = bench.predictions(study)
    assert len(found) == 16
    figures = bench.by_seed(found, "UA")
    assert figures.to_dict() == {("alone", 0): 50, ("alone", 1): 50, ("other", 0): 75, ("other", 1): 100}
    lines = bench.table(found, "alone").splitlines()
    assert lines[2].startswith("| alone | 2 | 50.0 (50.0 to 50.0) | - | 50.0 (50.0 to 50.0) | - |")
    assert "| 87.5 (" in lines[3]
    assert "+37.5 (" in lines[3]


def test_a_speaker_is_answered_by_what_the_other_speaker_chooses(bench, study):
    found = bench.predictions(study)
    told = bench.chosen(found, "alone")
    # he chooses "other" for her, and she "alone" for him
    assert "| chosen | 2 |" in told
    chosen = next(line for line in told.splitlines() if line.startswith("| chosen"))
    assert "37.5" in chosen
