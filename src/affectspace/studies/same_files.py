"""Whether runs that other machines have trained lie here as they were left there."""

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from affectspace.files import sha256
from affectspace.studies.job import Answer, Job
from affectspace.studies.status import next_replaced

__all__ = ["Arrivals"]

PATIENCE = 60.0  # seconds for storage on a network that shows late what another machine has written


@dataclass(frozen=True)
class _Arrival:
    job: Job
    answer: Answer
    told: Mapping[str, str]
    node: str
    until: float


class Arrivals:
    """Runs that are said to be finished, until every file of theirs is seen here as it was told.

    One whose files are there passes at once; one of which something is missing is looked at anew each time, and holds
    nobody up. What is still not as it was told after a minute does not pass for done, and is moved aside.

    Args:
        folder: the study's.
    """

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self._awaited: list[_Arrival] = []

    def __bool__(self) -> bool:
        return bool(self._awaited)

    def clear(self) -> None:
        """Await nothing any more."""
        self._awaited.clear()

    def add(self, job: Job, answer: Answer, told: Mapping[str, str], node: str) -> None:
        """Await a run.

        Args:
            job: the run, in the folder.
            answer: that it is finished.
            told: SHA-256 of its files by their paths below it, by who has trained it.
            node: who that was.
        """
        self._awaited.append(_Arrival(job, answer, told, node, time.monotonic() + PATIENCE))

    def settled(self) -> Iterator[tuple[Job, Answer]]:
        """Those that need not be awaited any more: with their answer, or with what is wrong with them."""
        for each in [*self._awaited]:
            wrong = _wrong(each.job.folder, each.told)
            if wrong and time.monotonic() <= each.until:
                continue
            self._awaited.remove(each)
            yield each.job, Answer(error=self._aside(each, wrong), code=1) if wrong else each.answer

    def _aside(self, arrival: _Arrival, wrong: str) -> str:
        """Move a run aside; what is wrong with it."""
        place, told_of = arrival.job.folder.resolve(), "nothing lies there"
        if place.is_dir():
            aside = next_replaced(self.folder) / place.relative_to(self.folder)
            aside.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(place, aside)
            told_of = f"what lay here is in {aside}"
        told_of = told_of[0].upper() + told_of[1:]
        return (
            f"node {arrival.node} has finished the run, and {wrong} in {place} is not what it has written: is that the "
            f"same storage for both, and is it whole? {told_of}; the same command trains it anew"
        )


def _wrong(place: Path, told: Mapping[str, str]) -> str:
    """The first file that is not there, or not as it was told."""
    for name, digest in told.items():
        try:
            if sha256(place / name) != digest:
                return name
        except OSError:
            return name
    return ""
