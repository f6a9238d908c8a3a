"""Figures inside pages: laid out once, and the same as savefig lays them out."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from affectspace.report import svg


def figure() -> Figure:
    made = Figure(figsize=(5, 3), layout="constrained")
    left, right = made.subplots(1, 2)
    left.plot([1, 2, 3])
    left.set_ylabel("a label that takes room")
    made.colorbar(right.imshow([[1, 2], [3, 4]]), ax=right)
    return made


def test_a_figure_is_drawn_once_and_is_what_savefig_lays_out_by_drawing_twice(monkeypatch):
    drawn, draw = [], Axes.draw
    monkeypatch.setattr(Axes, "draw", lambda axes, *rest: (drawn.append(axes), draw(axes, *rest)))
    once = svg.inline_svg(figure(), "name", "told")
    assert len(drawn) == 3
    monkeypatch.setattr(svg, "_lay_out", lambda figure: None)
    assert svg.inline_svg(figure(), "name", "told") == once
    assert len(drawn) == 3 + 6
