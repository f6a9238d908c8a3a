"""Every fault of a corpus, each with its row, so that people can mend their data before they train."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora.corpus import MEDIA_COLUMNS, Corpus, Scale
from affectspace.errors import InputError, MediaError
from affectspace.files import inside
from affectspace.media.audio import END_SLACK, AudioInfo, audio_info, read_audio

__all__ = ["PROBLEMS", "Fault", "check"]

PROBLEMS = {
    "missing-id": "an item has no id",
    "duplicate-id": "two items have one id",
    "no-media": "an item has neither audio nor image nor text",
    "no-label": "an item has neither a label nor a rating",
    "outside-root": "a path leaves the corpus's folder, by .. or by a link",
    "missing-file": "a file is not there",
    "empty-file": "a file has no bytes",
    "unreadable": "a recording cannot be decoded, is truncated, or holds samples that are not finite",
    "silent": "a recording never gets louder than -70 dB of full scale",
    "clipped": "one sample in a hundred or more is at full scale",
    "sample-rate": "a recording has another sample rate than most",
    "identical-audio": "two items have the same samples",
    "bad-times": "start or end lies outside the recording, or the end is not after the start",
    "unknown-item": "a rating is of an item that is not in the table",
    "missing-value": "a rating has no value",
    "not-a-number": "a rating on a scale is no number",
    "off-scale": "a rating lies outside its scale",
}
"""The codes of ``Fault.problem`` and what each means."""

_SILENT_PEAK = 10 ** (-70 / 20)
_FULL_SCALE = 0.999
_CLIPPED_SHARE = 0.01


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Args:
        row: the row of data, from 1 and not counting the header: of the ratings where ``column``
            begins with ``ratings.``, else of the items; counted through where a table is in several
            files. It is the position in ``corpus.items`` or ``corpus.ratings`` plus one.
        item: the item's id, empty where it has none.
        column: which cell, such as ``audio`` or ``ratings.value``.
        value: what stands there, empty where nothing does.
        problem: one of ``PROBLEMS``.
        message: a sentence with what is wrong and what to do.
    """

    row: int
    item: str
    column: str
    value: str
    problem: str
    message: str


def check(corpus: Corpus, read_media: bool = True) -> list[Fault]:
    """Every fault of a corpus: nothing stops at the first one. No fault is an empty list.

    Args:
        corpus: what :func:`~affectspace.corpora.open_corpus` gives.
        read_media: decode every recording, to find what is unreadable, silent or identical. Without
            it only tables and the existence of files are looked at.

    Returns:
        Faults of the items by row, then those of the ratings by row.

    Example:
        >>> import tempfile
        >>> from affectspace.corpora import open_corpus
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "items.csv").write_text("id,audio,label\\na,a.wav,happy\\na,,sad\\n")
        >>> for fault in check(open_corpus(folder)):
        ...     print(fault.row, fault.problem, fault.message)
        1 missing-file a.wav is not below the corpus's folder; restore it or remove the row
        2 duplicate-id 'a' is also the id of row 1; ids must be unique
        2 no-media the item has neither audio nor image nor text
    """
    faults = [*_ids(corpus.items), *_content(corpus), *_media(corpus, read_media)]
    return sorted(faults, key=lambda f: f.row) + sorted(_ratings(corpus), key=lambda f: f.row)


def _ids(items: pd.DataFrame) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for row, name in enumerate(items["id"], start=1):
        if pd.isna(name):
            yield Fault(row, "", "id", "", "missing-id", "the item has no id; give it one of its own")
        elif name in first:
            message = f"{name!r} is also the id of row {first[name]}; ids must be unique"
            yield Fault(row, name, "id", name, "duplicate-id", message)
        else:
            first[name] = row


def _content(corpus: Corpus) -> Iterator[Fault]:
    items = corpus.items
    no_media = items[list(MEDIA_COLUMNS)].isna().all(axis=1)
    no_label = items["label"].isna() & ~items["id"].isin(corpus.ratings["item"].dropna())
    for row, (name, media, label) in enumerate(zip(items["id"], no_media, no_label), start=1):
        name = "" if pd.isna(name) else name
        if media:
            yield Fault(row, name, "audio", "", "no-media", "the item has neither audio nor image nor text")
        if label:
            yield Fault(
                row, name, "label", "", "no-label", "the item has neither a label nor a rating; it cannot be used"
            )


def _media(corpus: Corpus, read_media: bool) -> Iterator[Fault]:
    items = corpus.items
    known: dict[Path, AudioInfo | MediaError] = {}
    rates: list[tuple[int, str, str, int]] = []
    heard: dict[str, tuple[int, str]] = {}
    columns = ("id", "audio", "image", "start", "end")
    for row, (name, audio, image, start, end) in enumerate(zip(*(items[column] for column in columns)), start=1):
        name = "" if pd.isna(name) else name
        start, end = (None if pd.isna(second) else float(second) for second in (start, end))
        for column, value in (("audio", audio), ("image", image)):
            if pd.isna(value):
                continue
            path, problem, message = _file(corpus.root, value)
            if path is None:
                yield Fault(row, name, column, value, problem, message)
            elif column == "audio":
                if fault := _times(row, name, start, end):
                    yield fault
                elif read_media:
                    yield from _recording(path, row, name, value, start, end, known, rates, heard)
    usual = Counter(rate for *_, rate in rates).most_common(1)
    for row, name, value, rate in rates:
        if rate != usual[0][0]:
            message = f"{value} has {rate} samples a second, most have {usual[0][0]}; find out where it comes from"
            yield Fault(row, name, "audio", value, "sample-rate", message)


