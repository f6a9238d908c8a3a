"""What is wrong with the files of a corpus."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora.corpus import Corpus
from affectspace.corpora.fault import Fault
from affectspace.errors import InputError, MediaError
from affectspace.files import inside, packed
from affectspace.media import pixels_sha256, read_image
from affectspace.media.audio import END_SLACK, AudioInfo, audio_info, read_audio, samples_sha256
from affectspace.media.packed import packed_rows

__all__ = ["media_faults"]

_SILENT_PEAK = 10 ** (-70 / 20)
_FULL_SCALE = 0.999
_CLIPPED_SHARE = 0.01


@dataclass(frozen=True)
class _Part:
    """An item's recording, or the part of one that the item is."""

    row: int
    item: str
    audio: str
    start: float | None
    end: float | None

    def fault(self, problem: str, message: str, column: str = "audio", value: str | None = None) -> Fault:
        return Fault(self.row, self.item, column, self.audio if value is None else value, problem, message)


def media_faults(corpus: Corpus, read_media: bool) -> Iterator[Fault]:
    """Paths, times and, if they are to be read, recordings and images; see :func:`affectspace.corpora.check`."""
    ears, eyes, tables = _Ears(), _Eyes(), _Tables(corpus.root)
    items = corpus.items
    columns = ("id", "audio", "image", "start", "end")
    boxes = items["box"] if "box" in items else pd.Series(pd.NA, index=items.index)
    for row, (name, audio, image, start, end, box) in enumerate(
        zip(*(items[column] for column in columns), boxes), start=1
    ):
        name = "" if pd.isna(name) else name
        if not pd.isna(image):
            found = _missing(corpus.root, image) if packed(image)[1] is None else tables.missing(image)
            if not found and read_media:
                found = eyes.look(corpus.root / image, image, row, name, "" if pd.isna(box) else str(box))
            if found:
                yield Fault(row, name, "image", image, *found)
        if pd.isna(audio):
            continue
        start, end = (None if pd.isna(second) else float(second) for second in (start, end))
        part = _Part(row, name, audio, start, end)
        found = _missing(corpus.root, audio)
        fault = part.fault(*found) if found else _bad_times(part)
        if fault is None and read_media:
            fault = ears.listen(corpus.root / audio, part)
        if fault:
            yield fault
    yield from ears.odd_rates()


def _missing(root: Path, value: str) -> tuple[str, str] | None:
    """Problem and message of a path that leads to no file with bytes below the root."""
    try:
        path = inside(root, value)
        size = path.stat().st_size if path.is_file() else None
    except InputError as error:
        return "outside-root", str(error)
    except (OSError, ValueError):  # too long, or with characters that no path has
        return "missing-file", f"{_short(value)} is no path; the column may hold something else than files"
    if size is None:
        remedy = "write / instead of \\" if "\\" in value else "restore it or remove the row"
        return "missing-file", f"there is no file {value} below the corpus's folder; {remedy}"
    if size == 0:
        return "empty-file", f"{value} has no bytes; copy it again"
    return None


@dataclass
class _Tables:
    """Looks at each table of images once, however many items lie in it."""

    root: Path
    known: dict[str, tuple[str, str] | int] = field(default_factory=dict)

    def missing(self, reference: str) -> tuple[str, str] | None:
        """Problem and message of a row that is not there."""
        table, row = packed(reference)
        name = str(table)
        if name not in self.known:
            self.known[name] = _missing(self.root, name) or self._rows(name)
        rows = self.known[name]
        if isinstance(rows, tuple):
            return rows
        if row is None or row < rows:
            return None
        return "missing-file", f"there is no row {row} in {name}, whose rows run from 0 to {rows - 1}"

    def _rows(self, name: str) -> tuple[str, str] | int:
        try:
            return packed_rows(self.root / name)
        except MediaError as error:
            return "unreadable", _reason(self.root / name, error)


def _bad_times(part: _Part, seconds: float | None = None) -> Fault | None:
    start, end = part.start, part.end
    length = "" if seconds is None else f"; the recording has {seconds:g} seconds"
    if start is not None and (start < 0 or (seconds is not None and start >= seconds)):
        message = f"start is {start:g}{length or '; it must be 0 or more'}"
        return part.fault("bad-times", message, "start", f"{start:g}")
    if end is not None and end <= (start or 0):
        return part.fault("bad-times", f"end {end:g} is not after start {start or 0:g}", "end", f"{end:g}")
    if end is not None and seconds is not None and end > seconds + END_SLACK:
        return part.fault("bad-times", f"end is {end:g}{length}", "end", f"{end:g}")
    return None


@dataclass
class _Ears:
    """Listens to recordings one after the other and remembers what has to be compared."""

    headers: dict[Path, AudioInfo | MediaError] = field(default_factory=dict)
    rates: list[tuple[_Part, int]] = field(default_factory=list)
    heard: dict[str, _Part] = field(default_factory=dict)

    def listen(self, path: Path, part: _Part) -> Fault | None:
        """The first thing that is wrong with a recording."""
        try:
            info = self._header(path)
            self.rates.append((part, info.sample_rate))
            if fault := _bad_times(part, info.seconds):
                return fault
            samples = read_audio(path, sample_rate=info.sample_rate, start=part.start, end=part.end)
        except MediaError as error:
            return part.fault("unreadable", _reason(path, error))
        level = np.abs(samples)
        if level.max() < _SILENT_PEAK:
            return part.fault("silent", f"{part.audio} is silent: its peak is {level.max():.1g} of full scale")
        clipped = float((level >= _FULL_SCALE).mean())
        if clipped >= _CLIPPED_SHARE:
            return part.fault("clipped", f"{part.audio} has {clipped:.0%} of its samples at full scale")
        twin = self.heard.setdefault(samples_sha256(samples), part)
        if twin is part:
            return None
        message = f"{part.audio} has the same samples as row {twin.row} ({twin.item}); "
        return part.fault("identical-audio", message + "keep one, or keep them on one side of a split")

    def odd_rates(self) -> Iterator[Fault]:
        """Recordings whose rate is not that of most."""
        usual = Counter(rate for _, rate in self.rates).most_common(1)
        for part, rate in self.rates:
            if rate != usual[0][0]:
                message = f"{part.audio} has {rate} samples a second, most have {usual[0][0]}; find out why"
                yield part.fault("sample-rate", message)

    def _header(self, path: Path) -> AudioInfo:
        if path not in self.headers:
            try:
                self.headers[path] = audio_info(path)
            except MediaError as error:
                self.headers[path] = error
        header = self.headers[path]
        if isinstance(header, MediaError):
            raise header
        return header


@dataclass
class _Eyes:
    """Looks at images one after the other and remembers what has to be compared."""

    seen: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def look(self, path: Path, image: str, row: int, item: str, box: str) -> tuple[str, str] | None:
        """Problem and message of the first thing that is wrong; two parts of one image are two images."""
        try:
            pixels = read_image(path)
        except MediaError as error:
            return "unreadable", _reason(path, error)
        if (pixels == pixels[0, 0]).all():
            return "blank-image", f"all {pixels.shape[1]} x {pixels.shape[0]} pixels of {image} have one value"
        first, twin = self.seen.setdefault((pixels_sha256(pixels), box), (row, item))
        if first == row:
            return None
        message = f"{image} has the same pixels as row {first} ({twin}); "
        return "identical-image", message + "keep one, or keep them on one side of a split"


def _reason(path: Path, error: MediaError) -> str:
    with open(packed(path)[0], "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs.github.com"):
            return f"{path.name} is a Git LFS pointer, not what it stands for; fetch it with: git lfs pull"
    return str(error)


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")
