"""The labels of the items shown, as people have corrected them up to this moment."""

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from affectspace.corpora.corrections import (
    CorrectedMeanwhile,
    Correction,
    Corrections,
    append_correction,
    now,
    read_corrections,
)
from affectspace.errors import InputError

__all__ = ["STATES", "Judgements"]

STATES = ("corrected", "confirmed", "left out")
Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class _Known:
    """All that is known at one moment, so that whoever asks while files are read gets what belongs together.

    Args:
        stamps: of the files, when they were looked at.
        told: what they hold.
        log: every correction of an item that is shown, with its row, in the order in which they became known.
        begun: the version at which the log begins; a file that no longer holds what it held begins it anew.
        said: the corrections of each row.
        states: of each row of which something holds.
    """

    stamps: Mapping[Path, Stamp] = field(default_factory=dict)
    told: Mapping[Path, Corrections] = field(default_factory=dict)
    log: Sequence[tuple[int, Correction]] = ()
    begun: int = 0
    said: Mapping[int, Sequence[Correction]] = field(default_factory=dict)
    states: Mapping[int, str] = field(default_factory=dict)


class Judgements:
    """What files of corrections tell of items, read again when they have changed; and what is written to them.

    Args:
        ids: of the items, ``corpus/id``.
        labels: what they are labelled, empty where they are not.
        classes: that a label may be.
        files: where the corrections of each corpus are kept, or of all of them where it is one path.
        by: who corrects.
    """

    def __init__(
        self,
        ids: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        files: Mapping[str, Path] | Path,
        by: str,
    ):
        self._ids, self._labels, self._classes = list(ids), list(labels), tuple(classes)
        self._rows = {item: row for row, item in enumerate(self._ids)}
        self._files, self.by = files, by
        self._lock = threading.Lock()
        self._known = _Known()
        self.written: dict[Path, int] = {}  # how many corrections have been added here, by file
        self.refresh()

    @property
    def paths(self) -> list[Path]:
        """The files, whether they are there yet or not."""
        return [self._files] if isinstance(self._files, Path) else list(self._files.values())

    @property
    def version(self) -> int:
        """A number that grows with each correction of these items, and when a file was cut or edited."""
        known = self._known
        return known.begun + len(known.log)

    def refresh(self) -> None:
        """Read what has been written since, by whomever.

        Raises:
            InputError: a file that cannot be read or holds no corrections; what was known stays.
        """
        with self._lock:
            self._refresh()

    def label(self, row: int) -> str:
        """What holds of an item now; empty where it has no label, or was left out."""
        said = self._known.said.get(row)
        return said[-1].new if said else self._labels[row]

    def row(self, item: str) -> int:
        """Where an item stands among those shown.

        Raises:
            InputError: it is none of them.
        """
        if item not in self._rows:
            raise InputError(f"{item[:200]!r} is none of the items that are shown here; open the space that holds it")
        return self._rows[item]

    def history(self, row: int) -> list[Correction]:
        """All that was said of an item, in its order."""
        return list(self._known.said.get(row, ()))

    def states(self) -> np.ndarray:
        """``(items,)`` int32, the place in :data:`STATES` of what was done to an item, -1 where nothing holds."""
        found = np.full(len(self._ids), -1, np.int32)
        for row, state in self._known.states.items():
            found[row] = STATES.index(state)
        return found

    def changed(self) -> Mapping[int, str]:
        """The label that holds of every item that somebody has judged."""
        return {row: said[-1].new for row, said in self._known.said.items()}

    def since(self, version: int) -> list[dict[str, Any]]:
        """What has become known since ``version``, each with the row of its item; all, where that was never one."""
        known = self._known
        place = version - known.begun
        log = known.log[place:] if 0 <= place <= len(known.log) else known.log
        return [{"row": row, **asdict(entry)} for row, entry in log]

    def add(self, row: int, old: str, new: str, why: str = "", undo: bool = False) -> tuple[Correction, bool]:
        """Write what somebody says of an item.

        What the same person has said before, and what nobody has spoken against since, is not written again: a page
        whose answer was lost says it once more.

        Args:
            row: of the item.
            old: the label that was seen.
            new: the one that holds; the same to confirm it, empty to leave the item out.
            why: a remark.
            undo: whether it takes back the last that the same person said of it.

        Returns:
            What the file holds of it, and whether that stood there before.

        Raises:
            CorrectedMeanwhile: the label is not what was seen.
            NotWritten: the file cannot be written, or its corpus is gone.
            InputError: no class, or an item that corrections cannot be kept of.
        """
        # What was overwritten may be none of the classes, and comes back where that is taken back.
        if new and new not in self._classes and not undo:
            raise InputError(
                f"{new!r} is no class; legal: {', '.join(self._classes)}, or nothing to leave the item out"
            )
        path = self._path(row)
        entry = Correction(now(), self.by, self._ids[row], old, new, why, undo)
        with self._lock:
            self._refresh()
            if (before := self._said_before(path, row, entry)) is not None:
                return before, True
            if not self._known.said.get(row) and old != self._labels[row]:
                raise CorrectedMeanwhile(
                    f"the label of {self._ids[row]} is {self._labels[row]!r}, and not {old!r}; look at it again"
                )
            if path == self._files:  # a corpus that was moved away is not begun anew where it was
                with contextlib.suppress(OSError):  # then the file cannot be written either, which is told
                    path.parent.mkdir(parents=True, exist_ok=True)
            append_correction(path, entry, self._known.told.get(path))
            self.written[path] = self.written.get(path, 0) + 1
            self._refresh()
        return entry, False

    def _said_before(self, path: Path, row: int, entry: Correction) -> Correction | None:
        """The same judgement of the same person, where all that was said of the item since agrees with it."""
        told = self._known.told.get(path)
        if told is None or entry.undo or self.label(row) != entry.new:
            return None
        for said in reversed(told.standing.get(entry.item, ())):
            if said.new != entry.new:
                break
            if (said.by, said.why) == (entry.by, entry.why):
                return said
        return None

    def _path(self, row: int) -> Path:
        if isinstance(self._files, Path):
            return self._files
        corpus = self._ids[row].split("/", 1)[0]
        if corpus not in self._files:
            raise InputError(
                f"{self._ids[row]} is of no corpus that is there, beside which corrections could be kept; "
                "affectspace explore --corrections FILE keeps them in a file of their own"
            )
        return self._files[corpus]

    def _refresh(self) -> None:
        before, stamps = self._known, {path: _stamp(path) for path in self.paths}
        if stamps == before.stamps:
            return
        told = {
            path: before.told[path]
            if stamps[path] == before.stamps.get(path, ())
            else read_corrections(path, before.told.get(path))
            for path in stamps
        }
        known = {path: len(each.entries) for path, each in before.told.items()}
        log, begun = list(before.log), before.begun
        if any(told[path].entries[: known[path]] != each.entries for path, each in before.told.items()):
            log, begun, known = [], begun + len(log) + 1, {}  # somebody has cut or edited a file
        said: dict[int, list[Correction]] = {}
        states: dict[int, str] = {}
        for path, each in told.items():
            for place, entry in enumerate(each.entries):
                if (row := self._rows.get(entry.item)) is None:
                    continue
                said.setdefault(row, []).append(entry)
                if place >= known.get(path, 0):
                    log.append((row, entry))
            for item, entry in each.latest.items():
                if item in self._rows:
                    states[self._rows[item]] = "corrected" if entry.new else "left out"
            for item in each.confirmed:
                if item in self._rows:
                    states[self._rows[item]] = "confirmed"
        self._known = _Known(stamps, told, log, begun, said, states)  # at once: whoever asks meanwhile has no lock


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