def _file(root: Path, value: str) -> tuple[Path | None, str, str]:
    try:
        path = inside(root, value)
    except InputError as error:
        return None, "outside-root", str(error)
    if not path.is_file():
        return None, "missing-file", f"{value} is not below the corpus's folder; restore it or remove the row"
    if path.stat().st_size == 0:
        return None, "empty-file", f"{value} has no bytes; copy it again"
    return path, "", ""


def _times(row: int, name: str, start: float | None, end: float | None, seconds: float | None = None) -> Fault | None:
    length = "" if seconds is None else f"; the recording has {seconds:g} seconds"
    if start is not None and (start < 0 or (seconds is not None and start >= seconds)):
        return Fault(
            row, name, "start", f"{start:g}", "bad-times", f"start is {start:g}{length or '; it must be 0 or more'}"
        )
    if end is not None and end <= (start or 0):
        return Fault(row, name, "end", f"{end:g}", "bad-times", f"end {end:g} is not after start {start or 0:g}")
    if end is not None and seconds is not None and end > seconds + END_SLACK:
        return Fault(row, name, "end", f"{end:g}", "bad-times", f"end is {end:g}{length}")
    return None


def _recording(
    path: Path,
    row: int,
    name: str,
    value: str,
    start: float | None,
    end: float | None,
    known: dict[Path, AudioInfo | MediaError],
    rates: list[tuple[int, str, str, int]],
    heard: dict[str, tuple[int, str]],
) -> Iterator[Fault]:
    """What is wrong with one recording, or the part of it that an item is; remembers what later rows need."""
    if path not in known:
        try:
            known[path] = audio_info(path)
        except MediaError as error:
            known[path] = error
    info = known[path]
    if isinstance(info, MediaError):
        yield Fault(row, name, "audio", value, "unreadable", _told(path, info))
        return
    rates.append((row, name, value, info.sample_rate))
    if fault := _times(row, name, start, end, info.seconds):
        yield fault
        return
    try:
        samples = read_audio(path, sample_rate=info.sample_rate, start=start, end=end)
    except MediaError as error:
        yield Fault(row, name, "audio", value, "unreadable", _told(path, error))
        return
    level = np.abs(samples)
    if level.max() < _SILENT_PEAK:
        yield Fault(
            row, name, "audio", value, "silent", f"{value} is silent, its peak is {level.max():.1g} of full scale"
        )
        return
    clipped = float((level >= _FULL_SCALE).mean())
    if clipped >= _CLIPPED_SHARE:
        yield Fault(row, name, "audio", value, "clipped", f"{value} has {clipped:.0%} of its samples at full scale")
    # 16 bits are what every format keeps, so that a WAV and its FLAC are found to be one.
    samples = np.round(samples * 32767).astype(np.int16)
    print_ = hashlib.sha256(samples.tobytes()).hexdigest()
    if print_ in heard:
        other, twin = heard[print_]
        message = f"{value} has the same samples as row {other} ({twin}); keep one, or keep them on one side of a split"
        yield Fault(row, name, "audio", value, "identical-audio", message)
    else:
        heard[print_] = (row, name)


def _told(path: Path, error: MediaError) -> str:
    with open(path, "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs.github.com"):
            return f"{path.name} is a Git LFS pointer, not the recording; fetch it with: git lfs pull"
    return str(error)


def _ratings(corpus: Corpus) -> Iterator[Fault]:
    ratings = corpus.ratings
    unknown = ~ratings["item"].isin(corpus.items["id"].dropna())
    for at in np.flatnonzero(unknown):
        item = ratings["item"].iloc[at]
        name = "" if pd.isna(item) else item
        message = (
            f"{name!r} is not in the table of items; add the item or remove the rating" if name else "names no item"
        )
        yield Fault(int(at) + 1, name, "ratings.item", name, "unknown-item", message)
    for at in np.flatnonzero(ratings["value"].isna()):
        item, dimension = ratings["item"].iloc[at], ratings["dimension"].iloc[at]
        message = f"a rating of {dimension} has no value; remove it"
        yield Fault(int(at) + 1, "" if pd.isna(item) else item, "ratings.value", "", "missing-value", message)
    for dimension, scale in corpus.card.scales.items():
        yield from _scale(ratings, dimension, scale)


def _scale(ratings: pd.DataFrame, dimension: str, scale: Scale) -> Iterator[Fault]:
    legal = f"{dimension} runs from {scale.low:g} to {scale.high:g}"
    votes = ratings[ratings["dimension"].eq(dimension).fillna(False) & ratings["value"].notna()]
    numbers = pd.to_numeric(votes["value"], errors="coerce").astype("float64")
    wrong = ~numbers.between(scale.low, scale.high)
    for at in np.flatnonzero(wrong.reindex(ratings.index, fill_value=False)):
        item, rater, value = (ratings[column].iloc[at] for column in ("item", "rater", "value"))
        who = "an unknown rater" if pd.isna(rater) else f"rater {rater}"
        problem = "not-a-number" if np.isnan(numbers[at]) else "off-scale"
        message = f"{who} gave {value!r}; {legal}"
        yield Fault(int(at) + 1, "" if pd.isna(item) else item, "ratings.value", value, problem, message)
