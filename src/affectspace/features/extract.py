"""Media through a front end, one item after another or in several processes, with the same result."""

import os
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from affectspace.errors import AffectspaceError, InputError
from affectspace.media import samples_sha256

__all__ = ["Extracted", "Frontend", "Source", "extract_all"]

BATCH = 16  # items that a worker takes at a time
PROBE_SECONDS = 1.0  # of work, from which the time that is left can be estimated
WORTH_SECONDS = 20.0  # of work left, from which on processes that must first import torch end sooner

KEPT = {np.dtype(np.int16): "<i2", np.dtype(np.uint8): "|u1"}  # as they are; everything else becomes float32


class Frontend(Protocol):
    """What makes features: a pure function of a file, with a name for its settings.

    A front end that reads something else than sound has one method more, ``sha256(read) -> str``: the hash of what
    there is to see in what :meth:`read` gave, for sound that is :func:`~affectspace.media.samples_sha256`. One that
    reads pictures is given the item's box as the fourth argument of :meth:`read`, where the item has one.
    """

    @property
    def fingerprint(self) -> str:
        """All settings, and the version of the computation."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a frame."""
        ...

    def read(self, path: str, start: float | None, end: float | None) -> np.ndarray:
        """The samples of a recording, in [-1, 1], or the pixels of a picture; MediaError where there are none."""
        ...

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """What was read to features ``(frames, dimensions)``, float32, int16 or uint8; MediaError for want of any."""
        ...


class Source(NamedTuple):
    """Where an item's media lie; the path is empty for an item that has none, the box is of a part of a picture."""

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


def extract_all(frontend: Frontend, sources: Sequence[Source], workers: int | None = None) -> Iterator[Extracted]:
    """The features of every source, in order, to the bit the same for any number of workers.

    Args:
        frontend: picklable, when there are several workers.
        sources: the files.
        workers: processes, with one thread each; 1: this process alone. None: this process, and a
            process for every core it may use as soon as the work that is left is worth their start.

    Raises:
        InputError: fewer than one worker.
        AffectspaceError: a worker died.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}; give at least 1, or None to have it chosen")
    with _one_thread():
        if workers is None:
            yield from _as_it_pays(frontend, sources)
        elif workers == 1:
            yield from (_extract(frontend, source) for source in sources)
        else:
            try:
                yield from _in_processes(frontend, sources, workers)
            except BrokenProcessPool as error:
                raise AffectspaceError(f"a worker process died ({error}); {_GUARD}, or use workers=1") from error


_GUARD = 'a script that starts workers needs: if __name__ == "__main__":'


def _as_it_pays(frontend: Frontend, sources: Sequence[Source]) -> Iterator[Extracted]:
    cores = _cores()
    began, done, alone = time.monotonic(), 0, cores == 1
    while done < len(sources):
        yield _extract(frontend, sources[done])
        done += 1
        spent = time.monotonic() - began
        if alone or spent < PROBE_SECONDS or spent / done * (len(sources) - done) < WORTH_SECONDS:
            continue
        alone = True
        try:
            for extracted in _in_processes(frontend, sources[done:], cores):
                yield extracted
                done += 1
        except BrokenProcessPool:
            warnings.warn(f"worker processes cannot run here, so one process extracts all; {_GUARD}", stacklevel=2)


def _in_processes(frontend: Frontend, sources: Sequence[Source], workers: int) -> Iterator[Extracted]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,))
    waiting: deque[Future[list[Extracted]]] = deque()
    try:
        for start in range(0, len(sources), BATCH):
            waiting.append(pool.submit(_extract_batch, frontend, sources[start : start + BATCH]))
            if len(waiting) > 4 * workers:  # so that results never pile up
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _extract_batch(frontend: Frontend, sources: Sequence[Source]) -> list[Extracted]:
    return [_extract(frontend, source) for source in sources]


def _extract(frontend: Frontend, source: Source) -> Extracted:
    if not source.path:
        return Extracted(None, "", "the item names no file")
    try:
        samples = frontend.read(*source.told)
        made = frontend.compute(samples)
        values = np.ascontiguousarray(made, dtype=KEPT.get(made.dtype, "<f4"))
    except InputError as error:
        return Extracted(None, "", str(error))
    if values.ndim != 2 or values.shape[1] != frontend.dimensions:
        raise ValueError(f"the front end gave shape {values.shape}; it promised (frames, {frontend.dimensions})")
    if not len(values):
        return Extracted(None, "", f"{source.path} gives no frame")
    if not np.isfinite(values).all():
        return Extracted(None, "", f"{source.path} gives features that are NaN or infinite")
    sha256 = getattr(frontend, "sha256", samples_sha256)
    return Extracted(values, sha256(samples), "")


def _cores() -> int:
    """Cores that this process may use, which on a shared machine are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums over several threads round differently, and small matrices are slower in them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
