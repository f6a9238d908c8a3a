"""What each modality tells, and whether modalities match."""

import math
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from affectspace.report.compare import Comparison
from affectspace.report.panels import Panel
from affectspace.report.phrases import NONE, counted, percent
from affectspace.report.style import ACCENT, INK, WARM, figure_style
from affectspace.report.svg import inline_svg
from affectspace.report.ticks import PercentTicks

__all__ = ["matching_table", "modality_panels", "modality_table"]

# key, heading; all but the items are shares, of which higher is better
COLUMNS = (
    ("items", "items"),
    ("uar", "UAR"),
    ("chance_uar", "chance"),
    ("accuracy", "accuracy"),
    ("macro_f1", "macro F1"),
    ("weighted_f1", "weighted F1"),
    ("weighted_precision", "WAP"),
)
RECALLED = (1, 5, 10)
LETTERS = 27  # of a line beside a bar
GAP = 0.4  # of a bar, between subsets of as many modalities
MEANS = "means of the folds' figures, unlike the scores above: this run was trained before folds kept these answers"


def modality_table(comparison: Comparison) -> dict[str, Any] | None:
    """Headings, and a row for each subset of each run's modalities; None where no run has several."""
    rows = [
        (name, _joined(shown), [_cell(key, figures) for key, _ in COLUMNS])
        for run, name in zip(comparison.runs, comparison.names)
        for shown, figures in run.by_modality.items()
    ]
    return {"headings": [heading for _, heading in COLUMNS], "rows": rows} if rows else None


def matching_table(comparison: Comparison) -> dict[str, Any] | None:
    """Headings, and a row for each two modalities of each run: figures, each with that of chance, to stand below it.

    None where no run has two whose items meet.
    """
    keys = [*((f"recall_at_{k}", f"Recall@{k}") for k in RECALLED), ("linear_cka", "linear CKA")]
    rows = []
    for run, name in zip(comparison.runs, comparison.names):
        for pair, figures in run.matching.items():
            folds = figures.get("folds", math.nan)
            cells = [(_cell("items", figures), f"in {counted(int(folds), 'fold')}" if math.isfinite(folds) else "")]
            for key, _ in keys:
                value, chance = (figures.get(each, math.nan) for each in (key, f"chance_{key}"))
                show = _number if key == "linear_cka" else percent
                cells.append((show(value), f"chance {show(chance)}" if math.isfinite(chance) else ""))
            rows.append((name, _joined(pair), cells))
    headings = ["items", *(heading for _, heading in keys)]
    return {"headings": headings, "rows": rows, "folds": any(run.folds for run in comparison.runs)} if rows else None


def modality_panels(comparison: Comparison) -> list[Panel]:
    """UAR by each subset of modalities, each with the chance of its items, a panel a run that has several."""
    panels = []
    for place, (run, name) in enumerate(zip(comparison.runs, comparison.names)):
        if not (found := run.by_modality):
            continue
        with figure_style():
            figure = Figure(figsize=(3.7, 0.55 + 0.25 * _height(found)))
            _bars(figure.add_subplot(), found)
            told = "; ".join(
                f"{_joined(key)} {percent(each['uar'])}, chance {percent(each.get('chance_uar', math.nan))}"
                for key, each in found.items()
            )
            picture = inline_svg(figure, f"modalities-{place}", f"UAR of {name} by modality: {told}.")
        panels.append(Panel(name, picture, "" if run.pools_modalities else MEANS))
    return panels


def _bars(ax: Axes, found: dict[str, dict[str, float]]) -> None:
    """A bar for each subset, those of as many modalities together, with a mark at the chance of its own items."""
    most = max(key.count("+") for key in found)
    labels = ["\n".join(wrap(_joined(key), LETTERS, break_long_words=False)) for key in found]
    places, y, before = [], 0.0, 0
    for key, label in zip(found, labels):
        y += GAP * (key.count("+") != before)
        half = 0.5 + 0.3 * label.count("\n")
        places.append(y + half)
        y, before = y + 2 * half, key.count("+")
    for (key, figures), place in zip(found.items(), places):
        uar, chance = (figures.get(name, math.nan) for name in ("uar", "chance_uar"))
        width, plain = np.nan_to_num(uar), key.count("+") in {0, most}
        ax.barh(place, width, height=0.62, color=ACCENT, alpha=0.9 if plain else 0.5, lw=0)
        if math.isfinite(chance):
            for colour, thickness in (("white", 4.0), (WARM, 2.0)):
                ax.plot([chance, chance], [place - 0.42, place + 0.42], color=colour, lw=thickness, zorder=3)
        right = max(width, np.nan_to_num(chance))  # of the bar and of the mark, which else would strike the figure out
        ax.annotate(percent(uar), (right, place), (5, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set_yticks(places, labels)
    for key, tick in zip(found, ax.get_yticklabels()):
        tick.set_fontweight("bold" if key.count("+") == most else "normal")
    largest = max(
        value for each in found.values() for key in ("uar", "chance_uar") if (value := each.get(key, 0)) == value
    )
    ax.set(xlim=(0, min(1.0, 1.18 * max(largest, 0.1))), ylim=(y, 0), xlabel="UAR")
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.xaxis.set_major_formatter(PercentTicks())
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _height(found: dict[str, dict[str, float]]) -> float:
    """Of all bars, in those of one line."""
    lines = [len(wrap(_joined(key), LETTERS, break_long_words=False)) for key in found]
    return sum(1 + 0.6 * (each - 1) for each in lines) + GAP * max(key.count("+") for key in found)


def _joined(names: str) -> str:
    return names.replace("+", " + ")


def _cell(key: str, figures: dict[str, float]) -> str:
    value = figures.get(key, math.nan)
    return f"{value:,.0f}" if key == "items" and math.isfinite(value) else percent(value)


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) else NONE
