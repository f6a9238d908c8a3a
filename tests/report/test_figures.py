"""Drawn figures say what the numbers say; colours can be told apart by everybody."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from affectspace.errors import InputError
from affectspace.metrics import recalls
from affectspace.report import compare_spaces
from affectspace.report.compare import Comparison
from affectspace.report.figures import confusion, learning_curve, reliability, short, similarity, space_map
from affectspace.report.style import CLASS_COLOURS, MARKERS, RAMP, class_colours, figure_style
from affectspace.report.svg import inline_svg
from affectspace.training.run import Run

# Viénot, Brettel & Mollon 1999: linear RGB as seen without the long-wave (protan) or medium-wave (deutan) cones.
BLIND = {
    "none": np.eye(3),
    "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB, D65."""
    xyz = rgb @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(np.clip(xyz / [0.9505, 1.0, 1.089], 1e-6, None))
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def linear(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("sight", BLIND)
def test_class_colours_or_shapes_differ_for_every_sight(sight):
    seen = lab(linear(np.array([to_rgb(c) for c in CLASS_COLOURS])) @ BLIND[sight].T)
    for i in range(len(seen)):
        for j in range(i):
            assert np.linalg.norm(seen[i] - seen[j]) > 8 or MARKERS[i] != MARKERS[j]
    # The first four, all that most reports show, differ by colour alone.
    assert min(np.linalg.norm(seen[i] - seen[j]) for i in range(4) for j in range(i)) > 15
    assert len(set(MARKERS)) == len(MARKERS) == len(CLASS_COLOURS)


@pytest.mark.parametrize("sight", BLIND)
def test_the_ramp_grows_lighter_all_the_way(sight):
    colours = RAMP(np.linspace(0, 1, 21))[:, :3]
    lightness = lab(linear(colours) @ BLIND[sight].T)[:, 0]
    assert all(b > a for a, b in pairwise(lightness))
    assert lightness[-1] - lightness[0] > 35


def test_soft_labels_lie_between_their_classes():
    corners = class_colours(np.eye(4))
    assert np.allclose(corners, [to_rgb(c) for c in CLASS_COLOURS[:4]], atol=1e-6)
    middle = class_colours(np.array([[0.5, 0.5, 0, 0]]))[0]
    low, high = np.sort(corners[:2], axis=0)
    assert ((middle >= low - 1e-9) & (middle <= high + 1e-9)).all()
    # Ordered classes share one ramp: all on the middle level is half on either end.
    assert np.allclose(class_colours(np.array([[0, 1, 0]]), True), class_colours(np.array([[0.5, 0, 0.5]]), True))


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def test_confusion_shows_counts_and_recall():
    truth = np.eye(3)[[0, 0, 0, 0, 1, 1]]
    guess = np.eye(3)[[0, 0, 0, 1, 1, 2]]
    figure = Figure()
    confusion(figure.add_subplot(), truth, guess, ("a", "b", "c"))
    shown = texts(figure)
    assert recalls(truth, guess)[:2].tolist() == [0.75, 0.5]
    assert shown[:9] == ["3", "1", "0", "0", "1", "1", "0", "0", "0"]
    assert shown[9:12] == ["75\u202f%", "50\u202f%", "no items"]


def test_reliability_points_are_confidence_and_accuracy():
    probabilities = np.array([[0.75, 0.25]] * 4 + [[0.99, 0.01]] * 2)
    truth = np.eye(2)[[0, 0, 1, 1, 0, 0]]
    figure = Figure()
    upper, lower = figure.subplots(2, 1)
    reliability(upper, lower, truth, probabilities)
    assert np.allclose(upper.collections[-1].get_offsets(), [[0.75, 0.5], [0.99, 1.0]])
    assert sum(bar.get_height() for bar in lower.patches) == pytest.approx(1)


def test_similarity_joins_the_medians():
    label = np.repeat([0.0, 2.0], 50)
    embedding = np.concatenate([np.linspace(0, 1, 50), np.linspace(1.5, 2, 50)])
    ax = Figure().add_subplot()
    similarity(ax, label, embedding)
    assert np.allclose(ax.lines[-1].get_xydata(), [[0, 0.5], [2, 1.75]])


def test_a_learning_curve_marks_the_selected_epoch():
    ax = Figure().add_subplot()
    learning_curve(ax, np.arange(1, 4), np.array([0.4, 0.6, 0.5]), np.array([0.3, 0.5, 0.45]), (2,), 0.25)
    assert [line.get_xydata().tolist() for line in ax.lines][-1] == [[2.0, 0.5]]


def test_every_item_is_on_the_map_and_many_become_pixels():
    targets = np.random.default_rng(0).dirichlet(np.ones(5), 2000)
    positions = np.random.default_rng(1).normal(size=(2000, 2))
    with figure_style():
        figure = Figure(figsize=(2, 2))
        ax = figure.add_subplot()
        space_map(ax, positions, targets)
        assert sum(len(c.get_offsets()) for c in ax.collections) == 2000
        picture = inline_svg(figure, "many", "points")
    assert picture.count("data:image/png") == 1
    assert len(picture) < 150_000


def test_inline_svg_is_repeatable_inert_and_described():
    def draw(name: str) -> str:
        with figure_style():
            figure = Figure(figsize=(2, 2))
            ax = figure.add_subplot()
            ax.plot([0, 1], [0, 1])
            ax.set_title("<b>$x$ & _y</b>")
            return str(inline_svg(figure, name, 'a "quoted" <description>'))

    assert draw("one") == draw("one")
    assert not set(_ids(draw("one"))) & set(_ids(draw("two")))
    assert "&lt;b&gt;$x$ &amp; _y&lt;/b&gt;" in draw("one")
    assert 'aria-label="a &#34;quoted&#34; &lt;description&gt;"' in draw("one")
    assert "<style" not in draw("one")
    assert "<metadata" not in draw("one")


def test_words_are_drawn_unchanged_whatever_they_look_like():
    words = 'v1.2345 font: 12px bold <b> data:image/png;base64,AAAA <g id="x"'
    with figure_style():
        figure = Figure(figsize=(2, 2))
        ax = figure.add_subplot()
        ax.plot([0, 1], [0, 1 / 3])
        ax.set_title(words)
        ax.text(0, 0, "  two  spaces  ")
        svg = str(inline_svg(figure, "words", "words"))
    drawn = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]
    assert words in drawn
    assert "  two  spaces  " in drawn
    attributes = [value for e in ElementTree.fromstring(svg).iter() for value in e.attrib.values()]
    assert not any(re.search(r"\d\.\d{3}", value) for value in attributes)


