"""Which colour, and which shape, each value of a column has on a map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from affectspace.errors import InputError
from affectspace.report.style import CLASS_COLOURS, MARKERS, RAMP

__all__ = ["MOST_SHAPES", "Group", "Shape", "colour_groups", "shapes_of"]

MOST = 10  # colours that people tell apart, with or without colour blindness
MOST_SHAPES = 8  # that people tell apart where the colour says something else
OTHERS = "#a9b0b8"
NO_SHAPE = "*"  # of an item without a value, which has the shape of none


@dataclass(frozen=True)
class Group:
    """Items that share a shape and a line of the legend.

    Args:
        name: in the legend.
        rows: bool ``(n,)``.
        colours: ``(n, 3)``, of which those of ``rows`` count.
        colour: in the legend.
        marker: its shape.
        known: False for the items that have no value.
    """

    name: str
    rows: np.ndarray
    colours: np.ndarray
    colour: tuple[float, float, float] | str
    marker: str = "o"
    known: bool = True


@dataclass(frozen=True)
class Shape:
    """Items that share a shape, whatever their colours.

    Args:
        name: in the legend.
        rows: bool ``(n,)``.
        marker: the shape.
    """

    name: str
    rows: np.ndarray
    marker: str


def shapes_of(column: pd.Series) -> list[Shape]:
    """A shape for each value of a column, in the order of their names; those without a value last.

    Args:
        column: any values, at most eight different ones.

    Raises:
        InputError: more of them.

    Example:
        >>> [(shape.name, shape.marker) for shape in shapes_of(pd.Series(["ur", "de", None, "de"]))]
        [('de', 'o'), ('ur', '^'), ('unknown', '*')]
    """
    missing = column.isna().to_numpy(bool)
    values = column.astype("string").fillna("")
    names = sorted(values[~missing].unique())
    if len(names) > MOST_SHAPES:
        raise InputError(
            f"column {str(column.name)!r} has {len(names):,} values, and people tell at most {MOST_SHAPES} shapes "
            "apart; choose a column of fewer, or colour by this one"
        )
    shapes = [Shape(name, (values == name).to_numpy(bool) & ~missing, MARKERS[at]) for at, name in enumerate(names)]
    return [*shapes, Shape("unknown", missing, NO_SHAPE)] if missing.any() else shapes


def colour_groups(column: pd.Series, order: Sequence[str] = (), ordered: bool = False) -> list[Group]:
    """Groups for the values of a column, those without a value last.

    A column of more than ten different numbers lies on a ramp, of which the legend tells both ends and the middle.

    Args:
        column: any values.
        order: of known values, such as the classes of a space.
        ordered: whether they are levels of one thing, so that a ramp shows them.

    Example:
        >>> [group.name for group in colour_groups(pd.Series(["sad", "happy", None]), ["happy", "sad", "angry"])]
        ['happy', 'sad', 'unknown']
    """
    missing = column.isna().to_numpy(bool)
    numbers = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if numbers and column.nunique() > MOST:
        groups = _ramp(column.to_numpy(float, na_value=np.nan), missing)
    else:
        groups = _named(column.astype("string").fillna(""), missing, list(map(str, order)), ordered or numbers)
    if missing.any():
        groups.append(Group("unknown", missing, _flat(OTHERS, len(column)), OTHERS, "o", known=False))
    return groups


def _named(values: pd.Series, missing: np.ndarray, order: list[str], ordered: bool) -> list[Group]:
    counts = values[~missing].value_counts()
    there = [name for name in order if name in counts.index]
    if ordered and not there:
        there = sorted(counts.index, key=float)
    names = there + [name for name in counts.index if name not in there]
    places = {name: order.index(name) if name in order else len(order) + row for row, name in enumerate(names)}
    if len(names) > MOST and not ordered:  # the most frequent have colours; a class keeps its own where there are ten
        often = set(counts.index[:MOST])
        names = [name for name in names if name in often]
        places = {name: row for row, name in enumerate(names)}
    elif not ordered and max(places.values(), default=0) >= MOST:
        places = {name: row for row, name in enumerate(names)}
    levels = len(order) if ordered and order else len(names)
    groups = []
    for name in names:
        at = places[name]
        if ordered:
            colour, marker = _on_ramp(at / max(levels - 1, 1)), "o"
        else:
            colour, marker = to_rgb(CLASS_COLOURS[at]), MARKERS[at]
        groups.append(
            Group(name, (values == name).to_numpy(bool) & ~missing, _flat(colour, len(values)), colour, marker)
        )
    rest = ~missing & ~values.isin(names).to_numpy(bool)
    if rest.any():
        told = f"{values[rest].nunique():,} others"
        groups.append(Group(told, rest, _flat(OTHERS, len(values)), OTHERS, "."))
    return groups


def _ramp(numbers: np.ndarray, missing: np.ndarray) -> list[Group]:
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    share = np.nan_to_num((numbers - low) / (high - low or 1.0))
    colours = np.asarray(RAMP(share))[:, :3]
    ends = [(0.0, low), (0.5, (low + high) / 2), (1.0, high)]
    nobody = np.zeros(len(numbers), dtype=bool)
    groups = [Group(f"{value:.3g}", nobody, colours, _on_ramp(at)) for at, value in ends]
    return [Group("", ~missing, colours, "#000000"), *groups]


def _on_ramp(share: float) -> tuple[float, float, float]:
    red, green, blue = RAMP(share)[:3]
    return float(red), float(green), float(blue)


def _flat(colour: tuple[float, float, float] | str, count: int) -> np.ndarray:
    return np.tile(to_rgb(colour), (count, 1))
