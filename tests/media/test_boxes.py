"""The part of a picture that an item is."""

import numpy as np
import pytest

from affectspace.errors import MediaError
from affectspace.media import crop_box


def test_a_box_is_cut_to_the_pixel_and_its_edge_repeated():
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8, 1)
    assert np.array_equal(crop_box(pixels, "2 1 3 4"), pixels[1:5, 2:5])
    wide = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), mode="edge")
    assert np.array_equal(crop_box(pixels, "-2 -2 12 10"), wide)
    assert np.array_equal(crop_box(pixels, "6.0 4.4 3 3"), wide[6:9, 8:11])


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ("8 0 2 2", "lies outside a picture of 8 x 6 pixels"),
        ("0 -3 2 3", "lies outside a picture of 8 x 6 pixels"),
        ("0 0 0 2", "0 x 2 pixels; legal: 1 x 1 to 50,000,000 pixels"),
        ("0 0 1e9 1e9", "legal: 1 x 1 to 50,000,000 pixels"),
        ("1 2 3", "give left, top, width and height"),
        ("1,2,3,4", "give left, top, width and height"),
        ("0 0 nan 4", "give left, top, width and height"),
        ("0 0 inf 4", "give left, top, width and height"),
    ],
)
def test_a_box_that_is_none_is_told(box, words):
    with pytest.raises(MediaError, match=words):
        crop_box(np.zeros((6, 8, 1), np.uint8), box)
