"""Pictures to square crops of one size."""

from typing import Literal

import numpy as np
from PIL import Image

from affectspace.errors import InputError, MediaError
from affectspace.features.face import Face, FaceFinder
from affectspace.media import as_colour

__all__ = ["CHANNELS", "NO_FACE", "crop_face", "find_and_crop", "fit_square", "in_colour", "refuse_crop"]

CHANNELS = {"grey": 1, "rgb": 3}
NO_FACE = "no face found"  # how the reason begins why a picture, or a video, has no crop
MARGIN = 0.1  # of the face's size, added on every side
LEFT_EYE, RIGHT_EYE = (0.31, 0.37), (0.69, 0.37)  # of a crop's side: where eyes lie in FER2013 and CK+, on average
CORNERS = ((-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5))  # of a crop: along its upper edge, and down from it
NEAREST_EYES = 2.0  # pixels between eyes, below which their line says nothing


def refuse_crop(side: int, colour: str) -> None:
    """Refuse settings of crops that would show no face.

    Raises:
        InputError: a side below 8, or another colour.
    """
    if side < 8:
        raise InputError(f"side is {side}; a crop of a face has at least 8 pixels a side")
    if colour not in CHANNELS:
        raise InputError(f"colour is {colour!r}; legal: {', '.join(CHANNELS)}")


def in_colour(pixels: np.ndarray, colour: Literal["rgb", "grey"]) -> np.ndarray:
    """Grey or RGB pixels as grey or RGB, whichever is asked for; see :func:`~affectspace.media.as_colour`.

    Args:
        pixels: uint8 ``(height, width, channels)``: 1 channel is grey, 3 are RGB. Arrays of OpenCV are BGR.
        colour: ``"grey"`` or ``"rgb"``.

    Returns:
        uint8 ``(height, width, 1 or 3)``; the pixels themselves where they have the colour already.

    Raises:
        InputError: pixels of another shape or type.
        ValueError: another colour.
    """
    return as_colour(pixels, "grey" if pixels.ndim == 3 and pixels.shape[2] == 1 else "rgb", colour)


def fit_square(pixels: np.ndarray, side: int) -> np.ndarray:
    """A picture of a face, cropped by somebody already, as a square of ``side`` pixels.

    The largest square in its middle is resized (bicubic, antialiased). Of a picture that is not square the ends of the
    longer side are lost, and proportions stay: stretched, a face gets a narrower mouth and higher brows, which are what
    an expression is read from. A picture of this very size comes back untouched.

    Args:
        pixels: uint8 ``(height, width, 1 or 3)``.
        side: of the square.

    Returns:
        uint8 ``(side, side, 1 or 3)``.

    Raises:
        ValueError: a side below 1, or pixels of another shape or type.

    Example:
        >>> fit_square(np.zeros((60, 80, 3), dtype=np.uint8), 48).shape
        (48, 48, 3)
    """
    _refuse(pixels, side)
    height, width = pixels.shape[:2]
    if height == width == side:
        return pixels
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    square = _image(pixels[top : top + short, left : left + short])
    return _pixels(square.resize((side, side), Image.Resampling.BICUBIC))


def crop_face(pixels: np.ndarray, face: Face, side: int) -> np.ndarray:
    """A face that was found, with a margin, as a square of ``side`` pixels.

    With landmarks the face is turned, moved and scaled, and nothing else (a similarity transform), until its eyes lie
    on a level line at fixed places. Without, the crop is a square about the middle of its box, a tenth of the longer
    side wider at every edge. Beyond the picture its edge pixels are repeated. Bicubic, antialiased.

    Args:
        pixels: uint8 ``(height, width, 1 or 3)``.
        face: in these pixels.
        side: of the square.

    Returns:
        uint8 ``(side, side, 1 or 3)``.

    Raises:
        ValueError: a side below 1, or pixels of another shape or type.
        MediaError: a face that lies outside the picture.

    Example:
        >>> from affectspace.features import Face
        >>> crop_face(np.zeros((60, 80, 1), dtype=np.uint8), Face(10, 10, 20, 20, 1.0), 24).shape
        (24, 24, 1)
    """
    _refuse(pixels, side)
    centre, along = _square(face)
    span = float(np.hypot(*along))  # the crop's side in the picture's pixels
    corners = centre + np.array([[a * along[0] - b * along[1], a * along[1] + b * along[0]] for a, b in CORNERS])
    height, width = pixels.shape[:2]
    low, high = np.floor(corners.min(axis=0)).astype(int) - 2, np.ceil(corners.max(axis=0)).astype(int) + 2
    if (high <= 0).any() or (low >= (width, height)).any():
        raise MediaError(f"the face at {face.left:g}, {face.top:g} lies outside a picture of {width} x {height} pixels")
    rows, columns = (np.clip(np.arange(low[k], high[k]), 0, (width, height)[k] - 1) for k in (1, 0))
    region = _image(pixels[rows[:, None], columns])
    # Turning reads single pixels: what would be lost between them is averaged into a smaller copy first.
    shrink = min(1.0, side / span)
    size = max(1, round(region.width * shrink)), max(1, round(region.height * shrink))
    origin, shrunk = corners[0] - low, (size[0] / region.width, size[1] / region.height)
    if along[1] == 0:
        box = (origin[0], origin[1], origin[0] + span, origin[1] + span)
        return _pixels(region.resize((side, side), Image.Resampling.BICUBIC, box=box))
    copy = region.resize(size, Image.Resampling.BICUBIC)
    step = along / side
    matrix = (
        step[0] * shrunk[0], -step[1] * shrunk[0], origin[0] * shrunk[0],
        step[1] * shrunk[1], step[0] * shrunk[1], origin[1] * shrunk[1],
    )  # fmt: skip
    return _pixels(copy.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))


def find_and_crop(pixels: np.ndarray, finder: FaceFinder, side: int, where: str) -> np.ndarray:
    """The first face that is found, as :func:`crop_face` crops it.

    Args:
        pixels: uint8 ``(height, width, 1 or 3)``.
        finder: finds faces, the wanted one first.
        side: of the square.
        where: what the picture is called in an error.

    Returns:
        uint8 ``(side, side, 1 or 3)``.

    Raises:
        MediaError: no face is found, or only outside the picture.
    """
    faces = finder(pixels)
    if not faces:
        raise MediaError(f"{NO_FACE} in {where}; leave it out, or crop its face yourself")
    return crop_face(pixels, faces[0], side)


def _square(face: Face) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the crop, and its upper edge from left to right, in the picture's pixels."""
    if face.landmarks is not None:
        left, right = np.array(face.landmarks[0]), np.array(face.landmarks[1])
        between = right - left
        if np.hypot(*between) >= NEAREST_EYES:
            along = between / (RIGHT_EYE[0] - LEFT_EYE[0])
            down = np.array([-along[1], along[0]])
            return (left + right) / 2 + down * (0.5 - LEFT_EYE[1]), along
    middle = np.array([face.left + face.width / 2, face.top + face.height / 2])
    return middle, np.array([max(face.width, face.height) * (1 + 2 * MARGIN), 0.0])


def _refuse(pixels: np.ndarray, side: int = 1) -> None:
    if side < 1:
        raise ValueError(f"side is {side}; a crop has at least 1 pixel a side")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in {1, 3} or not pixels.size:
        raise ValueError(f"pixels are {pixels.dtype} of shape {pixels.shape}; legal: uint8 (height, width, 1 or 3)")


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _pixels(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels
