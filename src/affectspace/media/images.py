"""Image files to pixels: upright, eight bits, grey or colour, and a sentence instead of a traceback."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

# Each registers a format that is read; naming them spares the search for all that Pillow has.
from PIL import (  # noqa: F401
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from affectspace.errors import InputError, MediaError
from affectspace.files import packed
from affectspace.media.packed import packed_image

__all__ = ["ImageInfo", "as_colour", "image_info", "pixels_sha256", "read_image"]

MAX_PIXELS = 50_000_000  # of an image that is decoded at all: a large camera's; more is a mistake or an attack
# Of what Pillow knows, no format that starts other programs (EPS) or is decoded before its size is known (ICO).
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)  # ITU-R 601 in steps of 1 / 65536, as Pillow has it
CHANNELS = {"rgb": 3, "bgr": 3, "grey": 1}


@dataclass(frozen=True)
class ImageInfo:
    """How large an image is, in pixels, once it is upright."""

    width: int
    height: int


def image_info(path: str | Path) -> ImageInfo:
    """Width and height from the header, without decoding.

    Args:
        path: a file, or a row of a table; see :func:`read_image`.

    Raises:
        MediaError: no such file, empty, or not an image.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "face.png"
        >>> Image.new("L", (48, 64)).save(path)
        >>> image_info(path)
        ImageInfo(width=48, height=64)
    """
    content = _content(path)
    if isinstance(content, np.ndarray):
        return ImageInfo(content.shape[1], content.shape[0])
    with content as file, _told(path), _opened(file, path) as image:
        width, height = image.size
        # Pillow tells the size of an upright TIFF itself. A PNG may tell its orientation behind the pixels, which
        # would have to be decoded first.
        lies = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info) and _orientation(image) > 4
        return ImageInfo(height, width) if lies else ImageInfo(width, height)


def read_image(path: str | Path, colour: Literal["rgb", "grey"] = "rgb", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The pixels of an image file, or of an image in a row of a table.

    PNG, JPEG, GIF, BMP, TIFF, WebP and PPM are read. The image is turned upright as its EXIF orientation says;
    of several frames or pages the first is read. Sixteen bits become eight by their higher byte, which is right
    for values made by shifting as well as by scaling; numbers of 32 bits, whose scale nobody knows, are refused.
    What is transparent lies on white, as a page shows it and people have seen it. Colour profiles are ignored.

    Args:
        path: the file, or a reference such as ``faces.parquet#17`` or ``fer2013.csv#17``: row 17, from 0, of a
            table whose column ``image`` holds encoded images, or ``pixels`` the grey levels of a square.
        colour: ``"rgb"``: three channels, equal ones of a grey image; ``"grey"``: one, the luma of ITU-R 601.
        max_pixels: largest width times height that is decoded at all; Pillow itself stops at 178,956,970.

    Returns:
        uint8, shape ``(height, width, channels)``, 3 channels or 1.

    Raises:
        MediaError: no such file or row, empty, not an image, truncated or corrupt, too large, or pixels of
            another scale than eight or sixteen bits.
        ValueError: another colour.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "red.png"
        >>> Image.new("RGB", (3, 2), "red").save(path)
        >>> read_image(path).shape, read_image(path)[0, 0]
        ((2, 3, 3), array([255,   0,   0], dtype=uint8))
        >>> read_image(path, "grey")[0].tolist()
        [[76], [76], [76]]
    """
    if colour not in ("rgb", "grey"):
        raise ValueError(f"colour is {colour!r}; legal: 'rgb', 'grey'")
    content = _content(path)
    if isinstance(content, np.ndarray):
        _refuse_large(path, content.shape[1], content.shape[0], max_pixels)
        return as_colour(content[..., None], "grey", colour)
    with content as file, _told(path), _opened(file, path) as image:
        _refuse_large(path, *image.size, max_pixels)
        image.load()
        pixels = _pixels(image, path)
    return as_colour(pixels, "grey" if pixels.shape[2] == 1 else "rgb", colour)


