"""The sound and the picture of an item, for a page: what is no recording and no picture is never shown."""

import io
import tempfile
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from PIL import Image

from affectspace.errors import MediaError
from affectspace.files import packed
from affectspace.media import audio_info, crop_box, read_audio, read_image, write_audio

__all__ = ["Gone", "ShownMedia", "waveform"]

PLAYED = {"WAV": "audio/wav", "FLAC": "audio/flac", "OGG": "audio/ogg", "MP3": "audio/mpeg"}  # by every browser
ENCODINGS = {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "VORBIS", "OPUS", "MPEG_LAYER_III"}
LONGEST = 600.0  # seconds that are heard or drawn
LARGEST = 1024  # pixels of a side that is shown
KEPT = 2**29  # bytes of recordings that were made playable
KINDS = ("audio", "image", "text")
BINS = 400  # of a waveform
PART_RATE = 48_000  # of cut-out parts, above which nobody hears anything


class Gone(MediaError):
    """An item that has no such media, or whose file is no longer where it was."""


class ShownMedia:
    """Files that a browser can show, of the items of a space.

    Recordings that every browser plays are given as they lie on the disk. Parts of recordings, and formats that
    browsers do not know, are decoded into files of their own, of which the newest 512 MB are kept until the program
    ends.

    Args:
        items: of a space: ``audio``, ``image``, and ``start``, ``end`` or ``box`` where items are parts.
    """

    def __init__(self, items: pd.DataFrame):
        self._items = items
        self._folder = tempfile.TemporaryDirectory(prefix="affectspace-")
        self._made: OrderedDict[int, int] = OrderedDict()  # row -> bytes, the one asked for last behind the others
        self._lock = Lock()

    def has(self, row: int, kind: str) -> bool:
        """Whether an item has a path of this kind, ``audio`` or ``image``, whether or not a file lies there."""
        return bool(self._cell(row, kind))

    def kinds(self, row: int) -> list[str]:
        """Which of ``audio``, ``image`` and ``text`` an item has."""
        return [kind for kind in KINDS if self.has(row, kind)]

    def audio(self, row: int) -> tuple[Path, str]:
        """A file that browsers play, and its media type.

        Raises:
            Gone: no recording, or none that is there.
            MediaError: one that is not whole.
        """
        path, start, end = self._audio(row)
        with _sound(path) as sound:
            kind, encoding = str(sound.format), str(sound.subtype)
        if start is None and end is None and kind in PLAYED and encoding in ENCODINGS:
            return path, PLAYED[kind]
        with self._lock:  # whoever asks for the same meanwhile gets what the first has made
            made = Path(self._folder.name, f"{row}.wav")
            if row in self._made:
                self._made.move_to_end(row)
                return made, "audio/wav"
            rate = min(audio_info(path).sample_rate, PART_RATE)
            write_audio(made, read_audio(path, rate, start, end, LONGEST), rate)
            self._made[row] = made.stat().st_size
            while sum(self._made.values()) > KEPT and len(self._made) > 1:
                oldest, _ = self._made.popitem(last=False)
                Path(self._folder.name, f"{oldest}.wav").unlink(missing_ok=True)
        return made, "audio/wav"

    def waveform(self, row: int) -> dict[str, Any]:
        """Seconds, and for each of 400 parts the lowest and the highest sample, in hundredths of full scale."""
        path, start, end = self._audio(row)
        rate = audio_info(path).sample_rate  # as it is: resampling would take longer than all else
        return waveform(read_audio(path, rate, start, end, LONGEST), rate)

    def image(self, row: int) -> bytes:
        """The picture of an item as PNG, its box cut out, no side longer than 1,024 pixels.

        Raises:
            Gone: no picture, or none that is there.
            MediaError: one that is not whole.
        """
        path = self._cell(row, "image")
        _refuse_missing(packed(path)[0], row, "picture")
        pixels = read_image(path)
        if box := self._cell(row, "box"):
            pixels = crop_box(pixels, box)
        shown = Image.fromarray(np.ascontiguousarray(pixels))
        shown.thumbnail((LARGEST, LARGEST))
        bytes_ = io.BytesIO()
        shown.save(bytes_, "PNG", compress_level=1)
        return bytes_.getvalue()

    def _audio(self, row: int) -> tuple[Path, float | None, float | None]:
        path = Path(self._cell(row, "audio"))
        _refuse_missing(path, row, "recording")
        start, end = (float(told) if (told := self._cell(row, name)) else None for name in ("start", "end"))
        return path, start, end

    def _cell(self, row: int, name: str) -> str:
        """What a column holds, empty where it is missing."""
        cell: Any = self._items[name].iat[row] if name in self._items else None
        return "" if pd.isna(cell) else str(cell)


def waveform(samples: np.ndarray, rate: int, bins: int = BINS) -> dict[str, Any]:
    """The outline of samples in [-1, 1].

    Example:
        >>> waveform(np.array([0.0, 0.5, -1.0, 1.0]), 2, bins=2)
        {'seconds': 2.0, 'low': [0, -100], 'high': [50, 100]}
    """
    edges = np.linspace(0, len(samples), min(bins, len(samples)) + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    shown = [np.rint(100 * each).astype(int).tolist() for each in (low, high)]
    return {"seconds": len(samples) / rate, "low": shown[0], "high": shown[1]}


def _sound(path: Path) -> soundfile.SoundFile:
    audio_info(path)  # tells a fault in a sentence
    return soundfile.SoundFile(path)


def _refuse_missing(path: Path, row: int, what: str) -> None:
    if str(path) == ".":
        raise Gone(f"item {row} has no {what}")
    if not path.exists():
        raise Gone(f"{path} is gone; put the corpus back where it was, or embed it anew where it is now")
    if not path.is_file():
        raise MediaError(f"{path} is no file; a {what} is one")
