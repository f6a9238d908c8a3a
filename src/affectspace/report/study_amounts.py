"""UAR against how many labels, or how many unlabelled items, where a study's recipes or splits differ in that alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from affectspace.report import facts
from affectspace.report.panels import Panel
from affectspace.report.phrases import percent
from affectspace.report.study_facts import Examples
from affectspace.report.study_figures import recipe_look
from affectspace.report.style import GREY, figure_style
from affectspace.report.svg import inline_svg
from affectspace.report.ticks import PercentTicks
from affectspace.studies.results import StudyResults
from affectspace.studies.summary import SplitSummary
from affectspace.training.run import Run

__all__ = ["amount_curve", "amount_panels"]

# setting -> the record of data.json that tells how many items it came to, and what they are
AMOUNTS = {
    "training.labelled_share": ("labelled", "labelled training items"),
    "unlabelled.limit": ("unlabelled", "unlabelled items"),
}


@dataclass(frozen=True)
class _Line:
    """UAR over seeds at each amount, by recipe, or of all recipes where these are the amounts."""

    name: str
    key: str
    amounts: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    row: int


def amount_panels(results: StudyResults, splits: Sequence[SplitSummary]) -> list[Panel]:
    """A panel for each split whose recipes differ in an amount alone, and one for recipes whose splits do.

    Recipes of a split that were not judged on the same items have none.
    """
    alike = {split.split for split in splits if not split.obstacles and not split.apart}
    groups = [(split, [_line(results, split, [(name, split) for name in results.recipes], 0)]) for split in alike]
    groups = [(split, lines) for split, lines in sorted(groups, key=lambda group: results.splits.index(group[0]))]
    over = [
        _line(results, name, [(name, split) for split in results.splits if split in alike], row)
        for row, name in enumerate(results.recipes)
    ]
    groups.append(("over the splits", over))
    panels = []
    for place, (title, found) in enumerate(groups):
        lines = [line for line in found if line is not None]
        if not lines or len({line.key for line in lines}) > 1:
            continue
        with figure_style():
            figure = Figure(figsize=(5.2, 3.0))
            amount_curve(figure.add_subplot(), lines)
            told = "; ".join(
                f"{line.name}: " + ", ".join(f"{percent(y)} with {x:,.0f}" for x, y in zip(line.amounts, line.mean))
                for line in lines
            )
            what = AMOUNTS[lines[0].key][1]
            picture = inline_svg(figure, f"amounts-{place}", f"UAR against {what}. {told}.")
        panels.append(Panel(title, picture, f"UAR against {what}"))
    return panels


def amount_curve(ax: Axes, lines: Sequence[_Line]) -> None:
    """Mean UAR against amounts, bars of one standard deviation over seeds, a legend where there are several lines."""
    for line in lines:
        colour, marker = recipe_look(line.row)
        ax.errorbar(
            line.amounts, line.mean, line.sd, color=colour, marker=marker, ms=4.5, lw=1.6, elinewidth=1, capsize=2.5,
            mec="white", mew=0.6, label=line.name,
        )  # fmt: skip
    ax.set(xlabel=AMOUNTS[lines[0].key][1], ylabel="UAR")
    ax.set_xlim(left=0)
    ax.yaxis.set_major_formatter(PercentTicks())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.grid(axis="y")
    if len(lines) > 1:
        ax.legend(frameon=False, fontsize=8, edgecolor=GREY)


def _line(results: StudyResults, name: str, cells: Sequence[tuple[str, str]], row: int) -> _Line | None:
    """The line through cells (recipe, split), where these differ in a single amount and nothing else."""
    runs = [results.example(split, recipe) for recipe, split in cells]
    there = [(cell, run) for cell, run in zip(cells, runs) if run is not None]
    if len(there) < 2:
        return None
    examples = Examples(tuple(run for _, run in there), tuple(f"{recipe} {split}" for (recipe, split), _ in there))
    keys = [key for key, _, _ in facts.recipe_differences(examples)]
    if len(keys) != 1 or keys[0] not in AMOUNTS:
        return None
    points = []
    for (recipe, split), run in there:
        own = (results.runs["recipe"] == recipe) & (results.runs["split"] == split)
        uar = results.runs.loc[own, "uar"].to_numpy(float)
        points.append((_amount(run, keys[0]), uar.mean(), uar.std(ddof=1) if len(uar) > 1 else 0.0))
    amounts, mean, sd = np.array(sorted(points), dtype=float).T
    return _Line(name, keys[0], amounts, mean, sd, row) if np.isfinite(amounts).all() else None


def _amount(run: Run, key: str) -> float:
    """How many items a run had: the mean over its folds; NaN where nothing is recorded."""
    counts = []
    for part in run.parts:
        whole = (part.metrics.get("counts") or {}).get("train") if key == "training.labelled_share" else None
        counts.append((part.data.get(AMOUNTS[key][0]) or {}).get("items", whole))
    return float(np.mean([np.nan if count is None else count for count in counts]))
