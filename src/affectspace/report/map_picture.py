"""Maps of one or several spaces side by side as a picture: coloured by a column, the classes' medoids named."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import patheffects, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from affectspace.errors import InputError
from affectspace.files import atomic_path
from affectspace.report.figures import short
from affectspace.report.map_colours import Group, Shape, colour_groups, shapes_of
from affectspace.report.style import INK, figure_style

__all__ = ["FORMATS", "Drawn", "draw_maps"]

FORMATS = (".png", ".svg", ".pdf")
VECTOR_POINTS = 1500  # more points than this become pixels
GAP = 0.12  # inches between panes and around them
LINE = 0.15  # inches a line of words
LONGEST = 22  # letters of a name in the legend
PLACED = "new item"
NOTHING = "#a9b0b8"  # the edge of an item without a value


@dataclass(frozen=True)
class Drawn:
    """A map to be drawn.

    Args:
        title: of the space.
        positions: ``(n, 2)``.
        medoids: name and row of the item in the middle of each class.
        placed: ``(m, 2)``, new items that were placed into this map.
    """

    title: str
    positions: np.ndarray
    medoids: Sequence[tuple[str, int]] = ()
    placed: np.ndarray | None = None


def draw_maps(
    maps: Sequence[Drawn],
    column: pd.Series,
    path: str | Path,
    *,
    order: Sequence[str] = (),
    ordered: bool = False,
    placed: pd.Series | None = None,
    markers: pd.Series | None = None,
    placed_markers: pd.Series | None = None,
    about: str = "",
) -> Path:
    """Draw maps of the same items side by side.

    Up to ten values have a colour and a shape of their own, that colour-blind readers tell apart; of more,
    the most frequent ten have, and the others are grey. Ordered classes and numbers lie on a ramp. With ``markers``
    the shape tells another column than the colour, and the legend has a list of each.

    Args:
        maps: of the same items, in the same order.
        column: ``(n,)`` what they are coloured by; a missing cell is an open grey circle, or other shape.
        path: a .png, .svg or .pdf file.
        order: of the values in the legend, such as the classes of a space; others follow by frequency.
        ordered: whether ``order`` are levels of one thing.
        placed: the same column of the new items, which are ringed in black.
        markers: ``(n,)`` what their shapes tell, of at most eight values; None: the same as the colours.
        placed_markers: the same column of the new items.
        about: what the reader should know of how the maps were made, such as the perplexity.

    Returns:
        Where the picture is.

    Raises:
        InputError: no map, another kind of file, a column of another length, or more values than there are shapes.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path} ends in {path.suffix!r}; a picture is {', '.join(FORMATS)}")
    if not maps:
        raise InputError("there is no map to draw; give at least one")
    for each in maps:
        if len(each.positions) != len(column):
            raise InputError(f"the map {each.title} has {len(each.positions)} items and the column {len(column)}")
    groups = colour_groups(_joined(column, placed), order, ordered)
    shapes = [] if markers is None else shapes_of(_joined(markers, placed_markers))
    side = 4.6 if len(maps) > 1 else 6.4  # inches
    width = len(maps) * (side + GAP) + GAP
    words = textwrap.wrap(_meaning(about, any(each.medoids for each in maps), placed is not None), int(15.5 * width))
    lists = [_List(str(column.name or ""), _colour_signs(groups, bool(shapes), placed is not None), width)]
    if markers is not None:
        lists.append(_List(str(markers.name or ""), _shape_signs(shapes), width))
    below = 0.1 + LINE * len(words) + sum(each.height for each in lists) + 0.12
    height = below + side + 0.4
    with figure_style(), rc_context({"figure.constrained_layout.use": False}):
        figure = Figure(figsize=(width, height), dpi=160)
        panes = []
        for place, each in enumerate(maps):
            left = GAP + place * (side + GAP)
            ax = figure.add_axes((left / width, below / height, side / width, side / height))
            _map(ax, each, groups, shapes, len(column))
            ax.set_title(short(each.title, int(9 * side)), fontsize=11, fontweight="bold", loc="left", pad=6)
            panes.append(ax)
        top = below - 0.06
        for each in lists:
            each.draw(figure, (0.5, top / height))
            top -= each.height
        told = "\n".join(words)
        figure.text(0.5, 0.1 / height, told, ha="center", va="bottom", fontsize=8, linespacing=1.3, color="#57606a")
        figure.draw_without_rendering()  # names can be moved apart only where the axes have found their size
        for ax, each in zip(panes, maps):
            rings = ax.transData.transform(each.positions[[row for _, row in each.medoids]].reshape(-1, 2))
            _apart([text for text in ax.texts if text.get_gid() == "medoid"], ax, rings)
        with atomic_path(path) as aside:
            metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
            kind = path.suffix[1:].lower()
            figure.savefig(aside, format=kind, metadata=metadata, transparent=False, facecolor="white")
    return path


