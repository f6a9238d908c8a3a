"""Where the files of an entry's values lie: with the entry, or in folders of their own on other disks."""

import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.files import rename_directory

__all__ = [
    "Part", "find", "free_bytes", "give_back_names", "hidden", "is_file_name", "is_place", "lies", "new_name", "remove",
    "take_names", "told_parts",
]  # fmt: skip


@dataclass
class Part:
    """A file of an entry's values.

    Args:
        file: its name.
        place: the folder in which it lies once the entry is made; empty for that of the entry.
        frames: that it holds.
    """

    file: str
    place: str
    frames: int = 0


def hidden(place: Path) -> Path:
    """How a place is called until its entry is made; as all that is begun, it is swept once nobody goes on with it.

    Example:
        >>> hidden(Path("/b/17.4f"))
        PosixPath('/b/.17.4f.partial')
    """
    return place.with_name(f".{place.name}.partial")


def new_name(folder: Path) -> str:
    """A name, of no other process, for places of the entry that is made in a folder."""
    return f"{_entry_name(folder)}.{secrets.token_hex(4)}"


def is_place(place: Any, folder: Path) -> bool:
    """Whether something that was read is a place of the entry that is made in a folder, and nothing else of a user's.

    Example:
        >>> is_place("/b/17.0123cdef", Path("/a/.17.partial")), is_place("/home", Path("/a/.17.partial"))
        (True, False)
    """
    fit = rf"{re.escape(_entry_name(folder))}\.[0-9a-f]{{8}}"
    return isinstance(place, str) and re.fullmatch(fit, Path(place).name) is not None


def is_file_name(name: Any) -> bool:
    """Whether something that was read is the name of a file of values."""
    return isinstance(name, str) and re.fullmatch(r"values(-\d{5})?\.npy", name) is not None


def _entry_name(folder: Path) -> str:
    return folder.name.removeprefix(".").removesuffix(".partial")


def lies(place: str, folders: Sequence[Path]) -> Iterator[Path]:
    """Where a place may be found: where it was made, or in a store's folder as it is called now."""
    made = Path(place)
    return iter(dict.fromkeys([made, *(folder / made.name for folder in folders)]))


def find(entry: Path, file: str, place: str, folders: Sequence[Path], size: int) -> Path:
    """The file of a part of an entry that has been made.

    Args:
        entry: its folder.
        file: name of the part.
        place: of the part.
        folders: of the store.
        size: the file's bytes.

    Raises:
        InputError: there is none, or it has another size.
    """
    remedy = f"delete {entry}, and the features are made anew"
    there = [where / file for where in (lies(place, folders) if place else [entry]) if (where / file).is_file()]
    if not there:
        where = Path(place) if place else entry
        mount = f"mount that disk, name the folder where {where.name} lies now, or " if place else ""
        raise InputError(f"the stored features in {entry} lack a file: there is no {where / file}; {mount}{remedy}")
    whole = [path for path in there if path.stat().st_size == size]
    if not whole:
        raise InputError(
            f"the stored features in {entry} are damaged: {there[0]} has {there[0].stat().st_size:,} bytes, and was "
            f"made with {size:,}; copy it anew, or {remedy}"
        )
    return whole[0]


def told_parts(parts: Sequence[Part], dimensions: int, header: int, itemsize: int) -> dict[str, Any]:
    """What an entry says of its files; nothing where there is one, and it lies in the entry."""
    if len(parts) == 1 and not parts[0].place:
        return {}
    row = dimensions * itemsize
    return {
        "files": [
            {"file": part.file, "place": part.place, "frames": part.frames, "bytes": header + part.frames * row}
            for part in parts
        ]
    }


def free_bytes(folder: Path) -> int:
    """Of the disk on which a folder is, or would be."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    return shutil.disk_usage(there).free


def remove(places: Iterable[str], folders: Sequence[Path]) -> None:
    """Remove places, whatever they are called and wherever they may be found."""
    for place in places:
        for where in lies(place, folders):
            for name in (hidden(where), where):
                shutil.rmtree(name, ignore_errors=True)


def take_names(places: Iterable[str], folders: Sequence[Path]) -> None:
    """Give places the names that they bear once their entry is made."""
    for place in places:
        for where in lies(place, folders):
            if hidden(where).is_dir():
                rename_directory(hidden(where), where)


def give_back_names(places: Iterable[str], folders: Sequence[Path]) -> None:
    """Give places the names that they bear before, as nobody got to make the entry after :func:`take_names`."""
    for place in places:
        for where in lies(place, folders):
            if where.is_dir():
                where.rename(hidden(where))
