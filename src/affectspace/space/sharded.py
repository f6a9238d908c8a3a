"""A space as a folder: shards of Parquet, and a manifest that is written last and says that they are all there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.places import Place
from affectspace.space.space_file import read_files

__all__ = [
    "ITEMS",
    "MANIFEST",
    "PLAN",
    "QUARANTINE",
    "SOURCE",
    "holds_shards",
    "note_name",
    "read_folder",
    "shard_name",
    "tries_name",
    "whole_shards",
]

FORMAT = 1
MANIFEST, QUARANTINE = "manifest.json", "quarantine.parquet"
PLAN = "plan/plan.json"  # what is to be done: there from the first moment on
ITEMS = "plan/items.parquet"  # every item of it, a shard a group of rows
SOURCE = "source of the features"  # a column of the plan alone, as no corpus names one of its own


def shard_name(index: int) -> str:
    """The file of a shard.

    Example:
        >>> shard_name(12)
        'part-00012.parquet'
    """
    return f"part-{index:05d}.parquet"


def note_name(index: int) -> str:
    """The file that says what a shard holds, written once its own is there."""
    return f"plan/part-{index:05d}.json"


def tries_name(index: int) -> str:
    """The file that counts how often a shard has been begun."""
    return f"plan/part-{index:05d}.tries"


def holds_shards(path: Path) -> bool:
    """Whether a folder is a space in shards, whole or begun."""
    return (path / MANIFEST).is_file() or (path / PLAN).is_file()


def read_folder(path: Path) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...], dict[str, Any]]:
    """Items, vectors, classes and origin of a space in shards, as :func:`read_file` gives them of one file.

    Raises:
        InputError: a folder that is not finished, whose manifest is of another format or damaged, or whose files are
            not those that it names.
    """
    files, told = whole_shards(path)
    items, vectors, classes, about = read_files(files)
    if len(items) != told:
        raise InputError(f"{path} has {len(items):,} items, and {MANIFEST} tells of {told:,}; {_again(path)}")
    return items, vectors, classes, about


def whole_shards(path: Path) -> tuple[list[Path], int]:
    """The files of a space in shards, in order, and how many items they have together.

    Raises:
        InputError: as :func:`read_folder`, but for what is in the files.
    """
    manifest = _manifest(path)
    for shard in manifest["shards"]:
        size = Place(str(path)).size(shard["name"])
        if size != shard["bytes"]:
            has = "is not there" if size is None else f"has {size:,} bytes"
            raise InputError(
                f"{path / shard['name']} {has}, and {MANIFEST} tells of {shard['bytes']:,} bytes; {_again(path)}"
            )
    return [path / shard["name"] for shard in manifest["shards"]], int(manifest["items"])


def _manifest(path: Path) -> dict[str, Any]:
    if not (path / MANIFEST).is_file():
        plan = json.loads((path / PLAN).read_text(encoding="utf-8"))
        done = sum((path / note_name(index)).is_file() for index in range(len(plan["shards"])))
        raise InputError(
            f"{path} is no whole space yet: {done} of its {len(plan['shards'])} shards are there; {_again(path)}"
        )
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if "engine" in manifest:
            raise InputError(f"{path} is an index, which affectspace search reads; give the space that it was made of")
        if manifest["format"] != FORMAT:
            raise InputError(
                f"{path / MANIFEST} is of format {manifest['format']}, and this affectspace reads {FORMAT}; upgrade it"
            )
        if not all({"name", "bytes"} <= shard.keys() for shard in manifest["shards"]) or not manifest["shards"]:
            raise ValueError("its shards are not named")
        int(manifest["items"])
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path / MANIFEST} cannot be read: {error}; {_again(path)}") from error
    return manifest


def _again(path: Path) -> str:
    """The words that tell how the folder is mended."""
    try:
        command = json.loads((path / PLAN).read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError):
        return "copy the folder again, or embed the corpus anew"
    return f"what is missing is made by: {command}"
