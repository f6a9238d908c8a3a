"""Features kept on disk: made once, mapped into memory ever after."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from affectspace.errors import InputError
from affectspace.features import spread
from affectspace.features.extract import Frontend, Source, extract_all, reads_text
from affectspace.features.features import Features, refuse_duplicates, refuse_too_many
from affectspace.features.growing import Growing, forget, growing_folder
from affectspace.features.lines import Lines, counted_lines
from affectspace.features.spread_values import SpreadValues
from affectspace.features.value_files import FIRST, FULL, no_room
from affectspace.files import packed

__all__ = ["FeatureStore"]

FORMAT = 1  # of an entry; it is part of the key, so that entries of another format are never opened
ABANDONED_SECONDS = 7 * 24 * 3600.0  # nobody goes on with a partial entry that was not written to for so long


class FeatureStore:
    """A folder of features, or several on disks of their own, with one entry for each front end and list of files.

    An entry is found again by its front end's fingerprint and, for every item, its id, path, size,
    time of change, start, end and box (or its text): touch a file, and its entry is made anew. It appears whole or not
    at all, so two runs may make the same entry, and a run may be killed, at any moment; what that has made is found by
    the next, but for the last few seconds.

    An entry holds ``values.npy`` (float32, or int16 or uint8 where the front end gives that; frames of all
    items x dimensions), ``index.parquet`` (id, length, audio_sha), ``quarantine.parquet`` (id, reason) and
    ``about.json``. What is more than 16 GiB goes on in ``values-00001.npy`` and so on, each of whole items and in the
    folder with the most free space: in the entry, or in a folder of the entry's name and some digits more. Any of
    them may be deleted with their folder; they are only a cache.

    Args:
        root: the folder, or several in their order; made when they are needed. Entries are made in the first, and
            found in all, in whatever order they are named.

    Example:
        >>> import tempfile
        >>> from affectspace.features import LogMel
        >>> from affectspace.media import write_audio
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_audio(folder / "a.flac", np.sin(np.arange(16000.0)), 16000)
        >>> media = pd.DataFrame({"id": ["a", "b"], "path": [folder / "a.flac", folder / "b.flac"]})
        >>> features = FeatureStore(folder / "store").extract(media, LogMel(), max_bad_share=0.5)
        >>> features["a"].shape, features.quarantine["id"].tolist()
        ((98, 40), ['b'])
    """

    def __init__(self, root: str | Path | Sequence[str | Path]):
        roots = [root] if isinstance(root, str | Path) else root
        self.folders = list(dict.fromkeys(Path(folder).absolute() for folder in roots))
        if not self.folders:
            raise InputError("a store of features is a folder, or several; none was given")

    def extract(
        self,
        media: pd.DataFrame,
        frontend: Frontend,
        workers: int | None = None,
        max_bad_share: float = 0.1,
        progress: bool = True,
        what: str = "features",
    ) -> Features:
        """The features of every item, from the store or made and stored now.

        Args:
            media: one row an item: ``id`` (unique), ``path`` (absolute; of an image also a row of a table, such
                as ``/faces.parquet#17``; for a front end that reads text, the text itself), and where an item is a
                part of its file ``start`` and ``end`` in seconds, or of its picture or frames ``box``, the text "left
                top width height" in pixels.
            frontend: makes the features; see :class:`~affectspace.features.LogMel`.
            workers: processes; None: as many as pay, 1: none but this one. The result is the same.
            max_bad_share: largest share of items, in [0, 1], that may be unreadable; they are in
                ``quarantine`` of the result, each with its reason.
            progress: show a bar, or a line now and then where standard error is no terminal.
            what: is made, as these tell it.

        Raises:
            InputError: columns or ids that are missing or occur twice, too many unreadable items
                (or all), a disk that is full, or a damaged entry.
        """
        ids, sources = _read_media(media)
        key = _key(frontend, ids, sources)
        entry = self._found(key)
        if not entry.is_dir():
            try:
                _sweep(self.folders)
                with growing_folder(entry, self.folders) as folder:
                    quarantine = _make(folder, ids, sources, frontend, workers, what if progress else "", self.folders)
                    refuse_too_many(quarantine, len(ids), max_bad_share)
            except OSError as error:
                raise self._unusable(error, entry.parent) from error
        features = _open(entry, self.folders)
        refuse_too_many(features.quarantine, len(ids), max_bad_share)
        return features

    def _found(self, key: str) -> Path:
        """An entry, or else where it was begun, or else where it is to be."""
        for name in (key, f".{key}.partial"):
            for folder in self.folders:
                if (folder / name).is_dir():
                    return folder / key
        return self.folders[0] / key

    def _unusable(self, error: OSError, home: Path) -> InputError:
        """Which folder cannot be written to, and why."""
        named = [folder for folder in self.folders if error.filename and Path(error.filename).is_relative_to(folder)]
        where = named[0] if named else home
        if error.errno in FULL:
            return no_room(where)
        return InputError(
            f"features cannot be stored in {where}: {error.strerror or error}; see to its permissions, or choose "
            "another folder"
        )


def _read_media(media: pd.DataFrame) -> tuple[list[str], list[Source]]:
    missing = [column for column in ("id", "path") if column not in media]
    if missing:
        raise InputError(f"the media table lacks {', '.join(missing)}; it has {', '.join(map(str, media.columns))}")
    if not len(media):
        raise InputError("the media table has no items; nothing can be extracted")
    ids = ["" if pd.isna(item) else str(item) for item in media["id"]]
    if "" in ids:
        raise InputError(f"row {ids.index('') + 1} of the media table has no id; give every item one")
    refuse_duplicates(ids, "the media table")
    paths = ["" if pd.isna(path) else str(path) for path in media["path"]]
    starts, ends = (_seconds(media, column) for column in ("start", "end"))
    boxes = (
        [None if pd.isna(box) or not str(box).strip() else str(box) for box in media["box"]]
        if "box" in media
        else [None] * len(ids)
    )
    return ids, [Source(*source) for source in zip(paths, starts, ends, boxes)]


def _seconds(media: pd.DataFrame, column: str) -> list[float | None]:
    if column not in media:
        return [None] * len(media)
    return [None if pd.isna(value) else float(value) for value in media[column]]


def _key(frontend: Frontend, ids: Sequence[str], sources: Sequence[Source]) -> str:
    """One hash over what the features depend on."""
    digest = hashlib.sha256(json.dumps([FORMAT, frontend.fingerprint]).encode())
    text = reads_text(frontend)
    for item, source in zip(ids, sources):
        state = [] if text else _state(source.path)
        digest.update(json.dumps([item, *source.told, *state]).encode())
    return digest.hexdigest()[:32]


def _state(path: str) -> list[int]:
    """What tells whether a file has changed."""
    try:
        status = os.stat(packed(path)[0])
    except OSError:  # the front end says what is wrong; once the file is there, the key is another
        return []
    return [status.st_size, status.st_mtime_ns]


def _make(
    folder: Path,
    ids: Sequence[str],
    sources: Sequence[Source],
    frontend: Frontend,
    workers: int | None,
    told: str,
    folders: Sequence[Path],
) -> pd.DataFrame:
    """Stream the features into ``folder``, item by item, behind what is there already; returns the quarantine."""
    console = Console(stderr=True)
    with Growing(folder, ids, frontend.dimensions, folders) as entry:
        there = len(entry.made)
        made = extract_all(frontend, sources[there:], workers)
        made = counted_lines(made, told, len(ids), Lines(console, quiet=not told), there)
        bar = track(
            made, told.capitalize(), len(ids), there, console=console, disable=not (told and console.is_terminal)
        )
        for extracted in bar:
            entry.add(extracted)
        files = entry.finish()
        if len(entry.made) != len(ids):
            raise ValueError(f"the front end gave {len(entry.made)} of {len(ids)} items")
        index = [(made.item, made.length, made.audio_sha) for made in entry.made if made.kind]
        quarantine = [(made.item, made.reason) for made in entry.made if not made.kind]
    pd.DataFrame(index, columns=["id", "length", "audio_sha"]).to_parquet(folder / "index.parquet", index=False)
    table = pd.DataFrame(quarantine, columns=["id", "reason"], dtype="string")
    table.to_parquet(folder / "quarantine.parquet", index=False)
    about = {"format": FORMAT, "frontend": frontend.fingerprint, "dimensions": frontend.dimensions}
    about |= {"items": len(index), "quarantined": len(quarantine), "frames": sum(length for _, length, _ in index)}
    about |= files
    (folder / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return table


def _open(entry: Path, folders: Sequence[Path]) -> Features:
    try:
        about = json.loads((entry / "about.json").read_text(encoding="utf-8"))
        index = pd.read_parquet(entry / "index.parquet")
        quarantine = pd.read_parquet(entry / "quarantine.parquet")
        values = _mapped(entry, about, folders)
        if values.shape != (index["length"].sum(), about["dimensions"]) or len(index) != about["items"]:
            raise ValueError(f"values of shape {values.shape} do not fit the index")
    except InputError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"the stored features in {entry} are damaged ({error}); delete that folder") from error
    ids, lengths, audio_sha = (index[column].to_numpy() for column in ("id", "length", "audio_sha"))
    return Features(ids, lengths, values, audio_sha, quarantine)


def _mapped(entry: Path, about: dict[str, Any], folders: Sequence[Path]) -> np.ndarray | SpreadValues:
    if "files" not in about:
        return np.load(entry / FIRST, mmap_mode="r")
    paths = [spread.find(entry, each["file"], each["place"], folders, each["bytes"]) for each in about["files"]]
    try:
        parts = [np.load(path, mmap_mode="r") for path in paths]
    except OSError as error:
        raise InputError(f"the stored features in {entry} cannot be opened: {error}; see to that") from error
    return parts[0] if len(parts) == 1 else SpreadValues(parts)


def _sweep(folders: Sequence[Path]) -> None:
    """Remove what killed runs have left behind."""
    for folder in [each for root in folders for each in root.glob(".*.partial")]:
        try:
            touched = max(file.stat().st_mtime for file in [folder, *folder.glob("*")])
        except FileNotFoundError:  # another run has finished it in the meantime
            continue
        if time.time() - touched > ABANDONED_SECONDS:
            forget(folder, folders)
