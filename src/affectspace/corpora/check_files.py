"""What is wrong with a file before anything in it is decoded, and why it cannot be."""

from pathlib import Path

from affectspace.errors import InputError, MediaError
from affectspace.files import inside, packed

__all__ = ["decoder_words", "missing_file"]


def missing_file(root: Path, value: str) -> tuple[str, str] | None:
    """Problem and message of a path that leads to no file with bytes below the root."""
    try:
        path = inside(root, value)
        size = path.stat().st_size if path.is_file() else None
    except InputError as error:
        return "outside-root", str(error)
    except (OSError, ValueError):  # too long, or with characters that no path has
        return "missing-file", f"{_short(value)} is no path; the column may hold something else than files"
    if size is None:
        remedy = "write / instead of \\" if "\\" in value else "restore it or remove the row"
        return "missing-file", f"there is no file {value} below the corpus's folder; {remedy}"
    if size == 0:
        return "empty-file", f"{value} has no bytes; copy it again"
    return None


def decoder_words(path: Path, error: MediaError) -> str:
    """What a decoder says of a file, and what to do where the file only stands for another."""
    with open(packed(path)[0], "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs.github.com"):
            return f"{path.name} is a Git LFS pointer, not what it stands for; fetch it with: git lfs pull"
    return str(error)


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")
