"""How far apart a model has learned to hold its classes: ground distances as a heat map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from safetensors import SafetensorError
from safetensors.numpy import load_file

from affectspace.errors import InputError
from affectspace.report.compare import Comparison
from affectspace.report.figures import legible_on, short
from affectspace.report.panels import Panel
from affectspace.report.style import DENSITY, figure_style
from affectspace.report.svg import inline_svg
from affectspace.training.run import Run

__all__ = ["LearnedDistance", "distance_panels", "heat_map", "learned_distances"]

NUMBERED = 12  # classes; the numbers of more would be too small to read
FILE = "model/terms.safetensors"


@dataclass(frozen=True)
class LearnedDistance:
    """What a guided EMD term has learned, or was given.

    Args:
        term: its name in the recipe's order, such as "guided_emd_2".
        distance: ``(classes, classes)``.
        weight: lambda, by which the term counts; 0 while it warms up.
        strength: the SDD of the paper, NaN where the distance was given.
    """

    term: str
    distance: np.ndarray
    weight: float
    strength: float


def learned_distances(run: Run) -> list[LearnedDistance]:
    """The ground distances that the guided EMD terms of a run have learned; of several folds, those of the first.

    Raises:
        InputError: ``terms.safetensors`` of the run is damaged, or not of its classes.
    """
    path = run.parts[0].path / FILE
    if not path.is_file():
        return []
    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{FILE} of run {run.path} is damaged ({error}); restore it, or train again") from error
    found = []
    for key, distance in state.items():
        prefix, _, name = key.rpartition(".")
        if name != "ground_distance" or not prefix.startswith("terms.guided_emd"):
            continue
        if distance.shape != (len(run.classes),) * 2:
            told = " x ".join(map(str, distance.shape))
            raise InputError(f"{FILE} of run {run.path} is damaged: {key} is {told} for {len(run.classes)} classes")
        figures = (float(state.get(f"{prefix}.{figure}", np.nan)) for figure in ("emd_weight", "strength"))
        found.append(LearnedDistance(prefix.split(".")[1], distance, *figures))
    return sorted(found, key=lambda each: each.term)


def heat_map(ax: Axes, distance: np.ndarray, classes: Sequence[str], largest: float = 1.0) -> ScalarMappable:
    """Distances between classes: the darker, the farther; numbers in the cells of at most twelve classes.

    Args:
        ax: where to draw.
        distance: ``(classes, classes)``, symmetric, 0 or more.
        classes: names.
        largest: the darkest distance, to share between panels.

    Returns:
        The scale, for a colour bar.

    Raises:
        ValueError: not square, not of these classes, or not symmetric.
    """
    count = len(classes)
    if distance.shape != (count, count):
        raise ValueError(f"distance has shape {distance.shape}; expected ({count}, {count}), a row a class")
    if not np.allclose(distance, distance.T, atol=1e-5, equal_nan=True):
        raise ValueError("distance is not symmetric; give the mean of it and its transpose")
    scale = ScalarMappable(Normalize(0, largest), DENSITY)
    inches = ax.get_figure(root=True).get_figwidth()  # pyright: ignore[reportOptionalMemberAccess]
    size = float(np.clip(0.5 * 72 * inches / (max(count, 1) * 2.6), 4.5, 8.5))
    for row, column in np.ndindex(distance.shape):
        value = float(distance[row, column])
        shade = to_hex(DENSITY(value / largest)) if np.isfinite(value) and row != column else "#f6f8fa"
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fc=shade, ec="white", lw=1 if count <= 24 else 0.2))
        if count <= NUMBERED:
            text = f"{value:.2f}" if np.isfinite(value) else "?"
            ax.text(column, row, text, ha="center", va="center", fontsize=size, color=legible_on(shade))
    names = [short(name) for name in classes]
    names_size = float(np.clip(0.6 * 72 * inches / (max(count, 1) * 1.5), 4.5, 8.5))
    ax.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=names_size)
    ax.set_yticks(range(count), names, fontsize=names_size)
    ax.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
    ax.tick_params(length=0)
    ax.set_aspect("equal")
    for spine in ax.spines.values():
        spine.set_visible(False)
    return scale


def distance_panels(comparison: Comparison) -> list[Panel]:
    """Heat maps of what guided EMD terms have learned, a panel a term; none where no run has such a term."""
    panels = []
    for row, (run, name) in enumerate(zip(comparison.runs, comparison.names)):
        found = learned_distances(run)
        for place, each in enumerate(found):
            title = name if len(found) == 1 else f"{name}, {each.term}"
            with figure_style():
                side = 3.6 if len(run.classes) <= 5 else 5.2
                figure = Figure(figsize=(side, 0.86 * side), layout="compressed")  # long names beside square axes
                ax = figure.add_subplot()
                bar = figure.colorbar(heat_map(ax, each.distance, run.classes), ax=ax, fraction=0.045, pad=0.03)
                bar.set_label("ground distance (0 nearest, 1 farthest)")
                bar.set_ticks([0, 0.25, 0.5, 0.75, 1])
                bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportArgumentType]
                picture = inline_svg(figure, f"distance-{row}-{place}", _told(title, each.distance, run.classes))
            panels.append(Panel(title, picture, _note(run, each)))
    return panels


def _told(name: str, distance: np.ndarray, classes: Sequence[str]) -> str:
    told = f"Ground distances between {len(classes)} classes of {name}"
    upper = np.triu_indices(len(classes), 1)
    values = distance[upper]
    if not len(values) or not np.isfinite(values).any():
        return f"{told}."
    ends = [(word, int(pick(values))) for word, pick in (("nearest", np.nanargmin), ("farthest", np.nanargmax))]
    pairs = [f"{word} are {classes[upper[0][at]]} and {classes[upper[1][at]]} ({values[at]:.2f})" for word, at in ends]
    return f"{told}: {', '.join(pairs)}."


def _note(run: Run, each: LearnedDistance) -> str:
    learned = np.isfinite(each.strength)
    told = [f"learned, relation strength {each.strength:.4f}" if learned else "given by the recipe, or not learned yet"]
    order = run.parts[0].scores("learned").get(f"{each.term}.distance_order", np.nan)
    if np.isfinite(order):
        told.append(f"rank correlation {order:.2f} with steps between levels")
    if np.isfinite(each.weight):
        told.append(f"weight {each.weight:.3g}" if each.weight else "still warming up: it had no say")
    if run.folds:
        told.append("of the first fold")
    return " · ".join(told)
