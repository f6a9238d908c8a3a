"""Whether a file or a folder can be written, asked before any work is done."""

import os
from pathlib import Path

from affectspace.errors import InputError

__all__ = ["new_file", "new_folder"]


def new_file(path: Path, option: str = "--out") -> Path:
    """A path that a file can be written to; one that exists is replaced.

    Raises:
        InputError: it is a folder, or lies below a file or in a folder that cannot be written to.
    """
    if path.is_dir():
        raise InputError(f"{option} {path} is a folder; name the file to write, such as {path / 'NAME'}{path.suffix}")
    _refuse_place(path.parent, path, option)
    return path


def new_folder(path: Path, option: str = "--out") -> Path:
    """A path that can be a folder with files in it.

    Raises:
        InputError: it is a file, or lies below one or in a folder that cannot be written to.
    """
    _refuse_place(path, path, option)
    return path


def _refuse_place(folder: Path, path: Path, option: str) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise InputError(f"{option} {path} cannot be written, as {there} is a file and no folder; choose another path")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path} cannot be written, as you may not write to {there}; choose another path")
