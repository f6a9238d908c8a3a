"""The front end of faces that move: a vector of the wanted face for each frame of a video."""

import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import PIL

from affectspace.errors import InputError
from affectspace.features.crops import refuse_crop
from affectspace.features.face import FaceFinder
from affectspace.features.face_track import FaceTrack, track_face
from affectspace.features.finders import named_finder
from affectspace.features.image_vectors import ImageVectors
from affectspace.features.in_order import one_thread
from affectspace.media import crop_box, pixels_sha256, read_frames

__all__ = ["FaceSequence"]

VERSION = 1  # of the computation; raise it when results change


@dataclass(frozen=True)
class FaceSequence:
    """The front end that makes a video, or a part of it, into a vector of the wanted face for each frame.

    Frames are taken at equal steps of time, the first ``frames`` of them. A frame in which no face is found takes the
    last one that was, and those before the first take the first; see :func:`~affectspace.features.track_face`.

    Args:
        encoder: makes vectors of crops: a trained net, :class:`~affectspace.features.PretrainedVectors`, or
            :class:`~affectspace.features.PixelVectors`.
        frames: most frames that are looked at, at least 1.
        per_second: frames a second, above 0.
        side: of the crops that ``encoder`` is given, in pixels, at least 8.
        colour: of these crops, ``"grey"`` or ``"rgb"``.
        finder: ``"cascade"``: :class:`~affectspace.features.CascadeFinder`; the path of an ONNX file:
            :class:`~affectspace.features.YuNetFinder`. Of several faces the largest is the wanted one.

    Raises:
        InputError: a number out of its range, another colour, a finder that is neither or whose package is not
            installed, or PyAV is not.

    Source: Liang, Li & Jin, "Semi-supervised Multi-modal Emotion Recognition with Cross-Modal Distribution Matching",
    ACM Multimedia 2020: 18 faces, 3 a second, grey, 64 x 64.

    Example:
        >>> frontend = FaceSequence(PixelVectors(16))                          # doctest: +SKIP
        >>> frontend("clip.mp4", start=2.0, end=6.0).shape                     # doctest: +SKIP
        (12, 256)
        >>> frontend.track("clip.mp4", start=2.0, end=6.0).misses              # doctest: +SKIP
        1
    """

    encoder: ImageVectors
    frames: int = 18
    per_second: float = 3.0
    side: int = 64
    colour: Literal["grey", "rgb"] = "grey"
    finder: str | Path = "cascade"

    def __post_init__(self):
        if self.frames < 1:
            raise InputError(f"frames is {self.frames}; give how many frames are looked at, at least 1")
        refuse_crop(self.side, self.colour)
        object.__setattr__(self, "per_second", float(self.per_second))
        # Refuses a rate that is none, and says so where PyAV is missing; nothing is opened before a frame is asked for.
        _ = self._find, read_frames("", self.per_second)

    @property
    def dimensions(self) -> int:
        """Numbers in a face's vector."""
        return self.encoder.dimensions

    @property
    def fingerprint(self) -> str:
        """All settings, those of the finder and the encoder, and the versions of the computation."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = f"frames={self.frames} per_second={self.per_second} side={self.side} colour={self.colour}"
        made_by = f"finder=[{self._find.fingerprint}] encoder=[{self.encoder.fingerprint}]"
        return f"face_sequence/{VERSION} av={version('av')} pillow={PIL.__version__} {settings} {made_by}"

    def track(
        self, path: str | Path, start: float | None = None, end: float | None = None, box: str | None = None
    ) -> FaceTrack:
        """The crops of the face, when each is shown, and where it was not found.

        Args:
            path: the video.
            start: seconds at which the item begins; None: the beginning.
            end: seconds at which it ends; None: the end.
            box: ``"left top width height"``: the part of every frame that is the item, in which alone a face is looked
                for; see :func:`~affectspace.media.crop_box`.

        Raises:
            MediaError: a video that cannot be read, a part or a box that lies outside of it, a box that is none, or no
                face in any frame.
        """
        # Frames are decoded when they are asked for, so a long video costs no more than its beginning.
        shown = read_frames(path, self.per_second, start, end, max_frames=sys.maxsize)
        frames = islice(shown, self.frames)
        where = str(path)
        if box is not None:
            frames = (frame._replace(pixels=crop_box(frame.pixels, box)) for frame in frames)
            where = f"box {box!r} of {path}"
        return track_face(frames, self._find, self.side, self.colour, where)

    def read(
        self, path: str | Path, start: float | None = None, end: float | None = None, box: str | None = None
    ) -> np.ndarray:
        """The crops of the face, uint8 ``(frames, side, side, 1 or 3)``; arguments and errors are :meth:`track`'s."""
        return self.track(path, start, end, box).crops

    def compute(self, crops: np.ndarray) -> np.ndarray:
        """Crops to the vector of each, float32 ``(frames, dimensions)``."""
        with one_thread():
            return self.encoder(crops)

    def sha256(self, crops: np.ndarray) -> str:
        """The hash of what is seen; see :func:`~affectspace.media.pixels_sha256`."""
        return pixels_sha256(crops)

    def __call__(
        self, path: str | Path, start: float | None = None, end: float | None = None, box: str | None = None
    ) -> np.ndarray:
        """The vectors of a video's faces, float32 ``(frames, dimensions)``; see :meth:`track`."""
        return self.compute(self.read(path, start, end, box))

    @cached_property
    def _find(self) -> FaceFinder:
        return named_finder(str(self.finder))
