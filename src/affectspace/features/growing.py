"""An entry of the feature store while it is made, item by item, so that a run that was killed goes on where it was."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from affectspace.errors import AffectspaceError, InputError
from affectspace.features.extract import Extracted
from affectspace.files import atomic_directory

__all__ = ["Growing", "Made", "growing_folder"]

SETTLED_SECONDS = 5.0  # so much work may be lost; to have the disk keep each item would cost more than many take
JOURNAL, LOCK = "made.jsonl", ".lock"


class Made(NamedTuple):
    """What there is to say of an item that is done: frames, the hash of its media, or the reason why it has none."""

    item: str
    length: int
    audio_sha: str
    reason: str
    kind: str


@contextmanager
def growing_folder(entry: Path) -> Iterator[Path]:
    """A hidden folder beside an entry, which takes its name once the block ends well.

    It is the same for every run that makes this entry, so that what a killed one has left is found in it. While
    another process is at work there, a folder of its own is given, and whoever is first has made the entry. An
    exception leaves nothing behind; a signal, or the death of a worker, leaves what has been made.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    folder = entry.parent / f".{entry.name}.partial"
    with _held(folder) as ours:
        if not ours:
            with atomic_directory(entry) as other:
                yield other
            return
        try:
            yield folder
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            if isinstance(error, InputError) or not isinstance(error, AffectspaceError):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        with atomic_directory(entry) as target:
            for file in sorted({*folder.iterdir()} - {folder / JOURNAL, folder / LOCK}):
                file.rename(target / file.name)
        shutil.rmtree(folder, ignore_errors=True)  # the lock last, as whoever gets it may begin anew


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Whether a folder, made if need be, is this process's alone; what another has finished meanwhile is not."""
    folder.mkdir(exist_ok=True)
    with open(folder / LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.stat(folder / LOCK), os.fstat(lock.fileno()))
        except OSError:  # held, or gone
            ours = False
        yield ours


class Growing:
    """The features of items, in their order, behind those that a killed run has left.

    Args:
        folder: of :func:`growing_folder`.
        ids: of all items.
        dimensions: numbers in a frame.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with Growing(folder, ["a", "b"], 2) as first:
        ...     first.add(Extracted(np.ones((3, 2), np.float32), "sha", ""))
        >>> with Growing(folder, ["a", "b"], 2) as second:
        ...     [made.item for made in second.made]
        ['a']
    """

    def __init__(self, folder: Path, ids: Sequence[str], dimensions: int):
        self._folder, self._ids, self._dimensions = folder, ids, dimensions
        self.made: list[Made] = []
        self._kind = ""  # of the values, by numpy's name; one for all of them

    def __enter__(self) -> "Growing":
        path = self._folder / "values.npy"
        self._values = open(path, "r+b" if path.exists() else "w+b")
        self._journal = open(self._folder / JOURNAL, "a+b")
        _write_header(self._values, "<f4", 0, self._dimensions)
        begins = end = self._values.tell()
        told = 0
        for made, end, told in self._left(begins):  # noqa: B007 - the last of each is wanted
            self.made.append(made)
            self._kind = made.kind or self._kind
        self._values.truncate(end)
        self._values.seek(end)
        self._journal.truncate(told)
        self._waiting: list[Made] = []
        self._settled = time.monotonic()
        return self

    def __exit__(self, *error) -> None:
        if not error[0]:
            self._settle()
        self._values.close()
        self._journal.close()

    def add(self, extracted: Extracted) -> None:
        """The next item."""
        values, audio_sha, reason = extracted
        item = self._ids[len(self.made)]
        if values is None:
            made = Made(item, 0, "", reason, "")
        else:
            made = Made(item, len(values), audio_sha, "", values.dtype.str)
            if self._kind not in ("", made.kind):
                raise ValueError(f"the front end gave {values.dtype} for {item!r}, and {self._kind} before it")
            self._kind = made.kind
            self._values.write(values.data)
        self.made.append(made)
        self._waiting.append(made)
        if time.monotonic() - self._settled >= SETTLED_SECONDS:
            self._settle()

    def finish(self) -> None:
        """Say in the file what it holds."""
        frames = sum(made.length for made in self.made)
        self._values.seek(0)
        _write_header(self._values, self._kind or "<f4", frames, self._dimensions)
        self._values.seek(0, os.SEEK_END)

    def _settle(self) -> None:
        """Values first, and only then that they are there."""
        self._values.flush()
        os.fsync(self._values.fileno())
        self._journal.write("".join(json.dumps(made) + "\n" for made in self._waiting).encode())
        self._journal.flush()
        self._waiting = []
        self._settled = time.monotonic()

    def _left(self, end: int) -> Iterator[tuple[Made, int, int]]:
        """What has been made, where its values end, and where its line does."""
        size, told = os.fstat(self._values.fileno()).st_size, 0
        self._journal.seek(0)
        for item, line in zip(self._ids, self._journal.read().splitlines(keepends=True)):
            try:
                made = Made(*json.loads(line))
                end += made.length * self._dimensions * np.dtype(made.kind or "<f4").itemsize
            except (ValueError, TypeError):
                return
            if made.item != item or end > size or not line.endswith(b"\n"):
                return
            told += len(line)
            yield made, end, told


def _write_header(file: BinaryIO, kind: str, frames: int, dimensions: int) -> None:
    # numpy pads a header so that the first length may grow without moving what follows; all kinds are as long
    header = {"descr": kind, "fortran_order": False, "shape": (frames, dimensions)}
    np.lib.format.write_array_header_1_0(file, header)
