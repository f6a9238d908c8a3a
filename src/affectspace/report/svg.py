"""A matplotlib figure as SVG inside a page: small, the same bytes for the same figure, nothing external."""

import base64
import io
import re
from contextlib import suppress

from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["inline_svg"]


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """The figure as one ``<svg>`` element that fills the width it is given.

    Args:
        figure: drawn, and still within :func:`affectspace.report.style.figure_style`.
        name: unique in the page; identifiers inside the SVG are made from it.
        description: what the figure shows, for those who do not see it.
    """
    import matplotlib as mpl

    _lay_out(figure)
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    # The page styles strokes and text of all figures; a style element in here would leak into the page.
    svg = re.sub(r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", "", svg, count=1)
    svg = re.sub(r">\s*\n\s*<", ">\n<", svg)
    # Within text and attributes < and > are escaped, so this meets tags and never what a figure says.
    svg = re.sub(r"<[^>]*>", _lean, svg)
    view = re.search(r'viewBox="[^"]*"', svg)
    assert view, "matplotlib always writes a viewBox"
    opening = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="plot" '
        f'{view[0]} role="img" aria-label="{escape(description)}">'
    )
    return Markup(opening + svg[svg.index(">") + 1 :].rstrip())


def _lay_out(figure: Figure) -> None:
    """Place what the figure holds, as savefig does by drawing it a first time for nothing."""
    import matplotlib as mpl

    if engine := figure.get_layout_engine():
        FigureCanvasSVG(figure)  # in whose measures of words, and at whose 72 dots an inch, it is placed
        dots, figure.dpi = figure.dpi, 72
        with suppress(ValueError):  # as drawing does
            engine.execute(figure)
        figure.dpi = dots
        with mpl.rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
            figure.set_layout_engine(None)  # by "none" it keeps a stand-in, for which savefig draws twice, too


def _lean(tag: re.Match[str]) -> str:
    """A tag in fewer bytes."""
    # Group names repeat from figure to figure, and an id may occur only once in a page.
    text = re.sub(r'^<g id="[^"]*"', "<g", tag[0])
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"(\d\.\d{2})\d+", r"\1", text)
    text = re.sub(r"\n\s*", "\n", text)
    return re.sub(r"data:image/png;base64,([^\"]*)", _smaller, text)


def _smaller(match: re.Match[str]) -> str:
    """Pixels on white in 256 colours: a third of the bytes, and no eye sees it."""
    with Image.open(io.BytesIO(base64.b64decode(match[1]))) as image:
        whole = image.convert("RGBA")
    ground = Image.new("RGBA", whole.size, "white")
    few = (
        Image.alpha_composite(ground, whole)
        .convert("RGB")
        .quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    )
    buffer = io.BytesIO()
    few.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
