"""What each modality tells and whether modalities match, and what terms say of items with a label and without."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from affectspace.report.compare import Comparison
from affectspace.report.figures import short
from affectspace.report.panels import Panel
from affectspace.report.phrases import NONE, percent
from affectspace.report.study_figures import apart
from affectspace.report.style import ACCENT, CLASS_COLOURS, GREY, INK, figure_style
from affectspace.report.svg import inline_svg

__all__ = ["matching_table", "modality_panels", "modality_table", "term_curves", "term_panels", "term_words"]

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
UNLABELLED = "unlabelled."  # what terms of unlabelled items begin with


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
            cells = [(_cell("items", figures), "")]
            for key, _ in keys:
                value, chance = (figures.get(each, math.nan) for each in (key, f"chance_{key}"))
                show = _number if key == "linear_cka" else percent
                cells.append((show(value), f"chance {show(chance)}" if math.isfinite(chance) else ""))
            rows.append((name, _joined(pair), cells))
    return {"headings": ["items", *(heading for _, heading in keys)], "rows": rows} if rows else None


def modality_panels(comparison: Comparison) -> list[Panel]:
    """UAR by each subset of modalities beside chance, a panel a run that has several."""
    panels = []
    for place, (run, name) in enumerate(zip(comparison.runs, comparison.names)):
        if not (found := run.by_modality):
            continue
        with figure_style():
            figure = Figure(figsize=(3.5, 0.75 + 0.3 * len(found)))
            _bars(figure.add_subplot(), {key: each["uar"] for key, each in found.items()}, _chance(found))
            told = "; ".join(f"{_joined(key)} {percent(each['uar'])}" for key, each in found.items())
            picture = inline_svg(figure, f"modalities-{place}", f"UAR of {name} by modality: {told}.")
        panels.append(Panel(name, picture, "means of the folds' figures" if run.folds else ""))
    return panels


def term_panels(comparison: Comparison) -> list[Panel]:
    """What every term says after each epoch, a panel a run that has trained on unlabelled items."""
    panels = []
    for place, (run, name) in enumerate(zip(comparison.runs, comparison.names)):
        curves = {
            str(key).removeprefix("terms."): column.to_numpy(float)
            for key, column in run.epochs.items()
            if str(key).startswith("terms.") and np.isfinite(column.to_numpy(float)).any()
        }
        if not any(key.startswith(UNLABELLED) for key in curves):
            continue
        with figure_style():
            figure = Figure(figsize=(5.2, 2.9))
            term_curves(figure.add_subplot(), run.epochs.index.to_numpy(), curves)
            told = "; ".join(f"{term_words(key)} ends at {_number(values[-1])}" for key, values in curves.items())
            picture = inline_svg(figure, f"terms-{place}", f"Terms of {name} after each epoch: {told}.")
        panels.append(Panel(name, picture, "mean of the folds" if run.folds else ""))
    return panels


def term_curves(ax: Axes, epochs: np.ndarray, curves: dict[str, np.ndarray]) -> None:
    """Terms after each epoch, each as a share of its own largest size; those of unlabelled items are dashed.

    Args:
        ax: where to draw.
        epochs: ``(n,)``.
        curves: ``(n,)`` values by the term's name; one colour for what a term says of either kind of items.
    """
    terms = list(dict.fromkeys(key.removeprefix(UNLABELLED) for key in curves))
    ends = []
    for key, values in curves.items():
        largest = np.nanmax(np.abs(values))
        shown = values / largest if largest else values
        colour = CLASS_COLOURS[terms.index(key.removeprefix(UNLABELLED)) % len(CLASS_COLOURS)]
        dash = (0, (4, 2)) if key.startswith(UNLABELLED) else "-"
        marker = {"marker": "o", "ms": 3} if len(epochs) == 1 else {}
        ax.plot(epochs, shown, color=colour, lw=1.7, ls=dash, **marker)
        ends.append((float(shown[np.isfinite(shown)][-1]), key, colour, dash))
    low = min(0.0, *(float(np.nanmin(line.get_ydata())) for line in ax.lines))  # pyright: ignore[reportArgumentType]
    limits = (low - 0.06, 1.06)
    ends.sort(key=lambda end: end[0])
    gap = 11.5 / (0.78 * 2.9 * 72) * (limits[1] - limits[0])
    for y, (_, key, colour, dash) in zip(apart([end[0] for end in ends], gap, limits), ends):
        mix = ("axes fraction", "data")
        line = {"arrowstyle": "-", "color": colour, "lw": 1.8, "ls": dash}
        ax.annotate("", (1.015, y), (1.085, y), xycoords=mix, arrowprops=line)
        ax.annotate(term_words(key), (1.1, y), xycoords=mix, va="center", color=INK)
    ax.axhline(0, color=GREY, lw=0.8, zorder=1)
    ax.set(ylim=limits, xlim=(epochs[0] - 0.5, epochs[-1] + 0.5), xlabel="epoch", ylabel="share of its largest")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MultipleLocator(0.5))
    ax.grid(axis="y")


def term_words(key: str) -> str:
    """The name of a term, as records have it, for people.

    Example:
        >>> term_words("unlabelled.matching"), term_words("cross_entropy")
        ('matching, unlabelled', 'cross-entropy')
    """
    name = key.removeprefix(UNLABELLED).replace("cross_entropy", "cross-entropy").replace("_", " ")
    return f"{name}, unlabelled" if key.startswith(UNLABELLED) else name


def _bars(ax: Axes, uar: dict[str, float], chance: float) -> None:
    values = np.nan_to_num(np.array([*uar.values()], dtype=float))
    ax.barh(range(len(uar)), values, height=0.62, color=ACCENT, alpha=0.85)
    for row, value in enumerate(uar.values()):
        ax.annotate(percent(value), (values[row], row), (4, 0), textcoords="offset points", va="center", fontsize=8)
    if math.isfinite(chance):
        ax.axvline(chance, color=GREY, lw=1.2, ls=(0, (1, 2)))
        ax.annotate("chance", (chance, 1), (3, -1), xycoords=("data", "axes fraction"), textcoords="offset points",
                    color="#57606a", fontsize=7.5, va="bottom")  # fmt: skip
    ax.set_yticks(range(len(uar)), [short(_joined(key), 26) for key in uar])
    ax.set(xlim=(0, min(1.0, 1.18 * max([*values, 0.1]))), ylim=(len(uar) - 0.5, -0.5), xlabel="UAR")
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _chance(found: dict[str, dict[str, float]]) -> float:
    """The chance of all subsets, where it is about the same for them; else there is no line to draw."""
    known = [each.get("chance_uar", math.nan) for each in found.values()]
    return float(np.mean(known)) if np.ptp(known) < 0.005 else math.nan


def _joined(names: str) -> str:
    return names.replace("+", " + ")


def _cell(key: str, figures: dict[str, float]) -> str:
    value = figures.get(key, math.nan)
    return f"{value:,.0f}" if key == "items" and math.isfinite(value) else percent(value)


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) else NONE
