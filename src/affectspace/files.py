"""Files that are either whole or absent, and paths that stay below their root."""

import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from affectspace.errors import InputError

__all__ = [
    "Below",
    "atomic_directory",
    "atomic_path",
    "flush",
    "held",
    "in_use",
    "inside",
    "json_text",
    "packed",
    "rename_directory",
    "sha256",
    "sweep",
    "write_json",
    "write_text",
]


PACKED = re.compile(r"(?P<table>.+\.(?:parquet|csv))#(?P<row>\d{1,18})", re.DOTALL)
GLANCES, GLANCE = 3, 0.05  # how often a lock is asked for, and seconds between: who only looks holds it for less
SETTLED = 2_000_000_000  # nanoseconds; no file system's clock ticks more slowly
UMASK = os.umask(0o077)  # it can only be read by setting it, which is safe while the program has one thread
os.umask(UMASK)


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` and rename it there once the block ends well.

    A reader sees the old file or the whole new one. An exception (a full disk included) leaves
    the old file as it was and no trace of the new one.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_path(folder / "a.txt") as path:
        ...     _ = path.write_text("whole")
        >>> [f.name for f in folder.iterdir()]
        ['a.txt']
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    os.close(handle)
    path = Path(name)
    try:
        yield path
        flush(path)
        os.chmod(path, 0o666 & ~UMASK)
        os.replace(path, target)
        flush(target.parent)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_directory(target: str | Path) -> Iterator[Path]:
    """Like :func:`atomic_path` for a new folder with its files.

    When ``target`` already exists, written by somebody faster, theirs is kept and ours dropped.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield path
        rename_directory(path, target)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def rename_directory(path: Path, target: Path) -> bool:
    """Have a folder with its files, all of them safe on the disk, take a name; whether nobody was faster."""
    for entry in (*path.rglob("*"), path):  # names in a folder are safe only when the folder is flushed too
        flush(entry)
    os.chmod(path, 0o777 & ~UMASK)
    try:
        os.rename(path, target)
    except OSError:
        if not target.is_dir():
            raise
        return False
    flush(target.parent)
    return True


@contextmanager
def held(folder: str | Path, busy: str) -> Iterator[None]:
    """Keep a folder, made if need be, for this process alone; the lock goes with the process, however it ends.

    Args:
        folder: which.
        busy: what to say where another process holds it.

    Raises:
        InputError: another process holds it, or it cannot be a folder.

    Example:
        >>> folder = tempfile.mkdtemp()
        >>> with held(folder, "it is in use"), held(folder, "it is in use"):
        ...     pass
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: it is in use
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder} is, or lies below, a file; choose another folder with --out") from None
    with open(Path(folder, ".lock"), "w") as lock:
        for left in reversed(range(GLANCES)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    raise InputError(busy) from None
                time.sleep(GLANCE)
        yield


def in_use(folder: str | Path) -> bool:
    """Whether a process keeps the folder by :func:`held` just now.

    Example:
        >>> folder = tempfile.mkdtemp()
        >>> with held(folder, "it is in use"):
        ...     in_use(folder)
        True
        >>> in_use(folder), in_use("nowhere")
        (False, False)
    """
    try:
        with open(Path(folder, ".lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    return False


def sweep(folder: str | Path) -> None:
    """Remove what killed writers have left below ``folder``; only for whoever holds it alone."""
    for leftover in list(Path(folder).rglob(".*.partial")):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: str | Path, value: Any) -> None:
    """Write JSON, whole or not at all; a figure that is not a number becomes ``null``, as JSON knows no NaN."""
    write_text(target, json_text(value, indent=1) + "\n")


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that every reader accepts: NaN and infinities are ``null``.

    Example:
        >>> json_text({"rho": float("nan"), "uar": 0.5})
        '{"rho": null, "uar": 0.5}'
    """
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_finite(entry) for entry in value]
    return value


def packed(path: str | Path) -> tuple[Path, int | None]:
    """The table and the row of a reference such as ``faces.parquet#17``; any other path as it is, and None.

    A table may hold images in its rows, counted from 0: encoded in the column ``image`` of a Parquet file, or as
    grey levels in the column ``pixels`` of a CSV file.

    Example:
        >>> packed("faces/fer2013.csv#17")
        (PosixPath('faces/fer2013.csv'), 17)
        >>> packed("faces/17.png")
        (PosixPath('faces/17.png'), None)
    """
    fit = PACKED.fullmatch(str(path))
    return (Path(fit["table"]), int(fit["row"])) if fit else (Path(path), None)


def inside(root: str | Path, relative: str) -> Path:
    """The path ``root / relative``, refused when it leaves ``root``, by ``..`` or by a link.

    Of a reference into a table (see :func:`packed`), the table must lie below the root.

    Raises:
        InputError: the path is absolute or points outside the root.

    Example:
        >>> inside("/corpus", "../secret.wav")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: path '../secret.wav' leaves its root /corpus; ...
    """
    return Below(root).path(relative)


class Below:
    """A root that paths have to stay below, for who asks for many: links of each folder are followed once.

    Args:
        root: of the paths.

    Example:
        >>> Below("/corpus").path("audio/one.wav")
        PosixPath('/corpus/audio/one.wav')
    """

    def __init__(self, root: str | Path):
        self.root, self._top = root, os.path.realpath(root)
        self._folders: dict[str, str] = {}

    def path(self, relative: str) -> Path:
        """The path ``root / relative``; refused as :func:`inside` refuses it."""
        if os.path.isabs(relative):
            raise InputError(
                f"path {relative!r} is absolute; paths in a table must stay below the root {self.root} and be relative "
                "to it"
            )
        path = os.path.join(self.root, relative)
        # A file may bear the very name of a reference, so both it and the table have to stay.
        both = [path] if "#" not in relative else [path, os.path.join(self.root, packed(relative)[0])]
        if not all(self._holds(self._real(place)) for place in both):
            raise InputError(
                f"path {relative!r} leaves its root {self.root}; paths in a table must stay below the root"
            )
        return Path(path)

    def real(self, relative: str) -> str:
        """The same, absolute and with its links followed.

        Raises:
            InputError: as :func:`inside`.
        """
        return self._real(str(self.path(relative)))

    def _holds(self, real: str) -> bool:
        return real == self._top or real.startswith(self._top.rstrip("/") + "/")

    def _real(self, place: str) -> str:
        """``os.path.realpath(place)``, with what its folder is from the last time."""
        folder, name = os.path.split(place)
        if name in ("", ".", ".."):
            return os.path.realpath(place)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        found = os.path.join(self._folders[folder], name)
        try:
            return os.path.realpath(found) if stat.S_ISLNK(os.lstat(found).st_mode) else found
        except OSError:  # there is nothing
            return found


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, which are read once in a process while size and time stay as they are."""
    real = os.path.realpath(path)
    status = os.stat(real)
    # One that was written just now may be written again within the same tick of the file system's clock.
    if time.time_ns() - status.st_ctime_ns < SETTLED:
        return _hashed(real)
    return _hashed_before(real, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=1024)
def _hashed_before(real: str, *state: int) -> str:
    return _hashed(real)


def _hashed(real: str) -> str:
    with open(real, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before anything else is done."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
