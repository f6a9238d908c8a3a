"""How far a study is and how long it takes: on one line of a terminal, and in its ``timing.json``."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from affectspace.features.lines import Lines
from affectspace.files import write_json
from affectspace.studies.plan import Planned
from affectspace.studies.words import counted, duration

__all__ = ["Bar", "Clock"]

EVERY = 2.0  # seconds; so much of a study's time a kill may leave uncounted


class Clock:
    """Wall time of a study, over all the calls that it takes, beside the time that was predicted.

    Args:
        folder: the study's.
        processes: of this call, where they are known yet.
    """

    def __init__(self, folder: Path, processes: int = 1):
        self.path = folder / "timing.json"
        self.processes = processes
        self._began = self._kept = time.monotonic()
        self.read()

    def read(self) -> None:
        """Take up what earlier calls have told, once nobody else can be writing it."""
        try:
            self._before: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
            self._seconds = float(self._before["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            self._before, self._seconds = {}, 0.0
        self._predicted: float | None = self._before.get("predicted_seconds")
        self._planned: int | None = self._before.get("planned")

    @property
    def seconds(self) -> float:
        """Of this call."""
        return time.monotonic() - self._began

    @property
    def whole(self) -> float:
        """Seconds of all calls, this one with them."""
        return self._seconds + self.seconds

    def predict(self, left: float | None, planned: int, going_on: bool = True) -> None:
        """A prediction of what is left.

        That of an earlier call stands where this one is ``going_on`` with the same runs on as many processes.
        """
        same = self._planned == planned and self._before.get("processes") == self.processes
        if self._predicted is None or not (same and going_on):
            self._predicted = None if left is None else self.whole + left
        self._planned = planned

    def due(self) -> bool:
        """Whether it is time to tell how far things are, which happens now and then."""
        return time.monotonic() - self._kept >= EVERY

    def keep(self) -> None:
        """Write down how long it has taken so far; on a full disk the next run will tell of that."""
        self._kept = time.monotonic()
        with suppress(OSError):
            self._write({key: self._before.get(key) for key in ("grid_seconds", "run_seconds")})

    def write(self, runs: Sequence[Planned]) -> None:
        """Write it down at the end, with the sums over grid runs and over final ones."""
        grid = [self.path.parent / run.folder for run in runs if run.stage != "final"]
        final = [self.path.parent / run.folder for run in runs if run.stage == "final"]
        self._write({"grid_seconds": _sum(grid), "run_seconds": _sum(final)})

    def _write(self, sums: dict[str, float | None]) -> None:
        told = {
            "predicted_seconds": None if self._predicted is None else round(self._predicted, 3),
            "seconds": round(self.whole, 3),
            **sums,
            "processes": self.processes,
            "planned": self._planned,
        }
        write_json(self.path, told)


def _sum(folders: Sequence[Path]) -> float:
    whole = 0.0
    for folder in folders:
        try:
            whole += float(json.loads((folder / "timing.json").read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return round(whole, 3)


class Bar:
    """Runs done of all, and about how long the others take; where there is no terminal, a line now and then.

    Args:
        console: to show it on.
        done: runs that are done already.
        total: runs of the whole study.
    """

    def __init__(self, console: Console, done: int, total: int):
        columns = (TextColumn("runs"), BarColumn(), TextColumn("{task.fields[told]}"))
        shown = console.is_terminal and not console.quiet
        self._lines = Lines(console)
        self._progress = Progress(*columns, console=console, disable=not shown, transient=True)
        self._done, self._total, self._left = done, total, ""
        self._task = self._progress.add_task("runs", total=None, told=f"{done:,}/{total:,}")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self) -> None:
        """One more run is done."""
        self._done += 1
        self._progress.update(self._task, told=f"{self._done:,}/{self._total:,}{self._left}")
        self._lines.tell(f"{self._done:,} of {counted(self._total, 'run')} done{self._left}")

    def expect(self, gone: float, left: float) -> None:
        """So many seconds have gone by, and so many are left."""
        self._left = f", about {duration(left)} left"
        told = f"{self._done:,}/{self._total:,}{self._left}"
        self._progress.update(self._task, completed=gone, total=gone + left, told=told)
