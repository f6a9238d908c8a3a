"""What is wrong with the recordings of a corpus, item by item beside its images and videos."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora.check_files import bad_times, decoder_words, missing_file
from affectspace.corpora.check_images import Eyes, View
from affectspace.corpora.check_videos import Clip, Films
from affectspace.corpora.corpus import Corpus, video_times
from affectspace.corpora.fault import Fault, of_copy
from affectspace.errors import MediaError
from affectspace.files import Below
from affectspace.media.audio import END_SLACK, AudioInfo, audio_info, read_audio, samples_sha256

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
    label: str

    def fault(self, problem: str, message: str, column: str = "audio", value: str | None = None) -> Fault:
        return Fault(self.row, self.item, column, self.audio if value is None else value, problem, message)


def media_faults(corpus: Corpus, read_media: bool) -> Iterator[Fault]:
    """Paths, times and, if they are to be read, all media; see :func:`affectspace.corpora.check`."""
    label_map = corpus.card.label_map
    ears, eyes = _Ears(label_map), Eyes(corpus.root, read_media, label_map)
    films, below = Films(corpus.root, read_media), Below(corpus.root)
    items = corpus.items
    # Their label is what most say: copies may differ in it. pandas looks among texts that occur once ten times as fast.
    rated = items["id"].isin(corpus.ratings["item"].dropna().unique())
    labels = items["label"].mask(rated)
    columns = ("id", "audio", "image", "video", "start", "end", "session")
    boxes = items["box"] if "box" in items else pd.Series(pd.NA, index=items.index)
    shown = video_times(items)
    for row, (name, audio, image, video, start, end, session, label, box, *times) in enumerate(
        zip(*(items[column] for column in columns), labels, boxes, shown["start"], shown["end"]), start=1
    ):
        name = "" if pd.isna(name) else name
        if not pd.isna(video):
            part = str(box).strip() if pd.isna(image) and not pd.isna(box) else ""
            yield from films.faults(Clip(row, name, video, part, *times))
        if not pd.isna(image):
            texts = ("" if pd.isna(cell) else str(cell).strip() for cell in (box, session, label))
            yield from eyes.faults(View(row, name, image, *texts))
        if pd.isna(audio):
            continue
        start, end = (None if pd.isna(second) else float(second) for second in (start, end))
        part = _Part(row, name, audio, start, end, "" if pd.isna(label) else str(label).strip())
        found = missing_file(below, audio)
        fault = part.fault(*found) if found else _bad_times(part)
        if fault is None and read_media:
            fault = ears.listen(corpus.root / audio, part)
        if fault:
            yield fault
    yield from ears.odd_rates()


def _bad_times(part: _Part, seconds: float | None = None) -> Fault | None:
    has = "" if seconds is None else f"the recording has {seconds:g} seconds"
    found = bad_times(part.start, part.end, has, seconds, END_SLACK)
    return found and part.fault("bad-times", found[2], found[0], f"{found[1]:g}")


@dataclass
class _Ears:
    """Listens to recordings one after the other and remembers what has to be compared."""

    label_map: Mapping[str, str]
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
            return part.fault("unreadable", decoder_words(path, error))
        level = np.abs(samples)
        if level.max() < _SILENT_PEAK:
            return part.fault("silent", f"{part.audio} is silent: its peak is {level.max():.1g} of full scale")
        clipped = float((level >= _FULL_SCALE).mean())
        if clipped >= _CLIPPED_SHARE:
            return part.fault("clipped", f"{part.audio} has {clipped:.0%} of its samples at full scale")
        twin = self.heard.setdefault(samples_sha256(samples), part)
        if twin is part:
            return None
        labels = (twin.label, part.label)
        found = of_copy(
            "identical-audio", f"{part.audio} has the same samples", twin.row, twin.item, labels, self.label_map
        )
        return part.fault(*found)

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
