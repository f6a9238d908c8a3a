"""What a study cost, for its page: seconds of each recipe's runs, and of the whole."""

import numpy as np

from affectspace.report.phrases import NONE
from affectspace.studies.results import StudyResults

__all__ = ["costs", "spent"]


def costs(results: StudyResults) -> list[tuple[str, list[str]]]:
    """A row a recipe: runs, the median run, the least and the most, total, how much of the baseline's time.

    Medians, as the first run of each process carries its start: imports, opening the data, making features.
    """
    table, rows = results.runs, []
    by_split = table.groupby(["recipe", "split"])["seconds"].median()
    for name in results.recipes:
        its = table.loc[table["recipe"] == name, "seconds"].dropna()
        if not len(its):
            rows.append((name, ["0", NONE, NONE, NONE, NONE]))
            continue
        spread = f"{_time(float(its.min()))} to {_time(float(its.max()))}" if len(its) > 1 else NONE
        ratios = [
            by_split.get((name, split), np.nan) / by_split.get((results.baseline, split), np.nan)
            for split in results.splits
        ]
        there = [ratio for ratio in ratios if np.isfinite(ratio)]
        ratio = NONE if not there else "1" if name == results.baseline else f"{np.exp(np.mean(np.log(there))):.2f}"
        rows.append((name, [f"{len(its):,}", _time(float(its.median())), spread, _time(float(its.sum())), ratio]))
    return rows


def spent(results: StudyResults) -> list[tuple[str, str]]:
    """What the study took, and what had been predicted: label and words."""
    timing = results.timing
    seconds, predicted = timing.get("seconds"), timing.get("predicted_seconds")
    lines = []
    if seconds is not None:
        lines.append(("Wall time" if results.finished else "Wall time so far", _time(seconds)))
    if predicted is not None:
        compared = results.finished and seconds and predicted
        off = f" (it took {seconds / predicted:.2f} times that)" if compared else ""
        lines.append(("Predicted", _time(predicted) + off))
    if timing.get("processes") is not None:
        lines.append(("Processes", str(timing["processes"])))
    for key, label in (("grid_seconds", "Inner runs, together"), ("run_seconds", "Final runs, together")):
        if timing.get(key):  # there are none of a kind in many a study
            lines.append((label, _time(timing[key])))
    return lines


def _time(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    if seconds < 5940:
        return f"{seconds / 60:.1f} min" if seconds < 597 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"
