"""Colours that survive colour blindness and grey printing, and the look shared by all figures."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

__all__ = [
    "ACCENT",
    "CLASS_COLOURS",
    "DENSITY",
    "GREY",
    "INK",
    "MARKERS",
    "RAMP",
    "WARM",
    "class_colours",
    "figure_style",
]

INK, GREY, ACCENT, WARM = "#24292f", "#8c949e", "#0b5394", "#c2410c"

# Okabe & Ito 2008, their yellow and black made readable as points on white, and two more for ten classes.
CLASS_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B5A800", "#4D4D4D", "#7A3E12", "#5B3FA0",
)  # fmt: skip
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">", "p")

# From dark to light, so that it also reads in grey; blue to orange, which every common colour blindness tells apart.
RAMP = LinearSegmentedColormap.from_list("soft_label", ["#12355b", "#4d678f", "#94908f", "#cf9a58", "#f5a42a"])
DENSITY = LinearSegmentedColormap.from_list("density", ["#e3edf7", "#8db8dc", "#3b7fb8", "#0b3c6d"])

STYLE = {
    "axes.edgecolor": "#c9ced6",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "grid.color": "#eceff3",
    "grid.linewidth": 0.8,
    "savefig.transparent": True,
    "svg.fonttype": "none",  # words stay words: searchable, and in any script that the reader's machine can show
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$"
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "xtick.major.size": 3,
    "ytick.major.size": 3,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """The look of all figures, for as long as the block lasts; nothing global is left changed."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType]
        # Labels in scripts that matplotlib's own font lacks are drawn by the browser's fonts.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        yield


def class_colours(targets: np.ndarray, ordered: bool = False) -> np.ndarray:
    """A colour for each soft label.

    Two classes, and ordered ones, lie on one ramp from the first to the last class, placed by the
    expected class; more classes mix their own colours, as lights mix, by their probabilities, so that
    an item that raters disagree about is greyish.

    Args:
        targets: probabilities, shape ``(n, classes)``.
        ordered: whether the classes are levels of one thing.

    Returns:
        RGB in [0, 1], shape ``(n, 3)``.

    Example:
        >>> class_colours(np.eye(3))[0].round(2).tolist() == np.round(to_rgb(CLASS_COLOURS[0]), 2).tolist()
        True
    """
    classes = targets.shape[1]
    if ordered or classes == 2:
        return RAMP(targets @ np.arange(classes) / (classes - 1))[:, :3]
    own = np.array([to_rgb(CLASS_COLOURS[i % len(CLASS_COLOURS)]) for i in range(classes)])
    return (targets @ own**2.2).clip(0, 1) ** (1 / 2.2)


def marker_of(row: int, classes: int, ordered: bool) -> str:
    """The marker of a class; one for all where a ramp already orders them."""
    return "o" if ordered or classes == 2 else MARKERS[row % len(MARKERS)]


def polygon(marker: str) -> Sequence[Sequence[tuple[float, float]]]:
    """A marker's outline in [-0.5, 0.5], as polygons, for legends outside a figure."""
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(marker)
    outline = style.get_path().transformed(style.get_transform())
    return [[(round(float(x), 3), round(-float(y), 3)) for x, y in np.asarray(p)] for p in outline.to_polygons()]
