"""Every set of items by itself: its figures of the space in a table, and how many neighbours validation items chose."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator, PercentFormatter

from affectspace.report.compare import Comparison
from affectspace.report.panels import Panel
from affectspace.report.phrases import NONE, counted, percent
from affectspace.report.style import ACCENT, WARM, figure_style
from affectspace.report.svg import inline_svg

__all__ = ["neighbour_curve", "neighbour_panels", "part_table"]

AXIS_POINTS = 165.0  # of a panel's x axis, between its first and its last number
DIGIT_POINTS = 5.6  # that a digit of a label is wide
# key, heading; all but the number of neighbours are shares, of which higher is better
COLUMNS = (
    ("uar", "UAR"),
    ("knn_k", "k"),
    ("knn_accuracy", "kNN accuracy"),
    ("knn_macro_f1", "kNN macro F1"),
    ("map_accuracy", "MAP accuracy"),
    ("map_macro_f1", "MAP macro F1"),
    ("nmi", "NMI"),
    ("reference_recall_at_1", "Recall@1"),
)


def part_table(comparison: Comparison) -> dict[str, Any] | None:
    """Headings, and a row for the validation, the test and each unseen corpus's items of each run.

    None where no run has measured its space or was tested on an unseen corpus: other tables say all of it.
    """
    rows, worth = [], False
    for run, name in zip(comparison.runs, comparison.names):
        parts = [("validation", run.scores("validate")), ("test", run.scores("test"))]
        parts += [(f"{corpus}, unseen", figures) for corpus, figures in run.unseen.items()]
        worth |= bool(run.unseen) or any("knn_accuracy" in figures for _, figures in parts)
        rows += [(name, part, [_cell(key, figures) for key, _ in COLUMNS]) for part, figures in parts if figures]
    return {"headings": [heading for _, heading in COLUMNS], "rows": rows} if worth else None


def neighbour_panels(comparison: Comparison) -> list[Panel]:
    """Macro F1 of validation items against how many neighbours vote, a panel for each run that has tried."""
    tried = [(name, run.neighbours) for name, run in zip(comparison.names, comparison.runs) if run.neighbours]
    values = [f1 for _, (_, curve) in tried for f1 in curve.values()]
    pad = max(0.06 * (max(values) - min(values)), 0.005) if values else 0.0
    panels = []
    for place, (name, (chosen, curve)) in enumerate(tried):
        with figure_style():
            figure = Figure(figsize=(3.5, 2.3))
            neighbour_curve(figure.add_subplot(), curve, chosen, (min(values) - pad, max(values) + pad))
            told = (
                f"Macro F1 of the validation items of {name} with {', '.join(map(str, curve))} neighbours: highest, "
                f"{percent(curve[chosen])}, with {chosen}."
            )
            picture = inline_svg(figure, f"neighbours-{place}", told)
        panels.append(Panel(name, picture, f"chosen: {counted(chosen, 'neighbour')}"))
    return panels


def neighbour_curve(ax: Axes, curve: dict[int, float], chosen: int, limits: tuple[float, float] | None = None) -> None:
    """Macro F1 against the number of neighbours that vote, the chosen one marked.

    Args:
        ax: where to draw; its x axis becomes logarithmic.
        curve: number of neighbours -> macro F1 in [0, 1].
        chosen: one of these numbers.
        limits: of the y axis, to share between panels.
    """
    numbers = np.array(sorted(curve))
    ax.plot(numbers, [curve[int(k)] for k in numbers], color=ACCENT, lw=1.6, marker="o", ms=3.2, zorder=3)
    ax.axvline(chosen, color=WARM, lw=0.8, alpha=0.6, zorder=2)
    ax.plot([chosen], [curve[chosen]], "D", ms=6, color=WARM, mec="white", mew=1, zorder=4)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(numbers.tolist()))
    ax.xaxis.set_major_formatter(FixedFormatter(_apart(numbers)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.set_xlabel("neighbours that vote")
    ax.set_ylabel("macro F1")
    if limits:
        ax.set_ylim(*limits)
    ax.grid(axis="y")


def _apart(numbers: np.ndarray) -> list[str]:
    """A label for every number that has room on a logarithmic axis, from the left; empty where it would touch one."""
    points = AXIS_POINTS / max(math.log10(numbers[-1] / numbers[0]), 0.1)
    labels, free = [], -math.inf
    for number in numbers.tolist():
        place, half = points * math.log10(number), DIGIT_POINTS * len(str(number)) / 2
        fits = place - half >= free
        labels.append(str(number) if fits else "")
        free = place + half + DIGIT_POINTS / 2 if fits else free
    return labels


def _cell(key: str, figures: dict[str, float]) -> str:
    value = figures.get(key, math.nan)
    if key == "knn_k":
        return NONE if math.isnan(value) else f"{value:.3g}"
    return percent(value)