def _ids(svg: str) -> list[str]:
    return [part.split('"')[0] for part in svg.split(' id="')[1:]]


def test_short_names():
    assert short("neutral") == "neutral"
    assert short("a  name\nthat is far too long") == "a name that i…"


def test_names_are_unique(make_run):
    runs = [Run(make_run("x", "same", seed=s, snapshots=(), items=30)) for s in (0, 1, 1)]
    names = Comparison(tuple(runs)).names
    assert len(set(names)) == 3
    assert names == tuple(f"same ({run.path.parent.name})" for run in runs)


@pytest.fixture(scope="module")
def pair(make_run) -> list[Run]:
    return [Run(make_run(name, name, items=60, snapshots=())) for name in ("ce", "kl")]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_pictures_of_spaces(pair, tmp_path, suffix):
    path = compare_spaces(pair, tmp_path / f"spaces{suffix}")
    assert path.stat().st_size > 10_000


def test_a_picture_is_repeatable(pair, tmp_path):
    one = compare_spaces([pair[1]], tmp_path / "a.png").read_bytes()
    assert one == compare_spaces([pair[1]], tmp_path / "b.png").read_bytes()


def test_pictures_that_cannot_be(pair, make_run, tmp_path):
    with pytest.raises(InputError, match=r"x\.jpg ends in '\.jpg'; a picture is \.png, \.svg, \.pdf"):
        compare_spaces([pair[0]], tmp_path / "x.jpg")
    with pytest.raises(InputError, match="no runs to draw"):
        compare_spaces([], tmp_path / "x.png")
    other = make_run("far", "far", corpus="urdu", snapshots=(), items=40)
    with pytest.raises(InputError, match="cannot be drawn side by side: ce and far were not judged on the same items"):
        compare_spaces([pair[0], Run(other)], tmp_path / "x.png")
    assert not list(tmp_path.iterdir())
