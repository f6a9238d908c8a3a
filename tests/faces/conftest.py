"""Pictures and videos with faces that a finder of the tests sees: bright squares before a dark wall."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from affectspace.faces import cropping
from affectspace.features.face import Face
from affectspace.features.face_finder import wanted


class BrightFinder:
    """Takes bright squares for faces, and counts how often it was asked."""

    asked = 0

    def __init__(self, name, find="largest"):
        self.find, self.fingerprint = find, f"{name} {find}"

    def __call__(self, pixels):
        type(self).asked += 1
        marked, _ = ndimage.label(pixels[..., 0] >= 150)
        places = ndimage.find_objects(marked)
        boxes = [(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in places]
        return wanted(self.find, [Face(*map(float, box), 1.0) for box in boxes if min(box[2:]) > 4])


@pytest.fixture(autouse=True)
def finder(monkeypatch):
    BrightFinder.asked = 0
    monkeypatch.setattr(cropping, "named_finder", BrightFinder)
    return BrightFinder


@pytest.fixture
def scene():
    """``scene(seed, (left, top, side), ...)``: uint8 pixels of a wall with faces, all of them noise."""

    def draw(seed, *faces, size=(90, 120)):
        random = np.random.default_rng(seed)
        pixels = random.integers(0, 90, (*size, 3), dtype=np.uint8)
        for left, top, side in faces:
            pixels[top : top + side, left : left + side] = random.integers(160, 256, (side, side, 3))
        return pixels

    return draw


@pytest.fixture
def save(scene):
    """``save(path, seed, face, ...)`` draws a scene into a file and gives its pixels back."""

    def write(path, seed, *faces, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = scene(seed, *faces)
        Image.fromarray(pixels).save(path, **options)
        return pixels

    return write


@pytest.fixture
def film():
    """``film(path, pictures)``: a lossless video of three pictures a second."""
    av = pytest.importorskip("av")

    def write(path, pictures):
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format="mov") as out:
            stream = out.add_stream("png", rate=3)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "rgb24"
            for pixels in pictures:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            out.mux(stream.encode(None))
        return path

    return write