def as_colour(
    pixels: np.ndarray, given: Literal["rgb", "bgr", "grey"], wanted: Literal["rgb", "bgr", "grey"]
) -> np.ndarray:
    """Pixels with their channels in another order or number; nobody can tell RGB from BGR by looking at numbers.

    Args:
        pixels: uint8, shape ``(height, width, channels)``: 3, or 1 where grey is given.
        given, wanted: what the channels are, and are to be. Grey is the luma of ITU-R 601.

    Returns:
        uint8, shape ``(height, width, channels)``; the array itself where nothing changes.

    Raises:
        InputError: another type or number of channels.
        ValueError: another name of a colour.

    Example:
        >>> blue = np.array([[[255, 0, 0]]], dtype=np.uint8)
        >>> as_colour(blue, given="bgr", wanted="rgb").tolist()
        [[[0, 0, 255]]]
        >>> as_colour(blue, given="bgr", wanted="grey").tolist()
        [[[29]]]
    """
    for name in (given, wanted):
        if name not in CHANNELS:
            raise ValueError(f"a colour is {name!r}; legal: {', '.join(map(repr, CHANNELS))}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != CHANNELS[given]:
        raise InputError(
            f"pixels are {pixels.dtype} of shape {pixels.shape}; {given} pixels are uint8 of shape "
            f"(height, width, {CHANNELS[given]})"
        )
    if given == wanted:
        return pixels
    if given == "grey":
        return np.repeat(pixels, 3, axis=2)
    if wanted != "grey":
        return np.ascontiguousarray(pixels[..., ::-1])
    weights = LUMA if given == "rgb" else LUMA[::-1]
    return ((pixels @ weights + 0x8000) >> 16).astype(np.uint8)[..., None]


def pixels_sha256(pixels: np.ndarray) -> str:
    """Hexadecimal SHA-256 of what is seen: shape and values.

    One image under two names or in two lossless formats has one hash; the same numbers as a tall and as a wide
    image have two.

    Raises:
        InputError: pixels that are not uint8.

    Example:
        >>> wide = np.zeros((2, 3, 1), dtype=np.uint8)
        >>> pixels_sha256(wide) == pixels_sha256(wide.reshape(3, 2, 1))
        False
    """
    if pixels.dtype != np.uint8:
        raise InputError(f"pixels are {pixels.dtype}; pixels are uint8, from 0 to 255")
    return hashlib.sha256(f"{pixels.shape} ".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _content(path: str | Path) -> BinaryIO | np.ndarray:
    """An open file of an encoded image, or the grey levels of a row."""
    table, row = packed(path)
    if row is not None:
        held = packed_image(table, row)
        return held if isinstance(held, np.ndarray) else io.BytesIO(held)
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise MediaError(f"there is no file {path}; check the path in the table") from None
    except (OSError, ValueError) as error:  # a path that holds a zero byte is a ValueError
        raise MediaError(f"{path} cannot be opened: {getattr(error, 'strerror', error)}") from error
    if not file.seek(0, 2):
        file.close()
        raise MediaError(f"{path} is an empty file of 0 bytes; copy it anew")
    file.seek(0)
    return file


@contextmanager
def _told(path: str | Path) -> Iterator[None]:
    """Whatever a decoder raises, as a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which is no matter of the pixels
        try:
            yield
        except MediaError:
            raise
        except Exception as error:  # decoders meet broken bytes with errors of every kind, IndexError and such too
            told = str(error).rstrip(".") or type(error).__name__
            raise MediaError(f"{path} is truncated or corrupt: {told}; copy it anew") from error


def _opened(file: BinaryIO, path: str | Path) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise MediaError(f"{path} is not an image that can be read; convert it to PNG or JPEG") from None
    except Image.DecompressionBombError:
        raise MediaError(
            f"{path} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, too many to read; make it smaller"
        ) from None


def _refuse_large(path: str | Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise MediaError(
            f"{path} has {width} x {height} pixels and at most {max_pixels:,} are read; make it smaller, "
            "or cut out what is to be seen"
        )


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # broken EXIF data leave the pixels whole
        return 1


def _pixels(image: Image.Image, path: str | Path) -> np.ndarray:
    """Upright uint8 pixels ``(height, width, channels)``: one channel of what is stored as grey, else RGB."""
    turn = TURNS.get(_orientation(image))
    see_through = "transparency" in image.info or image.mode in {"LA", "La", "PA", "RGBA", "RGBa"}
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in {"PNG", "PPM"}):
        # uint16 of either byte order; Pillow before 11 gives 16-bit PNG as 32-bit numbers
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    elif image.mode in {"I", "F"}:
        kind = "whole numbers of 32 bits" if image.mode == "I" else "floating-point numbers"
        raise MediaError(f"{path} holds its pixels as {kind}, whose scale is unknown; save it with 8 or 16 bits")
    elif see_through:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    else:
        image = image.convert("L" if image.mode in {"1", "L"} else "RGB")
    if turn is not None:
        image = image.transpose(turn)
    pixels = np.array(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]
