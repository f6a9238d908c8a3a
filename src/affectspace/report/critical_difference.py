"""The ranks of methods over data sets on one line, and which of them may be equal."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from affectspace.report.style import ACCENT, GREY, INK, WARM

__all__ = ["rank_diagram"]

FIRST_BAR, BAR, LINE = 0.55, 0.3, 0.62  # below the axis, in lines of text: the first bar, from bar to bar, name to name


def rank_diagram(
    ax: Axes,
    names: Sequence[str],
    ranks: ArrayLike,
    groups: Sequence[Sequence[int]],
    difference: float | None = None,
) -> None:
    """Average ranks from the best, on the left, to the worst; a bar joins methods that no test tells apart.

    Args:
        ax: where to draw, some 1.5 inches high for eight methods; it loses its own axes.
        names: of the methods.
        ranks: ``(methods,)``, 1 or more.
        groups: as :func:`affectspace.studies.critical_difference.indistinct` gives them.
        difference: critical difference, shown as a ruler above the ranks; None: no ruler.

    Raises:
        ValueError: fewer than two methods, or not as many ranks as names.

    Source: Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006, Fig. 1.
    """
    places = np.asarray(ranks, dtype=np.float64)
    count = len(names)
    if count < 2 or places.shape != (count,):
        raise ValueError(f"{count} names need ({count},) ranks, two or more; their shape is {places.shape}")
    order = np.argsort(places, kind="stable")
    margin = 0.06 * (count - 1)
    below = FIRST_BAR + BAR * len(groups) + 0.35

    ax.plot([1, count], [0, 0], color=INK, lw=1.2, solid_capstyle="butt")
    for tick in range(1, count + 1):
        ax.plot([tick, tick], [0, 0.16], color=INK, lw=1)
        ax.text(tick, 0.26, str(tick), ha="center", va="bottom", color=GREY, fontsize=8)
    ax.text(1 - margin, 0, "best", ha="right", va="center", color=GREY, fontsize=8)
    ax.text(count + margin, 0, "average rank", ha="left", va="center", color=GREY, fontsize=8)
    if difference is not None:
        _ruler(ax, difference, count)

    left, right = order[: (count + 1) // 2], order[(count + 1) // 2 :]
    for side, methods in (("right", left), ("left", right[::-1])):
        edge = 1 - margin if side == "right" else count + margin
        for line, method in enumerate(methods):
            y, rank = -(below + LINE * line), float(places[method])
            ax.plot([rank, rank, edge], [0, y, y], color=GREY, lw=0.9, solid_joinstyle="miter", zorder=1)
            ax.plot([rank], [0], "o", color=ACCENT, ms=4.5, zorder=4)
            told = f"{names[method]}  {rank:.1f}" if side == "right" else f"{rank:.1f}  {names[method]}"
            toward = -0.01 if side == "right" else 0.01
            ax.text(edge + toward * count, y, told, ha=side, va="center")
    for level, group in enumerate(groups):
        y, first, last = -(FIRST_BAR + BAR * level), float(places[group[0]]), float(places[group[-1]])
        ax.plot([first - 0.05, last + 0.05], [y, y], color=WARM, lw=3.6, solid_capstyle="butt", zorder=3)

    ax.set_xlim(1 - 0.34 * (count - 1), count + 0.34 * (count - 1))  # names stand beside the ranks
    ax.set_ylim(-(below + LINE * (len(left) - 1) + 0.35), 1.75 if difference is not None else 0.9)
    ax.axis("off")


def _ruler(ax: Axes, difference: float, count: int) -> None:
    """The critical difference as a length on the axis of ranks."""
    y, end = 1.15, min(1 + difference, 1.3 * count)
    ax.plot([1, end], [y, y], color=INK, lw=1)
    for x in (1, end):
        ax.plot([x, x], [y - 0.12, y + 0.12], color=INK, lw=1)
    ax.text((1 + end) / 2, y + 0.14, f"critical difference {difference:.1f}", ha="center", va="bottom", fontsize=8)
