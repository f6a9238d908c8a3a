"""What a study's own process tells of itself while it is at work, for whoever asks by ``--status``."""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from affectspace.files import write_json
from affectspace.studies.executor import Executor
from affectspace.studies.outcome import Failure
from affectspace.studies.plan import Planned
from affectspace.studies.progress import Clock

__all__ = ["PROGRESS", "Board"]

PROGRESS = "progress.json"
EVERY = 2.0  # seconds


class Board:
    """Writes ``progress.json`` of a study's folder: whole each time, and now and then.

    Args:
        folder: the study's.
        on: the engine, as it was named.
        pool: whose processes are told of.
        clock: of the study.
    """

    def __init__(self, folder: Path, on: str, pool: Executor, clock: Clock):
        self.path, self.on, self.pool, self.clock = folder / PROGRESS, on, pool, clock
        self._runs: dict[str, list[tuple[str, int]]] = {}
        self._failures: list[Failure] = []
        self._left: float | None = None
        self._told = self._written = time.monotonic()

    def plan(self, runs: Sequence[Planned], left: float | None) -> None:
        """These are all runs, and they are thought to take so many seconds more."""
        self._runs = {}
        for run in runs:
            self._runs.setdefault(run.stage, []).append((str(run.folder), run.settings.training.epochs))
        self.expect(left)
        self._write("at work")

    def expect(self, left: float | None) -> None:
        """So many seconds are thought to be left, since that was said first."""
        if left != self._left:
            self._left, self._told = left, time.monotonic()

    def failed(self, failure: Failure) -> None:
        """A run has failed by itself."""
        self._failures.append(failure)

    def beat(self) -> None:
        """Write it down, if it is time for that."""
        if time.monotonic() - self._written >= EVERY:
            self._write("at work")

    def end(self, error: BaseException | None = None) -> None:
        """Nothing is at work any more, because of an error where there was one."""
        if isinstance(error, KeyboardInterrupt):
            self._write("interrupted")
        else:
            told = str(error).splitlines()[:1] or [type(error).__name__]
            self._write("ended" if error is None else told[0])

    def _write(self, state: str) -> None:
        at_work = self.pool.at_work if state == "at work" else []
        self._written = time.monotonic()
        left = None if self._left is None else max(self._left - (self._written - self._told), 0.0)
        told: dict[str, Any] = {
            "on": self.on,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "state": state,
            "seconds": round(self.clock.whole, 3),
            "left_seconds": left if state == "at work" and left is not None else None,
            "at_work": [
                {"node": each.node, "run": self._named(each.folder), "seconds": round(each.seconds, 1)}
                for each in at_work
            ],
            "lost": list(self.pool.lost),
            "left_out": dict(self.pool.left_out),
            "taken_up": [self._named(job.folder) for job in self.pool.taken_up],
            "failures": [{"run": str(each.folder), "error": each.error} for each in self._failures],
            "runs": self._runs,
        }
        with suppress(OSError):  # on a full disk the next run will tell of that
            write_json(self.path, told)

    def _named(self, place: Path | None) -> str | None:
        """The run's folder within the study's; measurements have none of their own there."""
        folder = self.path.parent.absolute()
        if place is None or not place.absolute().is_relative_to(folder):
            return None
        return str(place.absolute().relative_to(folder))
