"""What people have corrected of a corpus's labels: a file that only grows, beside tables that are never touched."""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
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
    """

    path: Path
    entries: tuple[Correction, ...] = ()
    unread: tuple[int, ...] = ()
    sha256: str = ""

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
            own = held.setdefault(entry.item, [])
            if not entry.undo:
                own.append(entry)
            elif own:
                own.pop()
        return {item: tuple(own) for item, own in held.items() if own}

    @cached_property
    def latest(self) -> Mapping[str, Correction]:
        """What holds of each item: its last judgement, unless that has brought back what the first one found.

        ``old`` is then the label as it was before anybody corrected it.

        Example:
            >>> back = [Correction("", "ann", "a/1", "sad", "angry"), Correction("", "bo", "a/1", "angry", "sad")]
            >>> Corrections(Path(FILE), tuple(back)).latest
            {}
        """
        return {
            item: replace(own[-1], old=own[0].old) for item, own in self.standing.items() if own[-1].new != own[0].old
        }

    @cached_property
    def confirmed(self) -> Mapping[str, Correction]:
        """Items that somebody has looked at and whose label is what it was before, ``old`` and ``new`` alike.

        Example:
            >>> said = (Correction("", "ann", "a/1", "sad", "sad"), Correction("", "bo", "a/2", "sad", "angry"))
            >>> list(Corrections(Path(FILE), said).confirmed)
            ['a/1']
        """
        return {
            item: replace(own[-1], old=own[0].old) for item, own in self.standing.items() if own[-1].new == own[0].old
        }


def read_corrections(path: str | Path) -> Corrections:
    """The corrections of a file; none where there is no file.

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
    entries, unread = [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
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
    return Corrections(path, tuple(entries), tuple(unread), hashlib.sha256(content).hexdigest())


def append_correction(path: str | Path, correction: Correction) -> None:
    """Write one line behind all others and flush it to the disk; writers wait for each other.

    Nothing that was written before is changed, and a line that a killed writer has left unfinished is closed.

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
    path = Path(path)
    line = json_text({name: told for name, told in asdict(correction).items() if name != "undo" or told}) + "\n"
    try:
        with open(path, "ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _refuse_outdated(read_corrections(path), correction)
            if (size := os.fstat(file.fileno()).st_size) and os.pread(file.fileno(), 1, size - 1) != b"\n":
                line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NotWritten(
            f"{path} cannot be written ({error.strerror}); let corrections be written to it, or name another file"
        ) from None


def now() -> str:
    """The time in UTC, as a correction has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refuse_outdated(known: Corrections, correction: Correction) -> None:
    last = next((entry for entry in reversed(known.entries) if entry.item == correction.item), None)
    if last is not None and last.new != correction.old:
        raise CorrectedMeanwhile(
            f"{last.by or 'somebody'} has corrected {correction.item} to {last.new or 'no class'!r} meanwhile "
            f"({last.at}), and not from {correction.old!r}; look at it again"
        )
    if correction.undo:
        held = known.standing.get(correction.item, ())
        if not held or held[-1].by != correction.by:
            by = f"the last is {held[-1].by}'s, of {held[-1].at}" if held else "there is none"
            raise CorrectedMeanwhile(f"{correction.item} has no correction of {correction.by}'s to take back; {by}")
        if correction.new != held[-1].old:
            raise InputError(
                f"to take back the last correction of {correction.item} brings {held[-1].old!r} back, "
                f"and not {correction.new!r}"
            )


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
