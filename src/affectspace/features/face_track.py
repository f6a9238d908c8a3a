"""A face through a video: a crop for every frame, and how many of them had to be borrowed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from affectspace.errors import MediaError
from affectspace.features.crops import crop_face, in_colour
from affectspace.features.face import FaceFinder
from affectspace.media.video import VideoFrame

__all__ = ["FaceTrack", "track_face"]


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


def track_face(
    frames: Iterable[VideoFrame],
    finder: FaceFinder,
    side: int = 48,
    colour: Literal["grey", "rgb"] = "grey",
    where: str = "the video",
) -> FaceTrack:
    """The wanted face of every frame, cropped; where none is found, the crop of the last frame that had one.

    A face is mostly missed while it is turned away, covered or blurred by its motion, so its place in such a frame
    would show something else. Frames before the first face take the first.

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
    crops: list[np.ndarray] = []
    seconds: list[float] = []
    found: list[bool] = []
    for frame in frames:
        faces = finder(frame.pixels)
        seconds.append(frame.seconds)
        found.append(bool(faces))
        if faces:
            crops.append(in_colour(crop_face(frame.pixels, faces[0], side), colour))
            crops = [crops[0]] * len(found) if sum(found) == 1 else crops
        elif crops:
            crops.append(crops[-1])
    if not found:
        raise MediaError(f"{where} has no frames; leave the item out")
    if not crops:
        raise MediaError(f"no face found in any of the {len(found)} frames of {where}; leave the item out")
    return FaceTrack(np.stack(crops), np.array(seconds), np.array(found))
