"""The figures of a study's page, each drawn on one pair of axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from affectspace.report.phrases import p_value, signed
from affectspace.report.style import ACCENT, CLASS_COLOURS, GREY, INK, MARKERS, WARM
from affectspace.report.ticks import PercentTicks
from affectspace.studies.summary import RecipeSummary

__all__ = ["MOST_CURVES", "Curve", "apart", "brief", "forest", "inner_curve", "recipe_look", "seed_curves"]

MOST_CURVES = 9  # more lines cannot be told apart by anybody
COLOURS = [colour for colour in CLASS_COLOURS if colour != "#4D4D4D"]  # which is near the baseline's


@dataclass(frozen=True)
class Curve:
    """Mean UAR over seeds after each epoch, and its spread.

    Args:
        name: of the recipe.
        epochs, mean, sd: ``(n,)``; ``sd`` is zero everywhere for one seed.
        kept: the epochs whose weights were kept, one a run and fold.
        row: place of the recipe in the study, 0 for the baseline; None draws it grey and unnamed.
        banded: whether its spread is drawn.
    """

    name: str
    epochs: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    kept: Sequence[int] = field(default_factory=tuple)
    row: int | None = None
    banded: bool = True


def recipe_look(row: int) -> tuple[str, str]:
    """Colour and marker of a recipe's curve; the baseline, which is row 0, is the dark one."""
    if row == 0:
        return "#3a4048", "o"
    return COLOURS[(row - 1) % len(COLOURS)], MARKERS[row % len(MARKERS)]


def _dash(row: int) -> str | tuple[int, tuple[float, ...]]:
    """Long dashes for the baseline; recipes that have the colour of another are dashed and dotted."""
    return (0, (5, 2)) if row == 0 else "-" if row <= len(COLOURS) else (0, (3, 1, 1, 1))


def forest(ax: Axes, rows: Sequence[RecipeSummary], limits: tuple[float, float], names: Mapping[str, str]) -> None:
    """Difference of each recipe to the baseline in points of UAR, one line a recipe.

    The thick blue bar is Tukey's interval over seeds, the dashed orange one below it that for
    other speakers; the dot is filled where Tukey's test tells the difference from zero.

    Args:
        ax: where to draw.
        rows: with differences, in the order from above.
        limits: of the x axis in points, to share between panels.
        names: how each recipe is called here.
    """
    for place, row in enumerate(rows):
        value, low, high = (100 * each for each in row.change)
        if row.speakers:
            ends = np.clip([100 * row.speakers.low, 100 * row.speakers.high], *limits)
            y = place + 0.27
            ax.plot(ends, [y, y], color=WARM, lw=1.5, ls=(0, (3, 1.6)), zorder=2)
            ax.plot(ends, [y, y], "|", color=WARM, ms=5, mew=1.4, zorder=2)
        if np.isfinite(low):
            ax.plot(np.clip([low, high], *limits), [place, place], color=ACCENT, lw=3, solid_capstyle="butt", zorder=3)
        found = row.verdict in {"above", "below"}
        ax.plot([value], [place], "o", ms=7, mfc=ACCENT if found else "white", mec=ACCENT, mew=1.6, zorder=4)
        told = [(34, signed(row.change[0]), "right"), (41, p_value(row.p) if np.isfinite(row.p) else "", "left")]
        for shift, text, side in told:
            ax.annotate(
                text, (1, place), (shift, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center", ha=side, fontweight="bold" if found else "normal",
            )  # fmt: skip
    ax.axvline(0, color=INK, lw=1, zorder=1)
    ax.set_yticks(range(len(rows)), [names[row.recipe] for row in rows])
    ax.set(xlim=limits, ylim=(len(rows) - 0.35, -0.55))
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:+g}".replace("-", "−") if x else "0"))
    ax.grid(axis="x")


