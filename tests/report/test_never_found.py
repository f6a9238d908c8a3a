"""A mean over classes hides one of which nothing is found, so the page says it first."""

import numpy as np
import pandas as pd

from affectspace.report.compare import Comparison
from affectspace.report.phrases import PERCENT
from affectspace.training import Run


def test_a_class_of_which_no_item_is_found_stands_behind_the_headline(make_run):
    path = make_run("blind", "blind", items=60, epochs=1, snapshots=(), hard=True)
    run = Run(path)
    first, second, *_ = run.classes
    assert not any("recall 0" in told for told in Comparison((run,)).answer())
    table = pd.read_parquet(path / "predictions.parquet")
    blind = np.stack(list(table["probabilities"]))
    blind[:, 1] = 0
    table["probabilities"] = list(blind / blind.sum(1, keepdims=True))
    table.to_parquet(path / "predictions.parquet")
    answer = Comparison((Run(path),)).answer()
    assert answer[0].startswith("blind reaches ")
    assert answer[1] == f"blind finds no item of {second}: recall 0{PERCENT}."
    assert first not in answer[1]
