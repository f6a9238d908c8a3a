"""What is wrong with the videos of a corpus: whether they are there, open, and hold the parts that the items are."""

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affectspace.corpora.check_files import bad_times, decoder_words, missing_file
from affectspace.corpora.fault import Fault
from affectspace.errors import MediaError
from affectspace.media.boxes import crop_box, read_box
from affectspace.media.video import END_SLACK, VideoInfo, read_frames, video_info

__all__ = ["Clip", "Films"]

NEAR = 0.4  # seconds from the beginning and before the end of an item in which a picture is looked at


@dataclass(frozen=True)
class Clip:
    """An item's video, or the part of one that the item is; see :func:`affectspace.corpora.corpus.video_times`.

    ``box`` is the part of each of its pictures, empty where it is all of them or where the item has an image, whose
    box it is then.
    """

    row: int
    item: str
    video: str
    box: str
    start: float | None
    end: float | None

    def fault(self, problem: str, message: str) -> Fault:
        """Of the box, else of the video: where start and end are those of the sound too, it need not be at fault."""
        column, value = ("box", self.box) if problem == "bad-box" else ("video", self.video)
        return Fault(self.row, self.item, column, value, problem, message)


@dataclass
class Films:
    """Looks at videos one after the other.

    Args:
        root: of the corpus.
        read: decode the first and the last picture of each item, where PyAV is installed; else only paths and the
            order of times are looked at. More would take as long as it takes to make features of them.
    """

    root: Path
    read: bool
    headers: dict[str, VideoInfo | MediaError] = field(default_factory=dict)

    def __post_init__(self):
        self.read = self.read and importlib.util.find_spec("av") is not None

    def faults(self, clip: Clip) -> Iterator[Fault]:
        """The first thing that is wrong with a video."""
        if found := missing_file(self.root, clip.video):
            yield clip.fault(*found)
        elif found := bad_times(clip.start, clip.end):
            yield clip.fault("bad-times", found[2])
        elif found := _bad_box(clip) or (self._look(clip) if self.read else None):
            yield clip.fault(*found)

    def _look(self, clip: Clip) -> tuple[str, str] | None:
        path = self.root / clip.video
        try:
            seconds = self._header(clip.video).seconds
            has = f"the video has {seconds:g} seconds"
            if found := bad_times(clip.start, clip.end, has, seconds, END_SLACK):
                return "bad-times", found[2]
            begin, until = clip.start or 0.0, clip.end or seconds
            first = min(begin + NEAR, math.inf if until is None else until)
            pixels = next(read_frames(path, start=begin, end=first)).pixels
            if found := _bad_box(clip, pixels):
                return found
            if until is not None:
                for _ in read_frames(path, start=max(begin, until - NEAR), end=until):
                    pass
        except MediaError as error:
            return "unreadable", decoder_words(path, error)
        return None

    def _header(self, video: str) -> VideoInfo:
        if video not in self.headers:
            try:
                self.headers[video] = video_info(self.root / video)
            except MediaError as error:
                self.headers[video] = error
        header = self.headers[video]
        if isinstance(header, MediaError):
            raise header
        return header


def _bad_box(clip: Clip, pixels: np.ndarray | None = None) -> tuple[str, str] | None:
    """Problem and message of a box that is none, or lies outside a picture."""
    try:
        if clip.box:
            read_box(clip.box) if pixels is None else crop_box(pixels, clip.box)
    except MediaError as error:
        return "bad-box", str(error)
    return None
