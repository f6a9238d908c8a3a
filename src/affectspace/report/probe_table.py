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
    """Headings, and a row for each question of each run; None where no run has answered any."""
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
    }


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else NONE
