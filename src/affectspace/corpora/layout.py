"""What the adapters share: finding media below a folder, reading old text files, saying what is missing."""

import os
import re
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus, make_items, make_ratings
from affectspace.errors import InputError

__all__ = [
    "AUDIO_ENDINGS",
    "IMAGE_ENDINGS",
    "VIDEO_ENDINGS",
    "all_files",
    "audio_by_name",
    "audio_files",
    "files_below",
    "has_audio_named",
    "has_image_named",
    "image_by_name",
    "image_files",
    "images_from_names",
    "items_from_names",
    "make_corpus",
    "nearby",
    "read_lines",
    "refuse_no_items",
    "require_columns",
    "video_by_name",
    "video_files",
]

AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64", ".caf")
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm")
VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".3gp")

# Bytes 0x80 to 0x9f that were cp1252 quotes and dashes but were read as Latin-1 before they became UTF-8.
_C1_AS_CP1252 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}


def audio_files(root: Path) -> Iterator[Path]:
    """Every audio file below ``root`` in sorted order, without hidden files, ``._`` shadows and ``__MACOSX``."""
    return files_below(root, AUDIO_ENDINGS)


def image_files(root: Path) -> Iterator[Path]:
    """Every image file below ``root``, likewise."""
    return files_below(root, IMAGE_ENDINGS)


def video_files(root: Path) -> Iterator[Path]:
    """Every video below ``root``, likewise."""
    return files_below(root, VIDEO_ENDINGS)


def all_files(root: Path) -> Iterator[Path]:
    """Every file below ``root``, whatever it ends in, likewise."""
    return files_below(root, ("",))


def has_audio_named(root: Path, pattern: re.Pattern[str]) -> bool:
    """Whether some audio file below ``root`` has a name, without its ending, that the pattern fits."""
    return root.is_dir() and any(pattern.fullmatch(path.stem) for path in audio_files(root))


def has_image_named(root: Path, pattern: re.Pattern[str]) -> bool:
    """Whether some image file below ``root`` has a name, without its ending, that the pattern fits."""
    return root.is_dir() and any(pattern.fullmatch(path.stem) for path in image_files(root))


def audio_by_name(root: Path, below: Path | None = None) -> dict[str, str]:
    """Name without its ending -> path relative to ``root``, of the audio files in the folder ``below``.

    Raises:
        InputError: two files have one name, so that nobody can tell which is meant.
    """
    return _by_name(root, audio_files(below or root))


def image_by_name(root: Path, below: Path | None = None) -> dict[str, str]:
    """Name without its ending -> path relative to ``root``, of the image files in the folder ``below``.

    Raises:
        InputError: two files have one name, so that nobody can tell which is meant.
    """
    return _by_name(root, image_files(below or root))


def video_by_name(root: Path) -> dict[str, str]:
    """Name without its ending -> path relative to ``root``, of all videos.

    Raises:
        InputError: two files have one name, so that nobody can tell which is meant.
    """
    return _by_name(root, video_files(root))


def items_from_names(root: Path, pattern: re.Pattern[str], corpus: str, example: str) -> pd.DataFrame:
    """One row per audio file whose name fits: ``id`` (the name), ``audio``, and the pattern's named groups.

    Raises:
        InputError: no file fits; the message shows ``example``, the published name of one.
    """
    return _from_names(root, audio_files(root), "audio", pattern, corpus, example)


def images_from_names(root: Path, pattern: re.Pattern[str], corpus: str, example: str) -> pd.DataFrame:
    """One row per image file whose name fits: ``id`` (the name), ``image``, and the pattern's named groups.

    Raises:
        InputError: no file fits, or two that fit have one name.
    """
    return _from_names(root, image_files(root), "image", pattern, corpus, example)


def files_below(root: Path, endings: tuple[str, ...] = ("",)) -> Iterator[Path]:
    """Every file below ``root`` that ends so, sorted, without hidden files, ``._`` shadows and ``__MACOSX``."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(endings):
                yield Path(folder, name)


def _by_name(root: Path, files: Iterable[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in files:
        relative = path.relative_to(root).as_posix()
        if path.stem in found:
            raise InputError(
                f"{found[path.stem]} and {relative} below {root} have the same name; "
                f"keep one copy of the corpus there, or give the folder of one copy"
            )
        found[path.stem] = relative
    return found


def _from_names(
    root: Path, files: Iterable[Path], column: str, pattern: re.Pattern[str], corpus: str, example: str
) -> pd.DataFrame:
    rows = [
        {"id": name, column: path, **fit.groupdict()}
        for name, path in _by_name(root, files).items()
        if (fit := pattern.fullmatch(name))
    ]
    if not rows:
        raise InputError(f"{root} holds no {column} file of {corpus}, whose files are named like {example}")
    return pd.DataFrame(rows, dtype="string")


def nearby(path: Path, *names: str) -> dict[str, Path]:
    """Those of the named files that lie in ``path`` or at most two folders below it, the nearest of each name."""
    found: dict[str, Path] = {}
    folders = [path] if path.is_dir() else []
    for _ in range(3):
        for folder in folders:
            found |= {name: folder / name for name in names if name not in found and (folder / name).is_file()}
        folders = [
            Path(entry)
            for folder in folders
            for entry in sorted(os.scandir(folder), key=lambda e: e.name)
            if not entry.name.startswith(".") and entry.is_dir()
        ]
    return {name: found[name] for name in names if name in found}


def refuse_no_items(rows: Sized, path: Path, corpus: str, looked_for: str) -> None:
    """Raise where nothing of a corpus was found, with what was looked for."""
    if not len(rows):
        raise InputError(f"{path} holds no {corpus}; looked for {looked_for}")


def make_corpus(root: Path, items: pd.DataFrame, card: Card, ratings: pd.DataFrame | None = None) -> Corpus:
    """A corpus of these rows, all columns as the contract has them."""
    return Corpus(root, make_items(items, card), make_ratings(ratings), card)


def require_columns(table: pd.DataFrame, needed: tuple[str, ...], file: Path) -> None:
    """Raise, naming them, when published columns are missing."""
    missing = [column for column in needed if column not in table]
    if missing:
        raise InputError(f"{file} lacks {', '.join(missing)}; it should have {', '.join(needed)}")


def read_lines(path: Path, fallback: str = "cp1252") -> list[str]:
    """The lines of a text file of unknown age: UTF-8 or UTF-16 with a mark, UTF-8 without, else ``fallback``.

    Quotes that lost their encoding on the way (U+0080 to U+009F) are put right.
    """
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode(fallback, "replace")
    # Not str.splitlines, which would also cut at the very characters that are put right here.
    return text.translate(_C1_AS_CP1252).replace("\r\n", "\n").replace("\r", "\n").split("\n")
