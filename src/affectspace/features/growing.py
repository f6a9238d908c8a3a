"""An entry of the feature store while it is made, item by item, so that a run that was killed goes on where it was."""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from affectspace.errors import AffectspaceError, InputError
from affectspace.features import spread
from affectspace.features.extract import Extracted
from affectspace.features.spread import Part
from affectspace.features.value_files import FIRST, FULL, ValueFiles, no_room
from affectspace.files import rename_directory

__all__ = ["Growing", "Made", "forget", "growing_folder"]

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
def growing_folder(entry: Path, folders: Sequence[Path] = ()) -> Iterator[Path]:
    """A hidden folder beside an entry, which takes its name once the block ends well.

    It is the same for every run that makes this entry, so that what a killed one has left is found in it. While
    another process is at work there, a folder of its own is given, and whoever is first has made the entry. An
    exception leaves nothing behind; a signal, or the death of a worker, leaves what has been made.

    Args:
        entry: its folder.
        folders: others, over which its values may be spread.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    folder = entry.parent / f".{entry.name}.partial"
    with _held(folder) as ours:
        if not ours:
            folder = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", suffix=".partial", dir=entry.parent))
        try:
            yield folder
        except BaseException as error:
            if not ours or _is_fault(error):
                forget(folder, folders)
            raise
        spread.take_names(_places(folder), folders)
        if rename_directory(folder, entry):
            for left in (JOURNAL, LOCK):
                (entry / left).unlink(missing_ok=True)
        else:
            forget(folder, folders)


def forget(folder: Path, folders: Sequence[Path]) -> None:
    """Remove the folder in which an entry was being made, and its values in others."""
    spread.remove(_places(folder), folders)
    shutil.rmtree(folder, ignore_errors=True)  # the lock last, as whoever gets it may begin anew


def _is_fault(error: BaseException) -> bool:
    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
        return False
    return isinstance(error, InputError) or not isinstance(error, AffectspaceError)


def _places(folder: Path) -> list[str]:
    """Where values have been written, other than with the entry; whatever else somebody may have noted is left out."""
    found = []
    try:
        with open(folder / JOURNAL, "rb") as journal:
            for line in journal:
                if line.startswith(b"{"):
                    found.append(json.loads(line).get("place"))
    except (OSError, ValueError):
        pass
    return list(dict.fromkeys(place for place in found if spread.is_place(place, folder)))


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
        folders: of the store, over which values may be spread.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with Growing(folder, ["a", "b"], 2) as first:
        ...     first.add(Extracted(np.ones((3, 2), np.float32), "sha", ""))
        >>> with Growing(folder, ["a", "b"], 2) as second:
        ...     [made.item for made in second.made]
        ['a']
    """

    def __init__(self, folder: Path, ids: Sequence[str], dimensions: int, folders: Sequence[Path] = ()):
        self._folder, self._ids, self._dimensions, self._folders = folder, ids, dimensions, folders
        self.made: list[Made] = []
        self._kind = ""  # of the values, by numpy's name; one for all of them

    def __enter__(self) -> "Growing":
        self._files = ValueFiles(self._folder, self._folder.parent, self._folders, self._dimensions, self._begun)
        places = _places(self._folder)
        self._elsewhere = bool(places)
        spread.give_back_names(places, self._folders)
        self._journal = open(self._folder / JOURNAL, "a+b")
        parts, told = self._left()
        self._files.go_on(parts, places, self._kind)
        self._journal.truncate(told)
        self._waiting: list[Made] = []
        self._settled = time.monotonic()
        return self

    def __exit__(self, *error) -> None:
        if not error[0]:
            self._settle()
        self._files.close()
        self._journal.close()

    def add(self, extracted: Extracted) -> None:
        """The next item.

        Raises:
            InputError: no disk has room for its values.
        """
        values, audio_sha, reason = extracted
        item = self._ids[len(self.made)]
        if values is None:
            made = Made(item, 0, "", reason, "")
        else:
            made = Made(item, len(values), audio_sha, "", values.dtype.str)
            if self._kind not in ("", made.kind):
                raise ValueError(f"the front end gave {values.dtype} for {item!r}, and {self._kind} before it")
            self._kind = made.kind
            self._files.add(values)
        self.made.append(made)
        self._waiting.append(made)
        if time.monotonic() - self._settled >= SETTLED_SECONDS:
            self._settle()

    def finish(self) -> dict[str, Any]:
        """Say in the files what they hold; what an entry tells of them."""
        kind = self._kind or "<f4"
        self._files.finish(kind)
        return spread.told_parts(self._files.parts, self._dimensions, self._files.header, np.dtype(kind).itemsize)

    def _settle(self) -> None:
        """Values first, and only then that they are there."""
        self._files.settle()
        self._write("".join(json.dumps(made) + "\n" for made in self._waiting))
        self._waiting = []
        self._settled = time.monotonic()

    def _begun(self, part: Part) -> None:
        """A file that is begun, of which nobody needs to be told if it is the first and in its usual place."""
        if part.file != FIRST or part.place or self._elsewhere:
            self._elsewhere = True
            self._settle()
            self._write(json.dumps({"file": part.file, "place": part.place}) + "\n")

    def _write(self, lines: str) -> None:
        try:
            self._journal.write(lines.encode())
            self._journal.flush()
        except OSError as error:
            if error.errno in FULL:
                raise no_room(self._folder.parent) from error
            raise

    def _is_part(self, says: dict[str, Any]) -> bool:
        place = says.get("place")
        return spread.is_file_name(says.get("file")) and (place == "" or spread.is_place(place, self._folder))

    def _left(self) -> tuple[list[Part], int]:
        """The files and the length of the journal as far as items are in both; these become ``made``."""
        parts: list[Part] = []
        end = size = seen = told = 0
        self._journal.seek(0)
        for line in self._journal.read().splitlines(keepends=True):
            if len(self.made) == len(self._ids) or not line.endswith(b"\n"):
                break
            seen += len(line)
            try:
                says = json.loads(line)
                if isinstance(says, dict) and not self._is_part(says):
                    break
                if isinstance(says, dict) or not parts:
                    if parts and not parts[-1].frames:  # in vain
                        parts.pop()
                    parts.append(Part(says["file"], says["place"]) if isinstance(says, dict) else Part(FIRST, ""))
                    end, size = self._files.header, self._files.size(parts[-1])
                if isinstance(says, dict):
                    continue
                made = Made(*says)
                end += made.length * self._dimensions * np.dtype(made.kind or "<f4").itemsize
            except (ValueError, TypeError, KeyError):
                break
            if made.item != self._ids[len(self.made)] or (made.length and end > size):
                break
            self.made.append(made)
            self._kind = made.kind or self._kind
            parts[-1].frames += made.length
            told = seen
        if parts and not parts[-1].frames:
            parts.pop()
        return parts, told