def _joined(column: pd.Series, placed: pd.Series | None) -> pd.Series:
    whole = column if placed is None else pd.concat([column, placed], ignore_index=True)
    whole.name = column.name
    return whole


def _map(ax: Axes, each: Drawn, groups: Sequence[Group], shapes: Sequence[Shape], items: int) -> None:
    everything = each.positions if each.placed is None else np.concatenate([each.positions, each.placed])
    size = float(np.clip(16000 / items, 5, 34))
    rim = 0.3 if items <= 2 * VECTOR_POINTS else 0  # around tiny points it would leave little of them
    pixels = len(everything) > VECTOR_POINTS
    looks = [
        (group, shape.marker, group.rows & shape.rows)
        for group in groups
        for shape in shapes or [Shape("", group.rows, group.marker)]
    ]
    # Groups are drawn in turns, so that none lies on top of all others.
    for part in np.array_split(np.random.default_rng(0).permutation(items), min(8, items)):
        for group, marker, own in looks:
            rows = part[own[part]]
            if len(rows):
                fill = {"c": group.colours[rows]} if group.known else {"facecolors": "none"}
                edge, thick = ("white", rim) if group.known else (NOTHING, max(rim, 0.3))
                at, look = each.positions[rows].T, {"marker": marker, "edgecolors": edge, "linewidths": thick}
                ax.scatter(*at, s=size, rasterized=pixels, **fill, **look)
    if each.placed is not None:
        for group, marker, own in looks:
            rows = np.flatnonzero(own[items:])
            if len(rows):
                fill = {"c": group.colours[items + rows]} if group.known else {"facecolors": "white"}
                ax.scatter(
                    *each.placed[rows].T, s=1.6 * size + 8, marker=marker, edgecolors=INK, linewidths=0.9,
                    rasterized=pixels, zorder=3, **fill,
                )  # fmt: skip
    halo = [patheffects.withStroke(linewidth=2.6, foreground="white")]
    for name, row in each.medoids:
        x, y = each.positions[row]
        ax.plot([x], [y], "o", ms=7, mfc="none", mec="white", mew=3, zorder=4)
        ax.plot([x], [y], "o", ms=7, mfc="none", mec=INK, mew=1.3, zorder=5)
        ax.annotate(
            short(name, 22), (x, y), (0, 9), textcoords="offset points", ha="center", va="bottom", gid="medoid",
            fontsize=9, fontweight="bold", path_effects=halo, zorder=6,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0},
        )  # fmt: skip
    low, high = everything.min(0), everything.max(0)
    middle, half = (low + high) / 2, max((high - low).max() * 0.54, 1e-6)
    ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), xticks=[], yticks=[])
    ax.set_aspect("equal")
    for spine in ax.spines.values():
        spine.set(visible=True, color="#e4e8ed")