def seed_curves(ax: Axes, curves: Sequence[Curve], chance: float, limits: tuple[float, float]) -> None:
    """UAR against epochs: mean over seeds as a line, one standard deviation as a band, a name at each line's end.

    Args:
        ax: where to draw.
        curves: one a recipe.
        chance: UAR of random predictions, NaN where unknown.
        limits: of the y axis, UAR in [0, 1]; chance is drawn where it lies within.
    """
    if limits[0] <= chance <= limits[1]:
        ax.axhline(chance, color=GREY, lw=1.2, ls=(0, (1, 2)), zorder=1)
    kept = sorted({epoch for curve in curves for epoch in curve.kept})
    if len(kept) == 1:
        ax.axvline(kept[0], color=WARM, lw=1, alpha=0.7, zorder=1.5)
    last = max(int(curve.epochs[-1]) for curve in curves)
    first = min(int(curve.epochs[0]) for curve in curves)
    ends: list[tuple[float, int, Curve]] = []
    for curve in curves:
        if curve.row is None:
            ax.plot(curve.epochs, curve.mean, color="#d3d8de", lw=1.1, zorder=1.2)
            continue
        colour, marker = recipe_look(curve.row)
        if curve.banded and curve.sd.any():
            around = curve.mean - curve.sd, curve.mean + curve.sd
            ax.fill_between(curve.epochs, *around, color=colour, alpha=0.13, lw=0, zorder=2)
        ax.plot(curve.epochs, curve.mean, color=colour, lw=1.8, ls=_dash(curve.row), zorder=3 + 0.01 * curve.row)
        step = max(1, len(curve.epochs) // 6)
        places = slice(curve.row * step // len(curves), None, step)  # so that markers of close lines do not meet
        ax.plot(
            curve.epochs[places], curve.mean[places], marker, ls="", color=colour, ms=4, mec="white", mew=0.6, zorder=4
        )
        if len(kept) > 1 and curve.kept:
            epoch = int(np.median(curve.kept))
            if epoch in curve.epochs:
                value = curve.mean[list(curve.epochs).index(epoch)]
                ax.plot([epoch], [value], "D", ms=6.5, color=WARM, mec="white", mew=1, zorder=6)
        ends.append((float(curve.mean[-1]), int(curve.epochs[-1]), curve))
    ax.set(ylim=limits, xlim=(first - 0.02 * (last - first) - 0.2, last + 0.02 * (last - first) + 0.2))
    _name_ends(ax, ends, limits)
    ax.set(xlabel="epoch", ylabel="UAR")
    ax.yaxis.set_major_formatter(PercentTicks())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.grid(axis="y")


def inner_curve(ax: Axes, uar: np.ndarray, chosen: int | None) -> None:
    """Mean UAR of the inner runs after each epoch, the chosen epoch marked.

    Args:
        ax: where to draw.
        uar: ``(epochs,)``, in [0, 1].
        chosen: the epoch from 1, None where none was chosen.
    """
    epochs = np.arange(1, len(uar) + 1)
    ax.plot(epochs, uar, color=ACCENT, lw=1.8, marker="o" if len(uar) == 1 else "", ms=3)
    if chosen is not None and 1 <= chosen <= len(uar):
        ax.axvline(chosen, color=WARM, lw=0.8, alpha=0.6)
        ax.plot([chosen], [uar[chosen - 1]], "D", ms=6, color=WARM, mec="white", mew=1)
    ax.set(xlabel="epoch", ylabel="mean inner UAR")
    ax.yaxis.set_major_formatter(PercentTicks())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.grid(axis="y")


def _name_ends(ax: Axes, ends: Sequence[tuple[float, int, Curve]], limits: tuple[float, float]) -> None:
    """Names right of the lines' ends, moved apart where they would overlap, each with its line's sign before it."""
    figure = ax.get_figure(root=True)
    height = 0.78 * figure.get_figheight() * 72 if figure else 150.0
    gap = 11.5 / height * (limits[1] - limits[0])
    order = sorted(ends, key=lambda end: end[0])
    places = apart([value for value, _, _ in order], gap, limits)
    for y, (_, _, curve) in zip(places, order):
        colour, marker = recipe_look(curve.row or 0)
        mix = ("axes fraction", "data")
        line = {"arrowstyle": "-", "color": colour, "lw": 1.8, "ls": _dash(curve.row or 0)}
        ax.annotate("", (1.015, y), (1.075, y), xycoords=mix, arrowprops=line)
        ax.plot([1.045], [y], marker, color=colour, ms=4.5, mec="white", mew=0.6, clip_on=False,
                transform=ax.get_yaxis_transform())  # fmt: skip
        others = [other.name for _, _, other in ends if other is not curve]
        ax.annotate(brief(curve.name, 16, others), (1.09, y), xycoords=mix, va="center", color=INK)


def brief(name: str, longest: int, others: Sequence[str] = ()) -> str:
    """A name that fits beside a figure: cut as near its middle as leaves what tells it from the others.

    Example:
        >>> brief("f-similarity, Kullback-Leibler", 18)
        'f-similar…-Leibler'
        >>> brief("CE + f-SPL, λ = 1,0", 18, ["CE", "CE + f-SPL, λ = 10"])
        '… + f-SPL, λ = 1,0'
    """
    name = " ".join(name.split())
    if len(name) <= longest:
        return name
    gone, tells = len(name) + 1 - longest, np.zeros(len(name))
    for other in others:
        alike = [a == b for a, b in zip(name, " ".join(other.split()))]
        ends = [a == b for a, b in zip(reversed(name), reversed(" ".join(other.split())))]
        head, tail = ((*each, False).index(False) for each in (alike, ends))
        tells[head : max(head + 1, len(name) - tail)] += 1
    at = min(range(longest), key=lambda at: (tells[at : at + gone].sum(), abs(at - longest // 2)))
    return f"{name[:at]}…{name[at + gone :]}"


def apart(values: Sequence[float], gap: float, limits: tuple[float, float]) -> list[float]:
    """Sorted values moved as little as keeps them ``gap`` apart and, where there is room, within limits.

    Example:
        >>> apart([0.0, 0.0, 5.0], 1.0, (-1.0, 6.0))
        [-0.5, 0.5, 5.0]
    """
    groups: list[tuple[float, int]] = []  # centre and size of runs of names that touch
    for value in values:
        centre, size = value, 1
        while groups and groups[-1][0] + gap * groups[-1][1] / 2 > centre - gap * size / 2:
            other, count = groups.pop()
            centre = (other * count + centre * size) / (count + size)
            size += count
        groups.append((centre, size))
    placed = [centre + gap * (i - (size - 1) / 2) for centre, size in groups for i in range(size)]
    if placed and gap * (len(placed) - 1) <= limits[1] - limits[0]:
        for i in range(len(placed)):
            placed[i] = max(placed[i], limits[0] + gap * i)
        for i in range(len(placed)):
            back = len(placed) - 1 - i
            placed[back] = min(placed[back], limits[1] - gap * i)
    return placed
