"""What people have corrected of a corpus's labels: a file that only grows, beside tables that are never touched."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from io import FileIO
from pathlib import Path

from affectspace.errors import InputError
from affectspace.files import json_text

__all__ = [
    "FILE",
    "CorrectedMeanwhile",
    "Correction",
    "Corrections",
    "NotWritten",
    "append_correction",
    "append_corrections",
    "now",
    "read_corrections",
]

FILE = "corrections.jsonl"  # beside a corpus's tables
LONGEST = 2_000  # characters of a field: a line is written in one go, and a reader never waits for the rest of it


class NotWritten(InputError):
    """The file of corrections cannot be written to now; what was to be said of the item is said nowhere."""


class CorrectedMeanwhile(InputError):
    """Somebody else has corrected the label since it was read."""


@dataclass(frozen=True)
class Correction:
    """One judgement of one item: what its label was, and what it is from now on.

    Args:
        at: when, in UTC, as ISO 8601: ``2026-11-22T21:40:03Z``.
        by: who.
        item: ``corpus/id``.
        old: the label that was seen; empty where there was none.
        new: the label that holds; empty where the item shows none of the classes and is to be left out.
        why: a remark, may be empty.
        undo: whether it takes back the item's last judgement, which the same person has made; ``new`` then is the label
            that held before.

    Raises:
        InputError: no item, or a field of another kind, that is too long, or that holds half a character.
    """

    at: str
    by: str
    item: str
    old: str
    new: str
    why: str = ""
    undo: bool = False

    def __post_init__(self):
        if not isinstance(self.undo, bool):
            raise InputError(f"undo of a correction is {self.undo!r}; legal: true and false")
        for name, told in vars(self).items():
            if not isinstance(told, str | bool):
                raise InputError(f"{name} of a correction is {told!r}; give text")
            if isinstance(told, bool):
                continue
            if len(told) > LONGEST:
                raise InputError(f"{name} of a correction has {len(told)} characters; legal: {LONGEST:,} at most")
            if any(0xD800 <= ord(letter) < 0xE000 for letter in told):
                raise InputError(f"{name} of a correction holds half a character, which no file can; write it anew")
        if not self.item:
            raise InputError("a correction names no item; give corpus/id")


@dataclass(frozen=True)
class Corrections:
    """All that a file tells, in the order in which it was written.

    Args:
        path: of the file.
        entries: every correction.
        unread: numbers, from 1, of lines that are none; a writer that was killed leaves one at most.
        sha256: of the very bytes that these were read from; empty where there is no file.
        size: how many bytes that were.
    """

    path: Path
    entries: tuple[Correction, ...] = ()
    unread: tuple[int, ...] = ()
    sha256: str = ""
    size: int = 0

    @cached_property
    def standing(self) -> Mapping[str, tuple[Correction, ...]]:
        """The judgements of each item that nobody has taken back, in their order; items without any are left out.

        Example:
            >>> told = Correction("", "ann", "a/1", "sad", "angry")
            >>> Corrections(Path(FILE), (told, Correction("", "ann", "a/1", "angry", "sad", undo=True))).standing
            {}
        """
        held: dict[str, list[Correction]] = {}
        for entry in self.entries:
            _hear(held, entry)
        return {item: tuple(own) for item, own in held.items() if own}

    @cached_property
    def latest(self) -> Mapping[str, Correction]:
        """What holds of each item: its last judgement, unless that has brought back the label that the first one found.

        ``old`` is then the label as it was before anybody corrected it. An item that is left out is among them though
        it had no label before: whoever looked at it has found none of the classes, which is more than not knowing.

        Example:
            >>> back = [Correction("", "ann", "a/1", "sad", "angry"), Correction("", "bo", "a/1", "angry", "sad")]
            >>> Corrections(Path(FILE), tuple(back)).latest
            {}
        """
        return {item: entry for item, entry in self._last.items() if entry.new != entry.old or not entry.new}

    @cached_property
    def confirmed(self) -> Mapping[str, Correction]:
        """Items that somebody has looked at and whose label is what it was before, ``old`` and ``new`` alike.

        One without a label has nothing that could be confirmed.

        Example:
            >>> said = (Correction("", "ann", "a/1", "sad", "sad"), Correction("", "bo", "a/2", "sad", "angry"))
            >>> list(Corrections(Path(FILE), said).confirmed)
            ['a/1']
        """
        return {item: entry for item, entry in self._last.items() if entry.new == entry.old and entry.new}

    @cached_property
    def _last(self) -> Mapping[str, Correction]:
        """The last judgement of each item that stands, ``old`` what the first one found."""
        return {item: replace(own[-1], old=own[0].old) for item, own in self.standing.items()}


def read_corrections(path: str | Path, known: Corrections | None = None) -> Corrections:
    """The corrections of a file; none where there is no file.

    Args:
        path: of the file.
        known: what was read of it before. Where the file still begins with these very bytes, only the lines behind them
            are made corrections of, which is what takes the time; one that was cut, replaced or edited is read anew.

    Raises:
        InputError: the file cannot be read, or most of its lines are no corrections.

    Example:
        >>> read_corrections("nowhere/corrections.jsonl").entries
        ()
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Corrections(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); it should hold corrections, a line each") from None
    if known is None or not _begins_with(content, known):
        known = Corrections(path)
    entries, unread = list(known.entries), list(known.unread)
    for number, line in enumerate(content[known.size :].split(b"\n"), start=1 + content.count(b"\n", 0, known.size)):
        if not line.strip():
            continue
        entry = _entry(line)
        if entry is None:
            unread.append(number)
        else:
            entries.append(entry)
    if len(unread) > max(len(entries), 1):
        raise InputError(
            f"{path} is no file of corrections: line {unread[0]} is none; a line is JSON with at, by, item, old, new, "
            "why"
        )
    return Corrections(path, tuple(entries), tuple(unread), hashlib.sha256(content).hexdigest(), len(content))