def _apart(names: Sequence[Text], ax: Axes, rings: np.ndarray) -> None:
    """Move names up and down until none lies on another or on a ring, ``(k, 2)`` in pixels; they stay in the frame."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    low, high = ax.get_window_extent().get_points()
    boxes = [text.get_window_extent() for text in names]
    halves = np.array([[box.width / 2 + 2, box.height / 2 + 1] for box in boxes]).reshape(-1, 2)
    start = np.array([[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2] for box in boxes]).reshape(-1, 2)
    middles, ring = start.copy(), 0.06 * figure.dpi
    for _ in range(200):
        before = middles.copy()
        for one in range(len(names)):
            for at in rings:
                over = halves[one] + ring - np.abs(middles[one] - at)
                if (over > 0.5).all():
                    middles[one, 1] += over[1] if middles[one, 1] >= at[1] else -over[1]
            for other in range(one):
                over = halves[one] + halves[other] - np.abs(middles[one] - middles[other])
                if (over > 0.5).all():
                    up, down = (one, other) if middles[one, 1] >= middles[other, 1] else (other, one)
                    middles[[up, down], 1] += [over[1] / 2, -over[1] / 2]
        middles = np.clip(middles, low + halves, np.maximum(high - halves, low + halves))
        if np.abs(middles - before).max(initial=0) < 0.5:
            break
    for text, (right, up) in zip(names, (middles - start) * 72 / figure.dpi):
        x, y = text.xyann  # pyright: ignore[reportAttributeAccessIssue]
        text.xyann = (x + right, y + up)  # pyright: ignore[reportAttributeAccessIssue]


def _colour_signs(groups: Sequence[Group], shaped: bool, placed: bool) -> list[tuple[Line2D | Patch, str]]:
    """A sign and a name for every colour: the point itself, or a patch where its shape tells something else."""
    signs: list[tuple[Line2D | Patch, str]] = []
    for group in groups:
        if not group.name:
            continue
        fill, edge = (group.colour, "white") if group.known else ("none", NOTHING)
        if shaped:
            sign = Patch(facecolor=fill, edgecolor=edge, linewidth=0.8)
        else:
            sign = Line2D([], [], ls="", marker=group.marker, ms=7, mew=0.6, color=fill, mec=edge)
        signs.append((sign, short(group.name, LONGEST)))
    if placed:
        signs.append((Line2D([], [], ls="", marker="o", ms=8, color="#d3d8de", mec=INK, mew=1.1), PLACED))
    return signs


def _shape_signs(shapes: Sequence[Shape]) -> list[tuple[Line2D | Patch, str]]:
    """A sign and a name for every shape, in no colour of the map."""
    return [
        (Line2D([], [], ls="", marker=shape.marker, ms=7, mew=0.6, color=INK, mec="white"), short(shape.name, LONGEST))
        for shape in shapes
    ]


class _List:
    """One list of a legend: its title, and its signs in as few rows as a width of inches holds."""

    def __init__(self, title: str, signs: Sequence[tuple[Line2D | Patch, str]], width: float):
        longest = max([len(name) for _, name in signs], default=1)
        self.title, self.signs = short(title, 40), signs
        self.rows = -(-len(signs) // max(1, min(len(signs), int(width / (0.34 + 0.082 * longest)))))
        self.height = 0.21 * (self.rows + 1)  # inches

    def draw(self, figure: Figure, at: tuple[float, float]) -> None:
        """Put its upper edge there, in shares of the figure."""
        columns = -(-len(self.signs) // self.rows)
        in_rows = [sign for column in range(columns) for sign in self.signs[column::columns]]
        # A name that begins with "_" would be taken for one to hide, so names are set afterwards.
        legend = figure.legend(
            [sign for sign, _ in in_rows],
            [str(row) for row in range(len(in_rows))],
            loc="upper center",
            bbox_to_anchor=at,
            ncols=columns,
            frameon=False,
            handletextpad=0.6 if any(isinstance(sign, Patch) for sign, _ in in_rows) else 0.1,
            handlelength=1.1 if any(isinstance(sign, Patch) for sign, _ in in_rows) else 2.0,
            columnspacing=1.3,
            borderpad=0,
            fontsize=9,
            title=self.title or None,
        )
        for text, (_, name) in zip(legend.get_texts(), in_rows):
            text.set_text(name)


def _meaning(about: str, named: bool, placed: bool) -> str:
    told = [
        "Each point is an item; near points are items that the model finds alike (t-SNE). How far apart groups lie, "
        "and how large they are, means nothing.",
        "A ring marks the item in the middle of the class that is named there." if named else "",
        "Items with black edges are new: they were placed into the map of the others." if placed else "",
        about,
    ]
    return " ".join(filter(None, told))
