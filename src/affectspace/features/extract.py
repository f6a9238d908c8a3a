"""Media through a front end, one item after another or in several processes, with the same result."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from affectspace.errors import InputError
from affectspace.features.in_order import in_order
from affectspace.media import samples_sha256

__all__ = ["Extracted", "Frontend", "Source", "extract_all", "reads_text"]

BLOCK = 120 * 16000  # samples that are held at a time for a front end that takes several clips
KEPT = {np.dtype(np.int16): "<i2", np.dtype(np.uint8): "|u1"}  # as they are; everything else becomes float32


class Frontend(Protocol):
    """What makes features: a pure function of a file, with a name for its settings.

    A front end that reads something else than sound has one method more, ``sha256(read) -> str``: the hash of what
    there is to see in what :meth:`read` gave, for sound that is :func:`~affectspace.media.samples_sha256`. One that
    reads pictures or videos is given the item's box as the fourth argument of :meth:`read`, where there is one. One
    that reads text says so by a class attribute ``medium = "text"``: it is given the text itself in place of a path,
    and nobody takes it for the name of a file.
    """

    @property
    def fingerprint(self) -> str:
        """All settings, and the version of the computation."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a frame."""
        ...

    def read(self, path: str, start: float | None, end: float | None, /) -> Any:
        """The samples of a recording, in [-1, 1], the pixels of a picture, or a text; MediaError for want of any."""
        ...

    def compute(self, samples: Any, /) -> np.ndarray:
        """What was read to features ``(frames, dimensions)``, float32, int16 or uint8; MediaError for want of any."""
        ...


class Source(NamedTuple):
    """Where an item's media lie; the path is empty for an item that has none.

    The box is of the part of a picture, or of every frame of a video. For a front end that reads text the
    path is the text.
    """

    path: str
    start: float | None
    end: float | None
    box: str | None = None

    @property
    def told(self) -> tuple[Any, ...]:
        """What there is to say; no word of a box where there is none, as before there were any."""
        return self[:3] if self.box is None else self


class Extracted(NamedTuple):
    """An item's features and the hash of what was heard or seen, or the reason why it has none."""

    values: np.ndarray | None
    audio_sha: str
    reason: str


def reads_text(frontend: Frontend) -> bool:
    """Whether the front end is given texts and not paths."""
    return getattr(frontend, "medium", None) == "text"


def extract_all(frontend: Frontend, sources: Sequence[Source], workers: int | None = None) -> Iterator[Extracted]:
    """The features of every source, in order, to the bit the same for any number of workers.

    A front end that has ``compute_many`` is given sources in blocks, in this process and on all of its threads.

    Args:
        frontend: picklable, when there are several workers.
        sources: the files.
        workers: processes, with one thread each; 1: this process alone. None: this process, and a
            process for every core it may use as soon as the work that is left is worth their start.

    Raises:
        InputError: fewer than one worker.
        AffectspaceError: a worker died.
    """
    if hasattr(frontend, "compute_many"):
        return _in_blocks(frontend, sources)
    return in_order(partial(_extract, frontend), sources, workers)


def _in_blocks(frontend: Frontend, sources: Sequence[Source]) -> Iterator[Extracted]:
    """The same by ``compute_many``, which is given so many samples that clips of like length find each other."""
    waiting: list[Extracted | tuple[str, Any]] = []
    held = 0
    for source in sources:
        read = _read(frontend, source)
        waiting.append(read)
        held += 0 if isinstance(read, Extracted) else len(read[1])
        if held >= BLOCK:
            yield from _of_block(frontend, waiting)
            waiting, held = [], 0
    yield from _of_block(frontend, waiting)


def _of_block(frontend: Any, waiting: Sequence[Extracted | tuple[str, Any]]) -> Iterator[Extracted]:
    made = iter(frontend.compute_many([read[1] for read in waiting if not isinstance(read, Extracted)]))
    for read in waiting:
        yield read if isinstance(read, Extracted) else _kept(frontend, read[0], read[1], next(made))


def _read(frontend: Frontend, source: Source) -> Extracted | tuple[str, Any]:
    """What a front end reads of a source and how that is called; or why it reads nothing."""
    text = reads_text(frontend)
    if not source.path:
        return Extracted(None, "", "the item has no text" if text else "the item names no file")
    try:
        return "the text" if text else source.path, frontend.read(*source.told)
    except InputError as error:
        return Extracted(None, "", str(error))


def _extract(frontend: Frontend, source: Source) -> Extracted:
    read = _read(frontend, source)
    if isinstance(read, Extracted):
        return read
    try:
        return _kept(frontend, *read, frontend.compute(read[1]))
    except InputError as error:
        return Extracted(None, "", str(error))


def _kept(frontend: Frontend, where: str, samples: Any, made: np.ndarray) -> Extracted:
    values = np.ascontiguousarray(made, dtype=KEPT.get(made.dtype, "<f4"))
    if values.ndim != 2 or values.shape[1] != frontend.dimensions:
        raise ValueError(f"the front end gave shape {values.shape}; it promised (frames, {frontend.dimensions})")
    if not len(values):
        return Extracted(None, "", f"{where} gives no frame")
    if not np.isfinite(values).all():
        return Extracted(None, "", f"{where} gives features that are NaN or infinite")
    sha256 = getattr(frontend, "sha256", samples_sha256)
    return Extracted(values, sha256(samples), "")