def append_correction(path: str | Path, correction: Correction, known: Corrections | None = None) -> None:
    """Write one line behind all others and flush it to the disk; writers wait for each other.

    Nothing that was written before is changed, and a line that a killed writer has left unfinished is closed.

    Args:
        path: of the file.
        correction: to be written.
        known: what was read of the file before, as :func:`read_corrections` takes it.

    Raises:
        CorrectedMeanwhile: the item's label is no longer ``correction.old``; it names who has changed it, and when.
        NotWritten: the file cannot be written to, or the disk is full.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), FILE)
        >>> append_correction(path, Correction("2026-11-22T21:40:03Z", "ann", "a/1", "sad", "angry"))
        >>> append_correction(path, Correction("2026-11-22T21:41:00Z", "bo", "a/1", "sad", "happy"))
        Traceback (most recent call last):
        ...
        affectspace.corpora.corrections.CorrectedMeanwhile: ann has corrected a/1 to 'angry' meanwhile ...
    """
    (refusal,) = append_corrections(path, [correction], known)
    if refusal is not None:
        raise refusal


def append_corrections(
    path: str | Path, corrections: Sequence[Correction], known: Corrections | None = None
) -> list[InputError | None]:
    """Write many as :func:`append_correction` writes one: the file is read once and flushed once.

    Each is checked against what the file holds and those before it; one that is refused is left out, and the others are
    written.

    Args:
        path: of the file.
        corrections: to be written, in this order.
        known: what was read of the file before, as :func:`read_corrections` takes it.

    Returns:
        Of each what :func:`append_correction` would raise, None where it was written.

    Raises:
        NotWritten: the file cannot be written to, or the disk is full; then none of them is in it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), FILE)
        >>> one, other = Correction("", "ann", "a/1", "sad", "angry"), Correction("", "bo", "a/1", "sad", "happy")
        >>> refused = append_corrections(path, [one, other])
        >>> refused[0] is None, type(refused[1]).__name__, len(read_corrections(path).entries)
        (True, 'CorrectedMeanwhile', 1)
    """
    path = Path(path)
    if not corrections:
        return []
    try:
        with _held(path) as file:
            refused = _refusals(read_corrections(path, known), corrections)
            lines = [_line(each) for each, refusal in zip(corrections, refused) if refusal is None]
            if lines:
                _write(file, "".join(lines).encode())
    except OSError as error:
        raise NotWritten(
            f"{path} cannot be written ({error.strerror}); let corrections be written to it, or name another file"
        ) from None
    return refused


