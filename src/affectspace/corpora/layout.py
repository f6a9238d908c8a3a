"""What the adapters share: finding media below a folder, reading old text files, saying what is missing."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus, make_items, make_ratings
from affectspace.errors import InputError

__all__ = [
    "AUDIO_ENDINGS",
    "IMAGE_ENDINGS",
    "audio_by_name",
    "audio_files",
    "has_audio_named",
    "items_from_names",
    "make_corpus",
    "read_lines",
    "require_columns",
]

AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64", ".caf")
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")

# Bytes 0x80 to 0x9f that were cp1252 quotes and dashes but were read as Latin-1 before they became UTF-8.
_C1_AS_CP1252 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}


def audio_files(root: Path) -> Iterator[Path]:
    """Every audio file below ``root`` in sorted order, without hidden files, ``._`` shadows and ``__MACOSX``."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(AUDIO_ENDINGS):
                yield Path(folder, name)


def has_audio_named(root: Path, pattern: re.Pattern[str]) -> bool:
    """Whether some audio file below ``root`` has a name, without its ending, that the pattern fits."""
    return root.is_dir() and any(pattern.fullmatch(path.stem) for path in audio_files(root))


def audio_by_name(root: Path, below: Path | None = None) -> dict[str, str]:
    """Name without its ending -> path relative to ``root``, of the audio files in the folder ``below``.

    Raises:
        InputError: two files have one name, so that nobody can tell which is meant.
    """
    found: dict[str, str] = {}
    for path in audio_files(below or root):
        relative = path.relative_to(root).as_posix()
        if path.stem in found:
            raise InputError(
                f"{found[path.stem]} and {relative} below {root} have the same name; "
                f"keep one copy of the corpus there, or give the folder of one copy"
            )
        found[path.stem] = relative
    return found


def items_from_names(root: Path, pattern: re.Pattern[str], corpus: str, example: str) -> pd.DataFrame:
    """One row per audio file whose name fits: ``id`` (the name), ``audio``, and the pattern's named groups.

    Raises:
        InputError: no file fits; the message shows ``example``, the published name of one.
    """
    rows = [
        {"id": name, "audio": audio, **fit.groupdict()}
        for name, audio in audio_by_name(root).items()
        if (fit := pattern.fullmatch(name))
    ]
    if not rows:
        raise InputError(f"{root} holds no audio file of {corpus}, whose files are named like {example}")
    return pd.DataFrame(rows, dtype="string")


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
