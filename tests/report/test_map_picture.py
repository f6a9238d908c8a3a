"""Every item has its place, colour and name on a map; what nobody could tell apart is grey."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from affectspace.errors import InputError
from affectspace.report.figures import legible_on
from affectspace.report.map_colours import MOST_SHAPES, colour_groups, shapes_of
from affectspace.report.map_picture import Drawn, _apart, draw_maps
from affectspace.report.style import CLASS_COLOURS, RAMP


def places(count: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 2))


def test_every_item_is_in_one_group_and_those_without_a_value_in_the_last():
    column = pd.Series(["sad", "happy", None, "sad", "odd"])
    groups = colour_groups(column, ["happy", "sad", "angry"])
    assert [group.name for group in groups] == ["happy", "sad", "odd", "unknown"]
    assert (np.stack([group.rows for group in groups]).sum(0) == 1).all()
    assert not groups[-1].known


def test_a_class_keeps_its_colour_whoever_is_there():
    def colour(values):
        return {group.name: group.colour for group in colour_groups(pd.Series(values), ["a", "b", "c"])}

    assert colour(["b", "c"])["c"] == colour(["a", "b", "c"])["c"]


def test_of_many_values_the_frequent_ten_have_colours_and_the_others_are_grey():
    column = pd.Series([f"s{number:02d}" for number in range(14) for _ in range(20 - number)])
    groups = colour_groups(column)
    assert [group.name for group in groups] == [*(f"s{number:02d}" for number in range(10)), "4 others"]
    assert len({group.colour for group in groups}) == 11
    assert len({group.marker for group in groups[:10]}) == 10 <= len(CLASS_COLOURS)


def test_levels_and_numbers_lie_on_a_ramp():
    groups = colour_groups(pd.Series(["old", "young"]), ["young", "middle", "old"], ordered=True)
    assert [group.name for group in groups] == ["young", "old"]
    assert groups[0].colour == tuple(RAMP(0.0)[:3])
    assert groups[1].colour == tuple(RAMP(1.0)[:3])
    whole, low, middle, high = colour_groups(pd.Series(np.arange(21.0)))
    assert [low.name, middle.name, high.name] == ["0", "10", "20"]
    assert whole.rows.all()
    assert np.allclose(whole.colours[10], RAMP(0.5)[:3])


def test_shapes_follow_names_and_not_who_is_there_most():
    column = pd.Series(["ur", "de", None, "en", "ur", "ur"], name="language")
    shapes = shapes_of(column)
    assert [shape.name for shape in shapes] == ["de", "en", "ur", "unknown"]
    assert len({shape.marker for shape in shapes}) == 4
    assert (np.stack([shape.rows for shape in shapes]).sum(0) == 1).all()
    with pytest.raises(
        InputError, match="column 'n' has 9 values, and people tell at most 8 shapes apart; choose a col"
    ):
        shapes_of(pd.Series(range(MOST_SHAPES + 1), name="n"))


def test_where_shapes_tell_another_column_every_item_has_the_shape_of_one_and_the_colour_of_the_other(
    monkeypatch, tmp_path
):
    drawn = []
    whole = Axes.scatter

    def scatter(self, x, y, **look):
        fill = look["c"] if "c" in look else np.full((len(x), 3), np.nan)
        drawn.extend((a, b, look["marker"], *colour) for a, b, colour in zip(x, y, fill))
        return whole(self, x, y, **look)

    monkeypatch.setattr(Axes, "scatter", scatter)
    label = pd.Series(["a", "b", None, "a"] * 10, name="label")
    language = pd.Series((["de"] * 7 + ["ur"] * 3) * 4, name="language")
    new, spoken = pd.Series(["b", "a"]), pd.Series(["ur", "de"])
    each = Drawn("one", places(), placed=places(2, seed=3))
    path = draw_maps([each], label, tmp_path / "x.svg", placed=new, markers=language, placed_markers=spoken)
    at = {(x, y): (marker, colour) for x, y, marker, *colour in drawn}
    assert len(at) == len(drawn) == 42
    colours = {group.name: group.colour for group in colour_groups(label)}
    marker = {"de": "o", "ur": "^"}
    everything = zip([*each.positions, *each.placed], [*label, *new], [*language, *spoken], strict=True)
    for (x, y), name, tongue in everything:
        shown, colour = at[x, y]
        assert shown == marker[tongue]
        assert np.isnan(colour).all() if pd.isna(name) else tuple(colour) == pytest.approx(colours[name])
    words = path.read_text(encoding="utf-8")
    for told in ("label", "language", "a", "b", "unknown", "de", "ur", "new item"):
        assert f">{told}</text>" in words


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_picture_is_written_and_the_same_twice(tmp_path, kind):
    column = pd.Series(["<b>happy</b>", "sad", None, "_odd"] * 10, name="label")
    drawn = [Drawn("one", places(), [("<b>happy</b>", 0), ("sad", 1)]), Drawn("two $x$", places(seed=1))]
    one, two = (draw_maps(drawn, column, tmp_path / f"{n}.{kind}", about="40 items.") for n in range(2))
    if kind == "svg":
        words = one.read_text(encoding="utf-8")
        assert "&lt;b&gt;happy&lt;/b&gt;" in words
        assert "<b>" not in words
        for told in ("two $x$", "_odd", "unknown", "40 items.", "near points are items"):
            assert told in words
    else:
        assert one.read_bytes() == two.read_bytes()
        with Image.open(one) as image:
            assert image.width > image.height > 500


def test_placed_items_are_ringed_and_told(tmp_path):
    drawn = Drawn("one", places(), placed=places(3, seed=2))
    path = draw_maps([drawn], pd.Series(["a", "b"] * 20), tmp_path / "x.svg", placed=pd.Series(["a", None, "b"]))
    words = path.read_text(encoding="utf-8")
    assert ">new item</text>" in words
    assert "Items with black edges are new" in words
    assert "unknown" in words


def test_names_that_lie_upon_each_other_are_moved_apart():
    figure = Figure()
    ax = figure.add_subplot()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    names = [ax.annotate(name, (0.5, 0.5), (0, 9), textcoords="offset points") for name in ("one", "two", "three")]
    figure.draw_without_rendering()
    ring = ax.transData.transform([[0.5, 0.52]])
    _apart(names, ax, ring)
    figure.draw_without_rendering()
    boxes = [name.get_window_extent() for name in names]
    assert not any(box.contains(*ring[0]) for box in boxes)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_numbers_stay_legible():
    assert legible_on("#0b3c6d") == "white"
    assert legible_on("#e3edf7") != "white"


def test_errors(tmp_path):
    with pytest.raises(InputError, match=r"x\.gif ends in '\.gif'; a picture is \.png, \.svg, \.pdf"):
        draw_maps([Drawn("one", places())], pd.Series(["a"] * 40), tmp_path / "x.gif")
    with pytest.raises(InputError, match="there is no map to draw"):
        draw_maps([], pd.Series(["a"]), tmp_path / "x.png")
    with pytest.raises(InputError, match="the map one has 40 items and the column 3"):
        draw_maps([Drawn("one", places())], pd.Series(["a"] * 3), tmp_path / "x.png")
    assert not list(tmp_path.iterdir())
