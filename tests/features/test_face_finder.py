"""Faces are found where they are, the same ones every time, and not where there are none."""

import importlib.util
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.errors import InputError
from affectspace.features.face import Face
from affectspace.features.face_finder import CascadeFinder, _gathered, overlaps, wanted

random = np.random.default_rng(0)


def boxes(number):
    return np.concatenate([random.uniform(0, 50, (number, 2)), random.uniform(1, 40, (number, 2))], axis=1)


def test_overlaps_are_those_of_pixels_counted_one_by_one():
    places = np.rint(boxes(8)).astype(int)
    masks = np.zeros((8, 100, 100), bool)
    for mask, (left, top, width, height) in zip(masks, places):
        mask[top : top + height, left : left + width] = True
    counted = [[(a & b).sum() / (a | b).sum() for a in masks] for b in masks]
    assert np.allclose(overlaps(places), counted)


def test_the_largest_comes_first_and_ties_are_settled():
    faces = [Face(9, 0, 4, 4, 0.5), Face(1, 2, 5, 5, 0.9), Face(0, 0, 4, 4, 0.7), Face(3, 0, 4, 4, 0.5)]
    order = [faces[1], faces[2], faces[3], faces[0]]
    assert wanted("all", faces) == wanted("all", faces[::-1]) == order
    assert wanted("largest", faces) == order[:1]
    assert wanted("largest", []) == []


def test_windows_that_agree_are_one_face_and_stray_ones_are_none():
    here = np.array([50, 60, 40, 40]) + random.integers(-3, 4, (12, 4))
    there = np.array([200, 20, 60, 60]) + random.integers(-3, 4, (20, 4))
    stray = np.array([[300, 200, 40, 40], [55, 80, 12, 12]])  # one in the texture, one on a chin
    found = _gathered(np.concatenate([here, stray, there]).astype(float))
    assert [score for _, score in found] == [20, 12]
    for (box, _), group in zip(found, (there, here)):
        assert box == pytest.approx(group.mean(axis=0))
    assert _gathered(np.zeros((0, 4))) == []


@pytest.mark.parametrize(
    "settings", [{"find": "first"}, {"smallest": 0}, {"smallest": 1.5}, {"smallest": float("nan")}]
)
def test_settings_that_mean_nothing(settings):
    with pytest.raises(InputError, match=r"cannot find 'first'; legal: largest, all|smallest is .* at most 1"):
        CascadeFinder(**settings)


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'scikit-image, not installed; pip install "affectspace\[faces\]", or give'):
        CascadeFinder()


# the cascade itself

needs_cascade = pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="needs scikit-image")


@needs_cascade
@pytest.mark.parametrize("shape", [(10, 10, 1), (24, 200, 3), (48, 48, 1), (300, 400, 3)])
def test_no_face_in_noise_or_in_nothing(shape):
    assert CascadeFinder()(random.integers(0, 256, shape, dtype=np.uint8)) == []
    assert CascadeFinder()(np.zeros(shape, np.uint8)) == []


@needs_cascade
def test_the_fingerprint_names_settings_version_and_model():
    prints = {finder.fingerprint for finder in (CascadeFinder(), CascadeFinder("all"), CascadeFinder(smallest=0.3))}
    assert len(prints) == 3
    assert all("cascade/1 scikit-image=" in each and "model=" in each for each in prints)


@needs_cascade
@pytest.mark.parametrize(("flip", "crop"), [(False, (0, 0)), (True, (0, 0)), (False, (60, 40))])
def test_a_photograph_of_a_face(flip, crop):
    """The astronaut of scikit-image: her face is about 100 pixels wide, about column 224 and row 120 of 512."""
    from skimage.data import astronaut

    pixels = astronaut()[crop[1] :, crop[0] :]
    middle = np.array([224 - crop[0], 120 - crop[1]])
    if flip:
        pixels, middle = pixels[:, ::-1], np.array([512 - middle[0], middle[1]])
    found = CascadeFinder()(pixels)
    assert all(CascadeFinder()(pixels) == found for _ in range(3))  # threads may come in any order
    (face,) = found
    assert 85 < face.width == face.height < 125
    assert np.abs([face.left + face.width / 2, face.top + face.height / 2] - middle).max() < 12
    assert face.landmarks is None


def canvas(face, side, left, top, height=360, width=480):
    """A face in front of a wall with a soft shadow."""
    wall = np.add.outer(np.linspace(60, 120, height), np.linspace(0, 60, width))
    wall[top : top + side, left : left + side] = np.asarray(face.resize((side, side), Image.Resampling.BICUBIC))
    return np.rint(wall).astype(np.uint8)[..., None]


@needs_cascade
@pytest.mark.real
def test_real_faces_are_found_where_they_are(real_data):
    table = pd.read_parquet(next((real_data / "faces/ckplus48").glob("*.parquet"))).drop_duplicates("subject")
    finder, hits = CascadeFinder(), 0
    for content in table["image"][:8]:
        side = int(random.integers(80, 180))
        left, top = (int(random.integers(0, room - side)) for room in (480, 360))
        pixels = canvas(Image.open(io.BytesIO(content)).convert("L"), side, left, top)
        found = finder(pixels)
        assert finder(pixels) == found  # threads may come in any order
        if found:
            (face,) = found
            middle = np.array([face.left + face.width / 2 - left, face.top + face.height / 2 - top]) / side
            hits += np.abs(middle - 0.5).max() < 0.15 and 0.6 < face.width / side < 1.4
    assert hits == 8
