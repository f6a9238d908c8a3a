"""What is wrong with a file, or with the part of one, before anything is decoded, and why it cannot be."""

from pathlib import Path

from affectspace.errors import InputError, MediaError
from affectspace.files import Below, packed

__all__ = ["bad_times", "decoder_words", "missing_file"]


def missing_file(root: Path | Below, value: str) -> tuple[str, str] | None:
    """Problem and message of a path that leads to no file with bytes below the root."""
    try:
        path = (root if isinstance(root, Below) else Below(root)).path(value)
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


def bad_times(
    start: float | None, end: float | None, has: str = "", seconds: float | None = None, slack: float = 0.0
) -> tuple[str, float, str] | None:
    """``"start"`` or ``"end"``, its value and a message, where the two are no part of a file.

    Args:
        start, end: seconds; None: the beginning and the end of the file.
        has: what to say of a file's length, such as ``"the recording has 3 seconds"``.
        seconds: how long the file is; None: not known.
        slack: seconds by which the end may lie behind that of the file.

    Example:
        >>> bad_times(2.0, 1.0)
        ('end', 1.0, 'end 1 is not after start 2')
        >>> bad_times(4.0, None, "the recording has 3 seconds", 3.0)
        ('start', 4.0, 'start is 4; the recording has 3 seconds')
    """
    if start is not None and (start < 0 or (seconds is not None and start >= seconds)):
        return "start", start, f"start is {start:g}; {has or 'it must be 0 or more'}"
    if end is not None and end <= (start or 0):
        return "end", end, f"end {end:g} is not after start {start or 0:g}"
    if end is not None and seconds is not None and end > seconds + slack:
        return "end", end, f"end is {end:g}; {has}"
    return None


def decoder_words(path: Path, error: MediaError) -> str:
    """What a decoder says of a file, and what to do where the file only stands for another."""
    with open(packed(path)[0], "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs.github.com"):
            return f"{path.name} is a Git LFS pointer, not what it stands for; fetch it with: git lfs pull"
    return str(error)


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")
