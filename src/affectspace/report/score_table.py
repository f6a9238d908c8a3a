"""The table of scores of a report: a row a run, with what its figures would be with other speakers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from affectspace.metrics.speaker_intervals import figure_interval, no_figure_interval
from affectspace.report.compare import Comparison
from affectspace.report.phrases import NONE, PERCENT, counted, ends, listed, percent

__all__ = ["Cell", "score_table"]

# key, heading, which way is better, whether it is told in per cent
COLUMNS = (
    ("uar", "UAR", "higher", True),
    ("chance_uar", "chance", None, True),
    ("accuracy", "accuracy", "higher", True),
    ("macro_f1", "macro F1", "higher", True),
    ("weighted_f1", "weighted F1", "higher", True),
    ("jensen_shannon", "Jensen-Shannon", "lower", False),
    ("ece", "ECE", "lower", False),
    ("similarity_rho", "similarity ρ", "higher", False),
    ("similarity_error", "similarity error", "lower", False),
)
ORDERED = (  # figures of classes that stand in an order, for which the weighted F1 makes room
    ("within_one", "within one", "higher", True),
    ("mean_absolute_error", "levels off", "lower", False),
    ("spearman", "order ρ", "higher", False),
)
VALUES = (  # of classes that numbers were cut into: in the numbers' own unit, which levels off would only repeat
    ("within_one", "within one", "higher", True),
    ("value_mean_absolute_error", "mean absolute error", "lower", False),
    ("value_spearman", "rank correlation", "higher", False),
    ("value_r2", "R²", "higher", False),
)


@dataclass(frozen=True)
class Cell:
    """A figure in words, whether it is the best of its column, and what stands small below it."""

    text: str
    best: bool = False
    below: tuple[str, ...] = ()


def score_table(comparison: Comparison) -> dict[str, Any]:
    """Headings with their direction, and a row of cells a run."""
    figures = [run.scores(split) for run, split in zip(comparison.runs, comparison.splits)]
    of_values = any("value_r2" in scores for scores in figures)
    ordered = any(key in scores for scores in figures for key, *_ in ORDERED)
    in_order = VALUES if of_values else ORDERED
    columns = (*COLUMNS[:4], *in_order, *COLUMNS[5:]) if ordered else COLUMNS
    geometries = {run.metrics.get("geometry") for run in comparison.runs}
    best = {}
    for key, _, better, _ in columns:
        known = [f[key] for f in figures if math.isfinite(f.get(key, math.nan))]
        same_measure = not key.startswith("similarity") or len(geometries) == 1
        if comparison.comparable and len(known) > 1 and better and same_measure:
            best[key] = max(known) if better == "higher" else min(known)
    rows = []
    sides = zip(comparison.runs, comparison.names, comparison.splits, figures, comparison.tallies)
    for run, name, split, scores, counted_by in sides:
        cells = []
        for key, _, _, share in columns:
            value = scores.get(key, math.nan)
            text = _figure(value, share)
            below = []
            if key in ("uar", "macro_f1") and counted_by and (found := figure_interval([counted_by], key)):
                below.append(ends(found.low, found.high))
            validated = run.scores("validate").get("uar", math.nan)
            if key == "uar" and split == "test" and math.isfinite(validated):
                below.append(f"validation {percent(validated)}")
            # Figures that print alike are equally good.
            cells.append(Cell(text, key in best and text == _figure(best[key], share), tuple(below)))
        epochs = run.selected_epochs
        selected = NONE if not epochs else str(epochs[0]) if len(set(epochs)) == 1 else f"{min(epochs)}–{max(epochs)}"
        seconds = run.timing.get("seconds")
        cells += [Cell(selected), Cell(NONE if seconds is None else f"{seconds:,.0f}")]
        folds = f"{counted(len(run.folds), 'fold')} pooled" if run.folds else ""
        rows.append((name, ", ".join(filter(None, [folds, "" if split == "test" else "validation items"])), cells))
    headings = [(heading, {"higher": "↑", "lower": "↓", None: ""}[better]) for _, heading, better, _ in columns]
    return {
        "headings": [*headings, ("epoch", ""), ("seconds", "")],
        "rows": rows,
        "any_best": bool(best),
        "ordered": ordered,
        "of_values": of_values,
        "speakers": _speaker_words(comparison),
        "geometries": sorted(str(g) for g in geometries if g is not None),
    }


def _speaker_words(comparison: Comparison) -> str:
    """What the intervals below figures say, or why there are none."""
    known = [each for each in comparison.tallies if each is not None]
    why = [[no_figure_interval([each], metric) for metric in ("uar", "macro_f1")] for each in known]
    reasons = [*dict.fromkeys(reason for own in why for reason in own if reason)]
    shown = {len(each.speakers) for each, own in zip(known, why) if "" in own}
    if not shown:
        return f"There is no interval for other speakers: {listed(reasons)}." if reasons else ""
    told = counted(shown.pop(), "speaker") if len(shown) == 1 else "speakers"
    return (
        f"Small below UAR and macro F1 is where they lie with other speakers like these {told} "
        f"(95{PERCENT} interval), for this very model; another seed would move them, too."
        + (f" Where there is none: {listed(reasons)}." if reasons else "")
    )


def _figure(value: float, share: bool) -> str:
    if share or not np.isfinite(value):
        return percent(value)
    return f"{value:.3f}".replace("-", "−")
