"""Folders here or in a store: small files that are read by their names, and written whole or not at all."""

import io
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from affectspace.errors import AffectspaceError, InputError
from affectspace.extras import refuse_missing
from affectspace.files import atomic_path

__all__ = ["Place", "is_url"]

SIDE_BY_SIDE = 16  # files of a store that are asked for at a time: most of it is waiting


def is_url(path: str | Path) -> bool:
    """Whether something is named by its URL, such as ``s3://bucket/folder``, and not by a path of this machine.

    Example:
        >>> is_url("s3://bucket/clips"), is_url("clips"), is_url("file:///clips")
        (True, False, False)
    """
    return "://" in str(path) and not str(path).startswith("file://")


@dataclass(frozen=True)
class Place:
    """A folder, by its path or by a URL that fsspec reads; nothing is ever asked of it but by a file's name.

    Lists of a store's files may be late or kept from before, so none is asked for. A file appears whole or not at all:
    beside its name and renamed on a disk, by a single upload in a store.

    Args:
        url: ``folder``, ``/folder`` or ``file:///folder``, or ``s3://bucket/folder``. Keys and addresses of a store are
            where its own tools look for them, such as ``AWS_ACCESS_KEY_ID`` and ``AWS_ENDPOINT_URL``.

    Raises:
        InputError: a URL, and fsspec or what it needs for this kind is not installed, or of a kind that there is not.

    Example:
        >>> import tempfile
        >>> place = Place(tempfile.mkdtemp())
        >>> place.write("notes/a.txt", b"whole")
        >>> place.read("notes/a.txt"), place.size("notes/a.txt"), place.size("b.txt")
        (b'whole', 5, None)
    """

    url: str

    def __post_init__(self):
        url = str(self.url)
        if url.startswith("file://"):
            url = url.removeprefix("file://")
        object.__setattr__(self, "url", url.rstrip("/") or "/")
        if is_url(url):
            _ = self._store

    def __str__(self) -> str:
        return self.url

    def __reduce__(self) -> tuple[Any, ...]:
        return Place, (self.url,)  # connections are each process's own

    @property
    def local(self) -> Path | None:
        """The folder where it is one of this machine."""
        return None if is_url(self.url) else Path(self.url)

    def path(self, name: str) -> str:
        """How a file of it is called."""
        return f"{self.url}/{name}" if is_url(self.url) else str(Path(self.url, name))

    def read(self, name: str) -> bytes:
        """All of a file.

        Raises:
            FileNotFoundError: there is none.
            AffectspaceError: the store cannot be asked.
        """
        if (folder := self.local) is not None:
            return (folder / name).read_bytes()
        with self._asked():
            return self._store.cat_file(self.path(name))

    def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """All of several files, side by side; None for each that is not there.

        Raises:
            AffectspaceError: the store cannot be asked.
        """
        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            return list(threads.map(self._read_or_none, names))

    def open(self, name: str) -> BinaryIO:
        """A file to read parts of; raises as :meth:`read`."""
        if (folder := self.local) is not None:
            return open(folder / name, "rb")
        with self._asked():
            return self._store.open(self.path(name), "rb")

    def write(self, name: str, content: bytes) -> None:
        """A file whole, in the place of one of that name.

        Raises:
            OSError: the disk is full, or may not be written to.
            AffectspaceError: the store cannot be asked.
        """
        if (folder := self.local) is not None:
            with atomic_path(folder / name) as path:
                path.write_bytes(content)
            return
        with self._asked(missing="there is no such bucket"):
            self._store.pipe_file(self.path(name), content)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none.

        Raises:
            AffectspaceError: the store cannot be asked.
        """
        try:
            if (folder := self.local) is not None:
                return (folder / name).stat().st_size
            with self._asked():
                return int(self._store.info(self.path(name))["size"])
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove a file, where there is one."""
        if (folder := self.local) is not None:
            (folder / name).unlink(missing_ok=True)
            return
        with suppress(FileNotFoundError), self._asked():
            self._store.rm_file(self.path(name))

    def fetch(self, name: str, to: Path) -> bool:
        """Copy a file to a path of this machine; whether there was one."""
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.open(name) as source, open(to, "wb") as target:
                shutil.copyfileobj(source, target, io.DEFAULT_BUFFER_SIZE * 128)
        except FileNotFoundError:
            to.unlink(missing_ok=True)
            return False
        return True

    def _read_or_none(self, name: str) -> bytes | None:
        try:
            return self.read(name)
        except FileNotFoundError:
            return None

    @cached_property
    def _store(self) -> Any:
        refuse_missing("remote", f"{self.url} needs", "fsspec")
        import fsspec  # pyright: ignore[reportMissingImports]  # loaded only where somebody names a URL

        kind = self.url.partition("://")[0]
        try:
            # What a listing showed an hour ago is no answer to whether a file is there now.
            return fsspec.filesystem(kind, use_listings_cache=False)
        except ImportError as error:
            told = str(error).strip().rstrip(".")
            raise InputError(f'{self.url} needs more: {told}; or pip install "affectspace[remote]"') from error
        except ValueError as error:
            raise InputError(
                f"{self.url} is of no kind of store that is known ({kind}); legal are paths, s3://bucket/folder, and "
                "whatever else fsspec reads"
            ) from error

    @contextmanager
    def _asked(self, missing: str = "") -> Iterator[None]:
        """What a store's own client raises as one sentence; that a file is missing stays what it is.

        Args:
            missing: what it means where nothing is read, so that no file can be.
        """
        try:
            yield
        except AffectspaceError:
            raise
        except Exception as error:  # each client has faults of its own, of names, rights, and the network
            gone = isinstance(error, FileNotFoundError)
            if gone and not missing:
                raise
            told = missing if gone else (str(error).strip() or type(error).__name__).splitlines()[0]
            raise AffectspaceError(
                f"{self.url} cannot be asked: {told}; see to its name and address, and to what you may do there"
            ) from error
