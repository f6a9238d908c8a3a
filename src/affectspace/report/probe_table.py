"""What the space knows of speakers and languages, before the net and after it, in a table."""

import math
from typing import Any

from affectspace.report.compare import Comparison
from affectspace.report.phrases import NONE, percent

__all__ = ["probe_table"]

ASKED = {
    "speaker": "speakers",
    "speaker_in_corpus": "speakers, within each corpus",
    "language": "languages",
    "corpus": "corpora",
    "tested_speaker": "tested speakers, within each corpus",
    "same_class": "nearest of other languages that are of the same class",
    "tested_same_class": "the same of tested items among training items",
    "other_language": "nearest that are of another language",
}
SHARES = {
    "before": "features",
    "after": "embeddings",
    "before_by_neighbours": "features, by neighbours",
    "after_by_neighbours": "embeddings, by neighbours",
    "chance": "chance",
}
COUNTS = ("groups", "items")


def probe_table(comparison: Comparison) -> dict[str, Any] | None:
    """Headings, a row for each question of each run, and what was left out; None where no run has asked any."""
    rows = []
    for run, name in zip(comparison.runs, comparison.names):
        for key in sorted(run.probes, key=[*ASKED, *run.probes].index):
            figures = run.probes[key]
            shares = [percent(figures.get(each, math.nan)) for each in SHARES]
            counts = [_count(figures.get(each, math.nan)) for each in COUNTS]
            rows.append((name, ASKED.get(key, key), [*shares, *counts]))
    if not rows:
        return None
    return {
        "headings": [*SHARES.values(), *COUNTS],
        "rows": rows,
        "folds": any(run.folds for run in comparison.runs),
        "not_finite": [
            f"{name}: features or embeddings of {_count(lost)} items are not finite, and were left out"
            for run, name in zip(comparison.runs, comparison.names)
            if (lost := max((figures.get("not_finite") or 0 for figures in run.probes.values()), default=0))
        ],
    }


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else NONE
