"""Pictures of learned spaces to show outside a report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from affectspace.errors import InputError
from affectspace.files import atomic_path
from affectspace.report.compare import Comparison
from affectspace.report.figures import short, space_map
from affectspace.report.panels import is_ordered
from affectspace.report.phrases import percent
from affectspace.report.style import RAMP, class_colours, figure_style, marker_of
from affectspace.space.maps import tsne_maps
from affectspace.training.run import Run

__all__ = ["compare_spaces"]

MOST_ITEMS = 1500
FORMATS = (".png", ".svg", ".pdf")


def compare_spaces(runs: Sequence[Run], path: str | Path) -> Path:
    """The spaces of several runs side by side: t-SNE maps of the same items from one start, coloured by soft label.

    Args:
        runs: finished runs that were tested on the same items with the same classes; a run of several
            folds shows its first one.
        path: a .png, .svg or .pdf file.

    Raises:
        InputError: no runs, runs that cannot be compared (with the reason), or another kind of file.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path} ends in {path.suffix!r}; a picture is {', '.join(FORMATS)}")
    if not runs:
        raise InputError("no runs to draw; give at least one finished run folder")
    comparison = Comparison(tuple(run.parts[0] for run in runs))
    if not comparison.comparable:
        raise InputError(f"these runs cannot be drawn side by side: {' '.join(comparison.obstacles)}")
    evaluated = [items for items in comparison.evaluated if items is not None]
    if len(evaluated) < len(runs):
        raise InputError("a run kept no predictions, so there is nothing to draw")
    orders = [np.argsort(items.items, kind="stable") for items in evaluated]
    shown = np.sort(np.random.default_rng(0).permutation(len(orders[0]))[:MOST_ITEMS])
    maps = tsne_maps([items.embeddings[order[shown]] for items, order in zip(evaluated, orders)])
    targets = evaluated[0].targets[orders[0][shown]]
    first = comparison.runs[0]
    ordered, classes = is_ordered(first), first.classes
    with figure_style():
        layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05)
        figure = Figure(figsize=(3.6 * len(runs) + 0.1, 4.35), dpi=200, layout=layout)
        axes = np.atleast_1d(figure.subplots(1, len(runs)))
        for ax, positions, run, name, split in zip(axes, maps, runs, comparison.names, comparison.splits):
            space_map(ax, positions, targets, ordered)
            ax.set_title(short(name, 34), fontsize=11, fontweight="bold", loc="left", pad=6)
            uar = run.scores(split).get("uar")
            if uar is not None:
                ax.set_title(f"UAR {percent(uar)}", fontsize=10, loc="right", pad=6, color="#57606a")
        if ordered or len(classes) == 2:
            bar = figure.colorbar(_mappable(), ax=list(axes), location="bottom", fraction=0.035, pad=0.02, aspect=45)
            ends = [(0.0, short(classes[0], 24)), (1.0, short(classes[-1], 24))]
            between = [] if comparison.one_hot else [(0.5, "raters are divided")]
            places, words = zip(*sorted([*ends, *between]))
            bar.set_ticks(places, labels=words)
            bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportArgumentType]
        else:
            _class_legend(figure, classes)
        with atomic_path(path) as aside:
            metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
            figure.savefig(
                aside, format=path.suffix[1:].lower(), metadata=metadata, transparent=False, facecolor="white"
            )
    return path


def _class_legend(figure: Figure, classes: Sequence[str]) -> None:
    colours = class_colours(np.eye(len(classes)))
    handles = [
        Line2D(
            [], [], ls="", marker=marker_of(row, len(classes), False), color=tuple(colour), ms=7, mec="white", mew=0.5
        )
        for row, colour in enumerate(colours)
    ]
    # A name that begins with "_" would be taken for one to hide, so names are set afterwards.
    legend = figure.legend(
        handles,
        [str(i) for i in range(len(classes))],
        loc="outside lower center",
        ncols=min(len(classes), 6),
        frameon=False,
        handletextpad=0.1,
        columnspacing=1.4,
        fontsize=9.5,
    )
    for text, name in zip(legend.get_texts(), classes):
        text.set_text(short(name, 20))


def _mappable():
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(cmap=RAMP)
