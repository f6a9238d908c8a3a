"""One study at a time in a folder; the lock goes with its process, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affectspace.errors import InputError

__all__ = ["hold_study"]


@contextmanager
def hold_study(folder: Path) -> Iterator[None]:
    """Keep a study's folder for this process alone.

    Raises:
        InputError: another process is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process is at work on the study in {folder}; wait for it, or choose another --out"
            ) from None
        yield
