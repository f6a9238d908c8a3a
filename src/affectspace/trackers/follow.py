"""Runs told to a tracker, once or as long as they go on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from affectspace.errors import InputError
from affectspace.files import in_use
from affectspace.trackers.find import run_folders
from affectspace.trackers.record import Record, read_record

__all__ = ["Tracked", "Tracker", "track"]

SECONDS = 5.0  # between two looks; lines come with the checkpoints, by default every ten seconds
# what tells that there is something new, and the page, which is made after the run
TELLS = ("recipe.toml", "metrics.jsonl", "metrics.json", "report.html", "diverged/batch.json")


class Tracker(Protocol):
    """A place that keeps the figures of runs."""

    def write(self, record: Record) -> None:
        """Make the tracker hold what the record tells: what it has stays, what is missing is added.

        Where it has another value for an epoch, or epochs that a finished run has not, the run is written anew.
        """
        ...


@dataclass(frozen=True)
class Tracked:
    """What a tracker was told of one run: its folder, name, number of epochs, and state."""

    folder: Path
    name: str
    epochs: int
    state: str


def track(
    paths: Sequence[str | Path],
    tracker: Tracker,
    *,
    follow: bool = False,
    wait: Callable[[], None] = lambda: time.sleep(SECONDS),
    tell: Callable[[Tracked], None] = lambda tracked: None,
) -> list[Tracked]:
    """Tell a tracker of all runs in these folders; doing it again adds what has come since, and doubles nothing.

    Args:
        paths: run folders, studies, and folders that hold some of these.
        tracker: see :func:`affectspace.trackers.open_tracker`.
        follow: go on until no process is training any of the runs, or is at work on the study. A folder in which a
            run is only being begun is waited for.
        wait: what to do between two looks.
        tell: called with each run that the tracker was told of, each time.

    Returns:
        The runs as they were told last, in the order in which they were found.

    Raises:
        InputError: no run in a folder, or one with a damaged file.
    """
    known: dict[Path, tuple[int, ...]] = {}
    tracked: dict[Path, Tracked] = {}
    while True:
        going = follow and _at_work(paths)  # asked before anything is read, so that the last look sees the end
        for folder in run_folders(paths):
            looks = _looks(folder)
            if known.get(folder) == looks:
                continue
            record = read_record(folder)
            if record.state == "running" and not record.tags.get("corpora") and going:
                continue  # begun a moment ago: what it is trained on is not written yet
            tracker.write(record)
            known[folder] = looks
            tracked[folder] = Tracked(folder, record.name, len(record.points), record.state)
            tell(tracked[folder])
        if not going:
            break
        wait()
    if not tracked:
        raise InputError(
            f"{', '.join(map(str, paths))} holds no run; name run folders, which affectspace train makes, or a study"
            if paths
            else "no run was given; name at least one run folder"
        )
    return list(tracked.values())


def _at_work(paths: Sequence[str | Path]) -> bool:
    return any(in_use(path) for path in (*paths, *run_folders(paths)))


def _looks(folder: Path) -> tuple[int, ...]:
    """What changes when a file of the run does."""
    states = [path.stat() for name in TELLS if (path := folder / name).is_file()]
    return tuple(number for state in states for number in (state.st_mtime_ns, state.st_size, state.st_ino))
