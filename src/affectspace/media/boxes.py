"""The part of a picture that an item is: a box, as a table of items names it."""

import numpy as np

from affectspace.errors import MediaError
from affectspace.media.images import MAX_PIXELS

__all__ = ["crop_box", "read_box"]


def read_box(box: str) -> tuple[int, int, int, int]:
    """Left, top, width and height of a box that is written ``"left top width height"``, in whole pixels.

    Raises:
        MediaError: not four numbers, or no pixel, or too many.

    Example:
        >>> read_box("-2 4.4 10 10")
        (-2, 4, 10, 10)
    """
    try:
        left, top, width, height = (round(float(number)) for number in box.split())
    except (ValueError, OverflowError):  # the wrong count too
        raise MediaError(
            f"box is {box!r}; give left, top, width and height in pixels with blanks between, or leave it empty"
        ) from None
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise MediaError(
            f"box {box!r} is {width} x {height} pixels; legal: 1 x 1 to {MAX_PIXELS:,} pixels in all; correct it"
        )
    return left, top, width, height


def crop_box(pixels: np.ndarray, box: str) -> np.ndarray:
    """The part of a picture that an item is, to the pixel; beyond the picture its edge pixels are repeated.

    Args:
        pixels: uint8 ``(height, width, 1 or 3)``.
        box: ``"left top width height"`` in pixels, as the column ``box`` of a corpus has it; rounded to whole ones.

    Returns:
        uint8 ``(height of the box, width of the box, 1 or 3)``.

    Raises:
        MediaError: a box that is not four numbers, has no pixel or too many, or lies outside the picture.

    Example:
        >>> crop_box(np.arange(12, dtype=np.uint8).reshape(3, 4, 1), "2 -1 2 3")[..., 0].tolist()
        [[2, 3], [2, 3], [6, 7]]
    """
    left, top, width, height = read_box(box)
    high, wide = pixels.shape[:2]
    if left >= wide or top >= high or left + width <= 0 or top + height <= 0:
        raise MediaError(f"box {box!r} lies outside a picture of {wide} x {high} pixels; correct it or leave it empty")
    rows = np.clip(np.arange(top, top + height), 0, high - 1)
    columns = np.clip(np.arange(left, left + width), 0, wide - 1)
    return pixels[rows[:, None], columns]