@contextmanager
def _held(path: Path) -> Iterator[FileIO]:
    """The file, which nobody else writes to meanwhile; not one that was put aside while its turn was waited for."""
    while True:
        with open(path, "ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _lies_at(file, path):
                yield file
                return


def _lies_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def now() -> str:
    """The time in UTC, as a correction has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hear(held: dict[str, list[Correction]], entry: Correction) -> None:
    """Let one more be said of its item: a judgement joins those that stand, one that is taken back leaves them."""
    own = held.setdefault(entry.item, [])
    if not entry.undo:
        own.append(entry)
    elif own:
        own.pop()


def _begins_with(content: bytes, known: Corrections) -> bool:
    """Whether these bytes begin with all that was known, lines that were whole."""
    if not 0 < known.size <= len(content) or content[known.size - 1 : known.size] != b"\n":
        return False
    return hashlib.sha256(memoryview(content)[: known.size]).hexdigest() == known.sha256


def _refusals(known: Corrections, corrections: Sequence[Correction]) -> list[InputError | None]:
    """Of each what is against it, after those before it that nothing is against."""
    last = {entry.item: entry for entry in known.entries}
    held = {item: list(own) for item, own in known.standing.items()}
    refused: list[InputError | None] = []
    for correction in corrections:
        refusal = _outdated(correction, last.get(correction.item), held.get(correction.item, []))
        refused.append(refusal)
        if refusal is None:
            last[correction.item] = correction
            _hear(held, correction)
    return refused


def _outdated(correction: Correction, last: Correction | None, held: Sequence[Correction]) -> InputError | None:
    """What is against a correction.

    Args:
        correction: to be written.
        last: what was said of its item last.
        held: the judgements of its item that stand.
    """
    if last is not None and last.new != correction.old:
        return CorrectedMeanwhile(
            f"{last.by or 'somebody'} has corrected {correction.item} to {last.new or 'no class'!r} meanwhile "
            f"({last.at}), and not from {correction.old!r}; look at it again"
        )
    if not correction.undo:
        return None
    if not held or held[-1].by != correction.by:
        by = f"the last is {held[-1].by}'s, of {held[-1].at}" if held else "there is none"
        return CorrectedMeanwhile(f"{correction.item} has no correction of {correction.by}'s to take back; {by}")
    if correction.new != held[-1].old:
        return InputError(
            f"to take back the last correction of {correction.item} brings {held[-1].old!r} back, "
            f"and not {correction.new!r}"
        )
    return None


def _line(correction: Correction) -> str:
    return json_text({name: told for name, told in asdict(correction).items() if name != "undo" or told}) + "\n"


def _write(file: FileIO, lines: bytes) -> None:
    """Put lines behind all others and flush them to the disk; where that fails, the file is as it was."""
    size = os.fstat(file.fileno()).st_size
    if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
        lines = b"\n" + lines
    rest = memoryview(lines)
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), size)
        raise


def _entry(line: bytes) -> Correction | None:
    try:
        told = json.loads(line)
        return Correction(
            **{name: told[name] for name in ("at", "by", "item", "old", "new")},
            why=told.get("why", ""),
            undo=told.get("undo", False),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError):
        return None
