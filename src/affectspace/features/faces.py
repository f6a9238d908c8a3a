"""The front end of pictures of faces: one crop of every picture, kept as the pixels that it is."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import PIL

from affectspace.errors import MediaError
from affectspace.features.crops import CHANNELS, find_and_crop, fit_square, in_colour, refuse_crop
from affectspace.features.face import FaceFinder
from affectspace.features.finders import named_finder
from affectspace.media import crop_box, pixels_sha256, read_image

__all__ = ["Faces"]

VERSION = 1  # of the computation; raise it when results change


@dataclass(frozen=True)
class Faces:
    """The front end that makes a square crop of a face from a picture.

    Most corpora of expressions hold crops already, so none is looked for unless a finder is named: the middle square
    of a picture is resized, and a crop of this very size is kept to the bit. The store keeps a picture as
    ``(side * side, channels)`` uint8, a frame a pixel, row by row.

    Args:
        side: of the crop, in pixels, at least 8.
        colour: ``"grey"`` or ``"rgb"``.
        finder: None: pictures are crops already; ``"cascade"``: :class:`~affectspace.features.CascadeFinder` finds the
            largest face; the path of an ONNX file: :class:`~affectspace.features.YuNetFinder` does, and its eyes are
            brought to fixed places.

    Raises:
        InputError: a side below 8, another colour, a finder that is neither, or one whose package is not installed.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> path = Path(tempfile.mkdtemp()) / "face.png"
        >>> Image.radial_gradient("L").save(path)
        >>> faces = Faces(side=48)
        >>> kept = faces(path)
        >>> kept.shape, faces.restore(kept).shape
        ((2304, 1), (48, 48, 1))
    """

    side: int = 48
    colour: Literal["grey", "rgb"] = "grey"
    finder: str | None = None

    def __post_init__(self):
        refuse_crop(self.side, self.colour)
        if isinstance(self.finder, Path):  # a recipe can only hold text
            object.__setattr__(self, "finder", str(self.finder))
        _ = self._find

    @property
    def dimensions(self) -> int:
        """Channels: a frame is a pixel."""
        return CHANNELS[self.colour]

    @property
    def fingerprint(self) -> str:
        """All settings, the hash of the finder's model, and the versions of the computation."""
        finder = None if self._find is None else f"[{self._find.fingerprint}]"
        return f"faces/{VERSION} pillow={PIL.__version__} side={self.side} colour={self.colour} finder={finder}"

    def read(
        self, path: str | Path, start: float | None = None, end: float | None = None, box: str | None = None
    ) -> np.ndarray:
        """The pixels of a picture, or of the part of it that is the item; see :func:`~affectspace.media.read_image`.

        Args:
            path: the picture, or a row of a table such as ``faces.parquet#17``.
            start: of the item's sound; a picture has none, so it says nothing here.
            end: the same.
            box: ``"left top width height"``: the part that is the item, in which alone a face is looked for; see
                :func:`~affectspace.media.crop_box`.

        Returns:
            uint8 ``(height, width, 1 or 3)``: in colour wherever a face must be found.

        Raises:
            MediaError: a picture that cannot be read, or of one colour all over, or a box that is none or lies outside.
        """
        pixels = read_image(path, colour=self.colour if self._find is None else "rgb")
        if box is not None:
            pixels = crop_box(pixels, box)
        if (pixels == pixels[0, 0]).all():
            where = path if box is None else f"box {box!r} of {path}"
            raise MediaError(f"{where} is blank: all its pixels are {pixels[0, 0].tolist()}; leave it out")
        return pixels

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """Pixels ``(height, width, 1 or 3)`` to those of the crop, uint8 ``(side * side, channels)``.

        Raises:
            MediaError: no face is found.
        """
        return self._crop(samples, f"a picture of {samples.shape[1]} x {samples.shape[0]} pixels")

    def sha256(self, samples: np.ndarray) -> str:
        """The hash of what is seen; see :func:`~affectspace.media.pixels_sha256`."""
        return pixels_sha256(samples)

    def restore(self, kept: np.ndarray) -> np.ndarray:
        """The picture ``(side, side, channels)`` of what :meth:`compute` gave."""
        return kept.reshape(self.side, self.side, self.dimensions)

    def __call__(
        self, path: str | Path, start: float | None = None, end: float | None = None, box: str | None = None
    ) -> np.ndarray:
        """The crop of a picture's face, uint8 ``(side * side, channels)``.

        Raises:
            MediaError: as :meth:`read` and :meth:`compute`.
        """
        return self._crop(self.read(path, start, end, box), str(path))

    def _crop(self, pixels: np.ndarray, where: str) -> np.ndarray:
        if self._find is None:
            crop = fit_square(pixels, self.side)
        else:
            crop = find_and_crop(pixels, self._find, self.side, where)
        return np.ascontiguousarray(in_colour(crop, self.colour)).reshape(self.side * self.side, self.dimensions)

    @cached_property
    def _find(self) -> FaceFinder | None:
        return None if self.finder is None else named_finder(self.finder)
