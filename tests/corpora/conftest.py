"""Tiny images, made as they are asked for."""

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def picture():
    """``picture(seed)``: the bytes of a grey PNG of 4 x 4, or of another side; each seed gives other pixels."""

    def make(seed: int = 0, kind: str = "png", side: int = 4) -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format=kind)
        return buffer.getvalue()

    return make


@pytest.fixture
def plant_images(tmp_path, picture):
    """``plant_images("a/b.png", ...)``: images that differ, with what a Mac leaves behind; gives the root."""

    def plant(*names: str, side: int = 4):
        for seed, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = {"jpg": "jpeg", "tif": "tiff"}.get(path.suffix[1:].lower(), path.suffix[1:].lower())
            path.write_bytes(picture(seed, kind, side))
            (path.parent / f"._{path.name}").touch()
        return tmp_path

    return plant
