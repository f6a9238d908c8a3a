"""The files to which the values of an entry are written, each of whole items, on whichever disk has room."""

import errno
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO, FileIO
from pathlib import Path

import numpy as np

from affectspace.errors import InputError
from affectspace.features import spread
from affectspace.features.spread import Part

__all__ = ["FIRST", "FULL", "ValueFiles", "no_room"]

# Of a file, unless a single item is larger. Each file that is read takes a file descriptor, of which a process has
# 1,024 by default: enough for 15 TB.
FILE_BYTES = 16 << 30
FIRST = "values.npy"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class ValueFiles:
    """The values of an entry while it is made.

    The first file lies in the entry while there is room for a whole one, so that small entries are in one folder. Each
    further one goes to the folder with the most free space, as does what a full disk has no room for.

    Args:
        folder: of the entry, while it is made.
        home: the store's folder in which that lies.
        folders: all of the store, from the root as ``home`` is.
        dimensions: numbers in a frame.
        begun: told of each part before its file is made, when all before it is on the disk.
    """

    def __init__(
        self, folder: Path, home: Path, folders: Sequence[Path], dimensions: int, begun: Callable[[Part], None]
    ):
        self._folder, self._home, self._dimensions, self._begun = folder, home, dimensions, begun
        self._folders = list(dict.fromkeys([home, *folders]))
        self._name = spread.new_name(folder)  # of this process's places alone
        self.header = len(_header("<f4", 0, dimensions))
        self.parts: list[Part] = []
        self._file: FileIO | None = None
        self._end = 0  # of the last file

    def path(self, part: Part) -> Path:
        """Where the file of a part is, or would be, while the entry is made."""
        if not part.place:
            return self._folder / part.file
        places = [spread.hidden(where) / part.file for where in spread.lies(part.place, self._folders)]
        return next((path for path in places if path.is_file()), places[0])

    def size(self, part: Part) -> int:
        """Bytes of its file; 0 where there is none."""
        try:
            return self.path(part).stat().st_size
        except FileNotFoundError:
            return 0

    def go_on(self, parts: Sequence[Part], places: Sequence[str], kind: str) -> None:
        """Begin behind the items that are in ``parts``; whatever else is in ``places`` is removed."""
        self.parts = list(parts)
        kept = {self.path(part) for part in parts}
        own = {spread.hidden(where) for place in places for where in spread.lies(place, self._folders)}
        for path in {path for folder in (self._folder, *own) for path in folder.glob("values*.npy")} - kept:
            path.unlink()
        for folder in own:
            with suppress(OSError):  # it is not empty, or not there
                folder.rmdir()
        for part in self.parts:
            if part.place:  # its disk may be mounted elsewhere now
                part.place = str(self.path(part).parent.parent.absolute() / Path(part.place).name)
        if parts:
            self._end = self.header + parts[-1].frames * self._dimensions * np.dtype(kind).itemsize
            self._file = FileIO(self.path(parts[-1]), "r+")
            self._file.truncate(self._end)
            self._file.seek(self._end)

    def add(self, values: np.ndarray) -> None:
        """An item's values, in one file.

        Raises:
            InputError: no disk has room for them.
        """
        tried: list[Path] = []
        if self._file is not None and self.parts[-1].frames and self._end + values.nbytes > FILE_BYTES:
            self._close(values.dtype.str)
        while True:
            try:
                if self._file is None:
                    self._begin(values.nbytes, tried)
                self._write(values.data.cast("B"))
                break
            except OSError as error:
                if error.errno not in FULL:
                    raise
                tried.append(self._where)
                if set(tried) < set(self._folders):
                    warnings.warn(f"the disk of {tried[-1]} is full; features go on in another folder", stacklevel=2)
                self._close(values.dtype.str)
        self.parts[-1].frames += len(values)

    def settle(self) -> None:
        """Have the disk keep what was added, and the folders seem used to whoever sweeps."""
        if self._file is not None:
            with self._named():
                os.fsync(self._file.fileno())
        for folder in {self.path(part).parent for part in self.parts if part.place}:
            os.utime(folder)

    def finish(self, kind: str) -> None:
        """Say in the last file what it holds; of no item there is a file, too."""
        if not self.parts:
            self._begin(0, [])
        self._close(kind, keep=True)

    def close(self) -> None:
        """Leave all as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _where(self) -> Path:
        """The store's folder in which the last file is."""
        return Path(self.parts[-1].place).parent if self.parts[-1].place else self._home

    def _begin(self, size: int, tried: Sequence[Path]) -> None:
        left = [folder for folder in self._folders if folder not in tried]
        if not left:
            raise no_room(*self._folders)
        free = {folder: spread.free_bytes(folder) for folder in left} if len(left) > 1 else dict.fromkeys(left, 0)
        roomiest = max(left, key=free.__getitem__)
        alone = not self.parts and free.get(self._home, -1) >= max(size, FILE_BYTES)
        folder = self._home if alone else roomiest
        number = len(self.parts)
        part = Part(
            f"values-{number:05}.npy" if number else FIRST,
            "" if folder == self._home else str(folder.absolute() / self._name),
        )
        self._begun(part)
        self.parts.append(part)
        path = self.path(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._end = FileIO(path, "w+"), 0
        self._write(memoryview(_header("<f4", 0, self._dimensions)))

    def _write(self, given: memoryview) -> None:
        """All of it, or nothing."""
        assert self._file is not None
        left = given
        with self._named():
            try:
                while left:
                    left = left[self._file.write(left) :]
            except OSError:
                self._file.truncate(self._end)
                self._file.seek(self._end)
                raise
        self._end += len(given)

    def _close(self, kind: str, keep: bool = False) -> None:
        """Say in the last file what it holds; one that holds nothing was begun in vain."""
        part = self.parts[-1]
        path = self.path(part)
        if self._file is not None and (part.frames or keep):
            self._file.seek(0)
            with self._named():
                self._file.write(_header(kind, part.frames, self._dimensions))
                os.fsync(self._file.fileno())
        self.close()
        if not part.frames and not keep:
            self.parts.pop()
            path.unlink(missing_ok=True)
            if part.place:
                with suppress(OSError):  # others are in it
                    path.parent.rmdir()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Have errors name the file, which those of an open one do not."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path(self.parts[-1]))) from error


def no_room(*folders: Path) -> InputError:
    """Of folders on full disks."""
    full = "their disks are" if len(folders) > 1 else "the disk is"
    told = " or ".join(map(str, folders))
    return InputError(f"features cannot be stored in {told}: {full} full; free some space, or choose another folder")


def _header(kind: str, frames: int, dimensions: int) -> bytes:
    # numpy pads a header so that the first length may grow without moving what follows; all kinds are as long
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": (frames, dimensions)})
    return file.getvalue()
