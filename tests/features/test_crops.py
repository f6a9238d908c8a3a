"""Crops keep what they are given: to the bit where nothing need change, and in its place where something must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.features.crops import LEFT_EYE, RIGHT_EYE, crop_face, fit_square, in_colour
from affectspace.features.face import Face

random = np.random.default_rng(0)


def ramp(height, width, across=1.0, down=0.5):
    """Grey that grows by a plane: resized or moved by any means, it stays one."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.rint(across * x + down * y).astype(np.uint8)[..., None]


def spots(places, height=220, width=260):
    """One soft spot in each channel, about its place (x, y)."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    layers = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / 50) for px, py in places]
    return np.rint(255 * np.stack(layers, axis=2)).astype(np.uint8)


def centres(pixels):
    """Where the spot in each channel is."""
    x, y = np.meshgrid(np.arange(pixels.shape[1]) + 0.5, np.arange(pixels.shape[0]) + 0.5)
    weights = pixels.astype(float) ** 2
    return [((w * x).sum() / w.sum(), (w * y).sum() / w.sum()) for w in np.moveaxis(weights, 2, 0)]


def test_grey_is_the_brightness_of_the_standard():
    rgb = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    grey = in_colour(rgb, "grey")
    assert grey.shape == (20, 30, 1)
    assert np.abs(grey[..., 0] - rgb @ np.array([0.299, 0.587, 0.114])).max() <= 0.51
    blue_first = in_colour(rgb[..., ::-1], "grey")
    assert not np.array_equal(grey, blue_first)


def test_colours_that_are_there_already_are_not_touched():
    for channels, colour in ((1, "grey"), (3, "rgb")):
        pixels = random.integers(0, 256, (5, 6, channels), dtype=np.uint8)
        assert in_colour(pixels, colour) is pixels
    grey = random.integers(0, 256, (5, 6, 1), dtype=np.uint8)
    assert np.array_equal(in_colour(grey, "rgb"), np.concatenate([grey] * 3, axis=2))
    assert np.array_equal(in_colour(in_colour(grey, "rgb"), "grey"), grey)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_of_this_size_comes_back_to_the_bit(channels):
    pixels = random.integers(0, 256, (48, 48, channels), dtype=np.uint8)
    assert fit_square(pixels, 48) is pixels


def test_fine_detail_is_averaged_and_not_sampled():
    board = (np.indices((192, 192)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    assert fit_square(board, 48).std() < 3
    face = Face(25, 25, 140, 140, 1.0)
    assert crop_face(board, face, 48).std() < 3
    tilted = Face(0, 0, 1, 1, 1.0, ((66, 80), (120, 90), (0, 0), (0, 0), (0, 0)))
    assert crop_face(board, tilted, 48).std() < 6


@pytest.mark.parametrize("shape", [(60, 100), (100, 60)])
def test_the_middle_square_is_kept_and_the_ends_are_not(shape):
    pixels = np.full((*shape, 3), 255, np.uint8)
    pixels[(shape[0] - 60) // 2 : (shape[0] + 60) // 2, (shape[1] - 60) // 2 : (shape[1] + 60) // 2] = 7
    assert (fit_square(pixels, 48) == 7).all()


def test_proportions_stay():
    pixels = ramp(40, 90)
    fitted = fit_square(pixels, 20)[..., 0].astype(float)
    assert np.diff(fitted, axis=1).mean() == pytest.approx(2, abs=0.1)
    assert np.diff(fitted, axis=0).mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("side", [12, 30, 96])
def test_a_box_is_cropped_about_its_middle_with_a_margin(side):
    crop = crop_face(ramp(120, 160), Face(50, 20, 30, 40, 1.0), side)[..., 0]
    span = 40 * 1.2
    x, y = np.meshgrid((np.arange(side) + 0.5) * span / side, (np.arange(side) + 0.5) * span / side)
    assert np.abs(crop - ((65 - span / 2 + x) + 0.5 * (40 - span / 2 + y))).max() < 1.6


@given(
    x=st.floats(80, 160), y=st.floats(70, 140), distance=st.floats(24, 60), degrees=st.floats(-60, 60),
    side=st.sampled_from([48, 64, 100]),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_eyes_come_to_their_places_and_everything_else_moves_with_them(x, y, distance, degrees, side):
    """A similarity transform, as complex numbers: from one eye, in units of the way to the other."""
    half = distance / 2 * np.exp(1j * np.radians(degrees))
    left, right = x + 1j * y - half, x + 1j * y + half
    third = left + (0.5 + 0.5j) * (right - left)
    places = [(point.real, point.imag) for point in (left, right, third)]
    crop = crop_face(spots(places), Face(0, 0, 1, 1, 1.0, (*places, (0, 0), (0, 0))), side)
    to_left, to_right = complex(*LEFT_EYE), complex(*RIGHT_EYE)
    wanted = [to_left, to_right, to_left + (0.5 + 0.5j) * (to_right - to_left)]
    for (found_x, found_y), place in zip(centres(crop), wanted):
        assert (found_x, found_y) == pytest.approx((place.real * side, place.imag * side), abs=0.8)


def test_a_turned_picture_gives_the_same_crop():
    pixels = spots([(90, 100), (140, 110), (110, 150)])
    points = ((90, 100), (140, 110), (112, 130), (95, 150), (130, 155))
    upright = crop_face(pixels, Face(70, 70, 100, 100, 1.0, points), 48)
    turned = tuple((y, 260 - x) for x, y in points)  # a quarter of a turn to the left
    crop = crop_face(np.rot90(pixels), Face(70, 90, 100, 100, 1.0, turned), 48)
    assert np.abs(upright.astype(int) - crop).max() <= 12


def test_level_eyes_and_nearly_level_eyes_give_nearly_one_crop():
    pixels = spots([(90, 100), (140, 100), (115, 150)])
    level, nearly = (
        crop_face(pixels, Face(0, 0, 1, 1, 1.0, ((90, 100), (140, 100 + tilt), (0, 0), (0, 0), (0, 0))), 60)
        for tilt in (0, 1e-6)
    )
    assert np.abs(level.astype(int) - nearly).max() <= 12


def test_eyes_that_coincide_say_nothing_so_the_box_counts():
    pixels, points = ramp(100, 100), ((50.0, 50.0),) * 5
    assert np.array_equal(
        crop_face(pixels, Face(30, 30, 40, 40, 1.0, points), 24), crop_face(pixels, Face(30, 30, 40, 40, 1.0), 24)
    )


@pytest.mark.parametrize("landmarks", [None, ((-6, 5), (14, 9), (0, 0), (0, 0), (0, 0))])
def test_beyond_the_edge_the_edge_is_repeated(landmarks):
    pixels = np.full((50, 50, 3), 90, np.uint8)
    assert np.abs(crop_face(pixels, Face(-20, -20, 50, 50, 1.0, landmarks), 32).astype(int) - 90).max() <= 1


def test_errors():
    pixels = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(ValueError, match=r"the face at 80, 10 lies outside a picture of 50 x 50 pixels"):
        crop_face(pixels, Face(80, 10, 20, 20, 1.0), 48)
    with pytest.raises(ValueError, match="side is 0; a crop has at least 1 pixel a side"):
        fit_square(pixels, 0)
    for wrong in (pixels[..., 0], pixels.astype(float), np.zeros((5, 5, 4), np.uint8), pixels[:0]):
        with pytest.raises(ValueError, match=r"pixels are .* of shape .*; legal: uint8 \(height, width, 1 or 3\)"):
            fit_square(wrong, 48)
