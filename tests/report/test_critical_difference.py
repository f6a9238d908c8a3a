"""The diagram says what the numbers say, and no two of its words lie on each other."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from affectspace.report.critical_difference import rank_diagram
from affectspace.report.style import WARM, figure_style
from affectspace.studies.critical_difference import critical_difference, indistinct


def drawn(ranks, difference, names=None):
    ranks = np.asarray(ranks)
    groups = indistinct(ranks, abs(ranks[:, None] - ranks) >= difference)
    figure = Figure(figsize=(6.4, 2.0))
    ax = figure.subplots()
    rank_diagram(ax, names or [f"method {i}" for i in range(len(ranks))], ranks, groups, difference)
    figure.canvas.draw()
    return figure, ax, groups


@pytest.mark.parametrize(
    "ranks", [[1.5, 1.5], [3.143, 2.0, 2.893, 1.964], [5.0] * 9, [*range(1, 10)], [1, 2, 3, 4, 5, 5, 6, 9, 10, 10]]
)
def test_every_method_is_named_with_its_rank_and_no_words_overlap(ranks):
    with figure_style():
        figure, ax, _ = drawn(ranks, critical_difference(len(ranks), 14))
        texts = [text for text in ax.texts if text.get_text()]
        for method, rank in enumerate(ranks):
            assert any(f"method {method}" in t.get_text() and f"{rank:.1f}" in t.get_text() for t in texts)
        boxes = [text.get_window_extent() for text in texts]
        for one, other in combinations(boxes, 2):
            assert not one.overlaps(other)
        for box in boxes:
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.width


def test_bars_reach_over_their_groups_and_no_further():
    with figure_style():
        ranks = np.array([1.2, 2.0, 2.9, 4.4])
        _, ax, groups = drawn(ranks, 1.0)
        bars = [line.get_xdata() for line in ax.lines if to_hex(line.get_color()) == WARM]
    assert groups == [(0, 1), (1, 2)]
    assert [list(np.round(ends, 2)) for ends in bars] == [[1.15, 2.05], [1.95, 2.95]]


def test_the_dots_stand_at_the_ranks():
    with figure_style():
        _, ax, _ = drawn([3.0, 1.0, 2.5], 9.0)
        dots = sorted(float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "o")
    assert dots == [1.0, 2.5, 3.0]


@pytest.mark.parametrize(("names", "ranks"), [(["one"], [1.0]), (["one", "two"], [1.0, 2.0, 3.0])])
def test_errors_say_value_and_remedy(names, ranks):
    with pytest.raises(ValueError, match=r"names need \(\d,\) ranks, two or more; their shape is"):
        rank_diagram(Figure().subplots(), names, ranks, [])
