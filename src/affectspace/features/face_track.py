"""Faces through a video: crops for every frame, and which of them had to be borrowed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from affectspace.errors import MediaError
from affectspace.features.crops import crop_face, in_colour
from affectspace.features.face import Face, FaceFinder
from affectspace.media.video import VideoFrame

__all__ = ["FaceTrack", "FrameFaces", "follow_faces", "track_face"]


class FrameFaces(NamedTuple):
    """The faces of one frame of a video, or those that it borrows from another.

    Args:
        seconds: when the frame is shown.
        faces: what the finder found, in the pixels of the frame they are of.
        crops: of each, uint8 ``(side, side, 1 or 3)``.
        found: whether they are of this frame.
    """

    seconds: float
    faces: list[Face]
    crops: list[np.ndarray]
    found: bool


@dataclass(frozen=True)
class FaceTrack:
    """The crops of a face through a video.

    Args:
        crops: uint8 ``(frames, side, side, 1 or 3)``.
        seconds: float64 ``(frames,)`` when each frame is shown.
        found: bool ``(frames,)`` where a face was found; elsewhere the crop is another frame's.
    """

    crops: np.ndarray
    seconds: np.ndarray
    found: np.ndarray

    @property
    def misses(self) -> int:
        """Frames in which no face was found."""
        return int((~self.found).sum())


def follow_faces(
    frames: Iterable[VideoFrame], finder: FaceFinder, side: int, where: str = "the video"
) -> Iterator[FrameFaces]:
    """The faces of every frame, cropped; where none is found, those of the last frame that had any.

    A face is mostly missed while it is turned away, covered or blurred by its motion, so its place in such a frame
    would show something else. Frames before the first face take the first.

    Args:
        frames: of one video, in order; see :func:`~affectspace.media.read_frames`. One at a time is in memory.
        finder: finds faces.
        side: of the crops, in pixels.
        where: what the video is called in an error.

    Yields:
        One for each frame, in their order; those before the first face come with it.

    Raises:
        MediaError: (at the end) no frame, or no face in any.
        ValueError: a side below 1.
    """
    early: list[float] = []
    last: FrameFaces | None = None
    for seconds, pixels in frames:
        if faces := finder(pixels):
            last = FrameFaces(seconds, faces, [crop_face(pixels, face, side) for face in faces], True)
            yield from (last._replace(seconds=before, found=False) for before in early)
            early = []
            yield last
        elif last:
            yield last._replace(seconds=seconds, found=False)
        else:
            early.append(seconds)
    if early:
        raise MediaError(f"no face found in any of the {len(early)} frames of {where}; leave the item out")
    if not last:
        raise MediaError(f"{where} has no frames; leave the item out")


def track_face(
    frames: Iterable[VideoFrame],
    finder: FaceFinder,
    side: int = 48,
    colour: Literal["grey", "rgb"] = "grey",
    where: str = "the video",
) -> FaceTrack:
    """The wanted face of every frame, cropped; where none is found, that of another: see :func:`follow_faces`.

    Args:
        frames: of one video, in order; see :func:`~affectspace.media.read_frames`. One at a time is in memory.
        finder: finds faces, the wanted one first.
        side: of the crops, in pixels.
        colour: ``"grey"`` or ``"rgb"``.
        where: what the video is called in an error.

    Raises:
        MediaError: no frame, or no face in any.
        ValueError: a side below 1, or another colour.
    """
    track = [
        (in_colour(crops[0], colour), seconds, found)
        for seconds, _, crops, found in follow_faces(frames, finder, side, where)
    ]
    crops, seconds, found = zip(*track)
    return FaceTrack(np.stack(crops), np.array(seconds), np.array(found))
