"""The figures of a report, each drawn on one pair of axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, MultipleLocator

from affectspace.metrics.classification import confusion_matrix
from affectspace.report.style import ACCENT, DENSITY, GREY, INK, WARM, class_colours, marker_of
from affectspace.report.ticks import PercentTicks

__all__ = ["confusion", "learning_curve", "reliability", "similarity", "space_map"]

VECTOR_POINTS = 1500  # more points than this become pixels


def learning_curve(
    ax: Axes,
    epochs: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray | None,
    selected: Sequence[int],
    chance: float,
    others: Sequence[tuple[np.ndarray, np.ndarray]] = (),
    limits: tuple[float, float] | None = None,
) -> None:
    """UAR after each epoch: validation dashed, test solid, the selected epoch marked, other models faint behind.

    Args:
        ax: where to draw.
        epochs, validation, test: ``(n,)``; UAR in [0, 1]; ``test`` None where it was not recorded.
        selected: the epochs that validation chose, one for each fold.
        chance: UAR of random predictions, NaN where unknown.
        others: epochs and UAR of the other models' curves.
        limits: of the y axis, to share between panels.
    """
    for x, y in others:
        ax.plot(x, y, color="#d3d8de", lw=1.1, zorder=1)
    if np.isfinite(chance):
        ax.axhline(chance, color=GREY, lw=1.2, ls=(0, (1, 2)), zorder=1.5)
    dot = {"marker": "o", "ms": 3} if len(epochs) == 1 else {}
    ax.plot(epochs, validation, color=ACCENT, lw=1.3, ls=(0, (4, 2)), zorder=3, **dot)
    if test is not None:
        ax.plot(epochs, test, color=ACCENT, lw=2, zorder=4, **dot)
    shown = validation if test is None else test
    for epoch in sorted(set(selected)):
        ax.axvline(epoch, color=WARM, lw=0.8, alpha=0.6 if len(selected) == 1 else 0.3, zorder=2)
        if len(selected) == 1 and epoch in epochs:
            value = shown[list(epochs).index(epoch)]
            ax.plot([epoch], [value], "D", ms=6, color=WARM, mec="white", mew=1, zorder=5)
    ax.set_xlabel("epoch")
    ax.set_ylabel("UAR")
    ax.yaxis.set_major_formatter(PercentTicks())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    if limits:
        ax.set_ylim(*limits)
    ax.grid(axis="y")


def space_map(ax: Axes, positions: np.ndarray, targets: np.ndarray, ordered: bool = False, dense: bool = False) -> None:
    """Items of a space on a plane, coloured by soft label, shaped by majority class.

    Args:
        ax: where to draw; it loses its ticks, as the axes of a t-SNE map mean nothing.
        positions: ``(n, 2)``.
        targets: ``(n, classes)`` probabilities.
        ordered: whether the classes are levels of one thing.
        dense: draw points as pixels, however few.
    """
    count, classes = targets.shape
    colours, majority = class_colours(targets, ordered), targets.argmax(1)
    size = float(np.clip(9000 / count, 5, 30))
    # Classes are drawn in turns, so that none lies on top of all others.
    for part in np.array_split(np.random.default_rng(0).permutation(count), min(8, count)):
        for row in range(classes):
            chosen = part[majority[part] == row]
            if len(chosen):
                ax.scatter(
                    *positions[chosen].T,
                    s=size,
                    c=[to_hex(c) for c in colours[chosen]],
                    marker=marker_of(row, classes, ordered),
                    linewidths=0.35,
                    edgecolors="white",
                    rasterized=dense or count > VECTOR_POINTS,
                )
    middle, half = _frame(positions)
    ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), xticks=[], yticks=[])
    ax.set_aspect("equal")
    for spine in ax.spines.values():
        spine.set(visible=True, color="#e4e8ed")


def confusion(
    ax: Axes, truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], rows: str = "raters' choice"
) -> None:
    """Truth (rows) against prediction (columns): shade is the share of the row, the number counts items.

    Args:
        ax: where to draw.
        truth, probabilities: ``(n, classes)``.
        classes: names.
        rows: who says the truth.
    """
    counts = confusion_matrix(truth, probabilities, len(classes))
    total = counts.sum(1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    size = _cell_size(ax, counts)
    # Cells are drawn as rectangles: an image would be smoothed by some viewers.
    for row, column in np.ndindex(counts.shape):
        count, shade = float(counts[row, column]), _shade(float(share[row, column]))
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fc=shade, ec="white", lw=1))
        colour = legible_on(shade) if count else GREY
        ax.text(column, row, _cell_text(count), ha="center", va="center", fontsize=size, color=colour)
    for row, found in enumerate(np.diag(share)):
        ax.add_patch(Rectangle((row - 0.46, row - 0.46), 0.92, 0.92, fc="none", ec=INK, lw=0.9))
        recall = f"{found:.0%}".replace("%", "\u202f%") if total[row, 0] else "no items"
        ax.text(len(classes) - 0.4, row, recall, va="center", fontweight="bold" if total[row, 0] else "normal")
    ax.text(len(classes) - 0.4, -0.75, "recall", va="center", color="#57606a")
    names = [short(name) for name in classes]
    long = len(classes) > 4 or max(map(len, names)) * len(names) > 32
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if long else {}
    ax.set_xticks(range(len(classes)), names, **turned)
    ax.set_yticks(range(len(classes)), names)
    ax.set(xlim=(-0.5, len(classes) - 0.5), ylim=(len(classes) - 0.5, -0.5), xlabel="predicted", ylabel=rows)
    ax.tick_params(length=0)
    ax.set_aspect("equal")
    for spine in ax.spines.values():
        spine.set_visible(False)


def similarity(ax: Axes, label: np.ndarray, embedding: np.ndarray) -> None:
    """Similarity of embeddings against similarity of labels, over pairs of items; on the line they are equal.

    Args:
        ax: where to draw.
        label, embedding: ``(pairs,)``, in [0, 2].
    """
    levels = np.unique(label.round(2))
    if len(levels) <= 6:
        bins = np.linspace(0, 2, 41)
        for level in levels:
            heights, _ = np.histogram(embedding[np.abs(label - level) < 0.006], bins)
            width = 0.16 * np.repeat(heights / max(heights.max(), 1), 2)
            ax.fill_betweenx(np.repeat(bins, 2)[1:-1], level - width, level + width, color="#8db8dc", lw=0)
        edges = np.append(levels - 0.006, levels[-1] + 0.006)
    else:
        ax.hexbin(label, embedding, gridsize=(26, 15), extent=(0, 2, 0, 2), mincnt=1, bins="log", cmap=DENSITY, lw=0.2)
        edges = np.linspace(0, 2.000001, 11)
    ax.plot([0, 2], [0, 2], color=INK, lw=1, ls=(0, (4, 3)), zorder=3)
    place = np.digitize(label, edges) - 1
    middles = []
    for each in range(len(edges) - 1):
        within = embedding[place == each]
        if len(within) >= 10:
            x = label[place == each].mean()
            low, median, high = np.percentile(within, [25, 50, 75])
            ax.plot([x, x], [low, high], color=WARM, lw=1.6, solid_capstyle="round", zorder=4)
            middles.append((x, median))
    if middles:
        ax.plot(*np.transpose(middles), "o-", color=WARM, ms=4.5, mec="white", mew=0.8, lw=1.2, zorder=5)
    ax.set(xlim=(-0.06, 2.06), ylim=(-0.06, 2.06), xlabel="similarity of labels C", ylabel="similarity of embeddings S")
    if len(levels) <= 6:
        ax.set_xlim(-0.2, 2.2)
    ax.xaxis.set_major_locator(MultipleLocator(0.5))
    ax.yaxis.set_major_locator(MultipleLocator(0.5))
    ax.set_aspect("equal")


def reliability(ax: Axes, below: Axes, truth: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> None:
    """How often the model is right against how sure it is, and below, how many items it is that sure of.

    Args:
        ax: where to draw the curve.
        below: where to draw the histogram.
        truth, probabilities: ``(n, classes)``.
        bins: of equal width, open below and closed above, as in the expected calibration error.
    """
    sure, guess = probabilities.max(1), probabilities.argmax(1)
    right = truth[np.arange(len(truth)), guess] >= truth.max(1) - 1e-6
    place = np.searchsorted(np.arange(1, bins) / bins, sure, side="left")
    count = np.bincount(place, minlength=bins)
    ax.plot([0, 1], [0, 1], color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
    held = np.flatnonzero(count)
    confidence = np.bincount(place, sure, bins)[held] / count[held]
    accuracy = np.bincount(place, right, bins)[held] / count[held]
    ax.vlines(confidence, accuracy, confidence, color=WARM, lw=1.4, alpha=0.55, zorder=2)
    ax.plot(confidence, accuracy, color=ACCENT, lw=1.2, alpha=0.5, zorder=3)
    size = 10 + 90 * np.sqrt(count[held] / count.max())
    ax.scatter(confidence, accuracy, s=size, color=ACCENT, ec="white", lw=0.8, zorder=4, clip_on=False)
    ax.text(0.03, 0.95, "too cautious", color="#57606a", va="top", style="italic", fontsize=8)
    ax.text(0.97, 0.04, "too sure", color="#57606a", ha="right", style="italic", fontsize=8)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), ylabel="right")
    ax.grid()
    ax.tick_params(labelbottom=False)
    below.bar((np.arange(bins) + 0.5) / bins, count / count.sum(), width=0.8 / bins, color="#9db9d4")
    below.set(xlim=(0, 1.02), xlabel="how sure the model is", ylabel="items")
    below.yaxis.set_major_locator(MaxNLocator(2))
    for axis in (ax.xaxis, ax.yaxis, below.xaxis, below.yaxis):
        axis.set_major_formatter(PercentTicks())


def short(name: str, longest: int = 14) -> str:
    """A name that fits beside a figure."""
    name = " ".join(name.split())
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _frame(positions: np.ndarray) -> tuple[np.ndarray, float]:
    low, high = positions.min(0), positions.max(0)
    return (low + high) / 2, float(max((high - low).max() * 0.54, 1e-6))


def _shade(share: float) -> str:
    return "#f6f8fa" if share == 0 else to_hex(DENSITY(0.9 * share))


def legible_on(colour: str) -> str:
    """Ink or white, whichever contrasts more (WCAG relative luminance)."""
    luminance = np.dot([0.2126, 0.7152, 0.0722], np.array(to_rgb(colour)) ** 2.2)
    return "white" if luminance < 0.225 else INK


def _cell_text(count: float) -> str:
    return f"{count:.1f}".removesuffix(".0")


def _cell_size(ax: Axes, counts: np.ndarray) -> float:
    """The font size at which the longest number fits into a cell; a digit is some 0.62 of it wide."""
    cell = 0.55 * ax.get_figure(root=True).get_figwidth() * 72 / len(counts)  # pyright: ignore[reportOptionalMemberAccess]
    longest = max(len(_cell_text(float(count))) for count in counts.flat)
    return float(np.clip(0.85 * cell / (0.62 * longest), 5, 8.5))
