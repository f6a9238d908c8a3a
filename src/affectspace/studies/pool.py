"""Processes that train the runs of a study, several at once; one that is killed is replaced and its run resumed."""

import json
import os
import selectors
import subprocess
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from affectspace.training.recipe import Recipe

__all__ = ["Answer", "Job", "Pool"]

LIVES = 3  # so many times a run may end its process
START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from affectspace.studies.worker import main; main()"


@dataclass(frozen=True)
class Job:
    """One training: what, where to, and whether its folder is only for measuring and to be removed."""

    folder: Path
    recipe: Recipe
    scratch: bool = False

    @cached_property
    def data_key(self) -> str:
        """Jobs of one key read the same data."""
        return Job.key(self.recipe)

    @staticmethod
    def key(recipe: Recipe) -> str:
        """What the data of a recipe depend on."""
        parts = (recipe.corpora, recipe.labels, recipe.features, recipe.protocol)
        return repr((recipe.data, *parts))


@dataclass(frozen=True)
class Answer:
    """How a job ended.

    Args:
        seconds: of training, None where it failed.
        data_seconds: of opening its data, before that.
        error: why it failed, in a sentence.
        code: the exit code that stands for that fault.
        full: the disk is full, so that nothing else can be done either.
        trace: of a fault that is ours.
    """

    seconds: float | None = None
    data_seconds: float = 0.0
    error: str = ""
    code: int = 0
    full: bool = False
    trace: str = ""


class Pool:
    """Processes with one thread each, started when there is something to do, ended with the block.

    A job whose data a process holds already goes there while there is one; no process waits for that.

    Args:
        processes: how many, at least 1.
    """

    def __init__(self, processes: int):
        self.processes = processes
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        """Do all jobs; ``tell`` is called with each one's answer as it comes, and may raise to stop.

        A job whose process ends under it is done again by another, after the others, and is given up
        when that has happened three times.
        """
        waiting = _Waiting(jobs)
        deaths: dict[Path, int] = {}
        with selectors.DefaultSelector() as watched:
            self._workers = [worker for worker in self._workers if worker.alive]
            while len(self._workers) < min(self.processes, len(jobs)):
                self._workers.append(_Worker())
            for worker in self._workers:
                watched.register(worker.answers, selectors.EVENT_READ, worker)
                worker.give(waiting.next_for(worker, self._workers))
            while any(worker.job for worker in self._workers):
                for key, _ in watched.select():
                    worker: _Worker = key.data
                    job, lines = worker.job, worker.read()
                    if lines is None:
                        watched.unregister(worker.answers)
                        how = worker.end()
                        self._workers.remove(worker)
                        if job is not None:
                            deaths[job.folder] = deaths.get(job.folder, 0) + 1
                            if deaths[job.folder] < LIVES:
                                waiting.again(job)
                            else:
                                tell(job, Answer(error=_killed(how), code=1))
                        if waiting:
                            worker = _Worker()
                            self._workers.append(worker)
                            watched.register(worker.answers, selectors.EVENT_READ, worker)
                            worker.give(waiting.next_for(worker, self._workers))
                        continue
                    for line in lines:
                        assert job is not None, "a process answers only what it was asked"
                        worker.job = None
                        tell(job, Answer(**json.loads(line)))
                        worker.give(waiting.next_for(worker, self._workers))


def _killed(how: int) -> str:
    by = f"by signal {-how}" if how < 0 else f"with exit code {how}"
    why = "; is there enough memory? --processes 1 needs less" if how == -9 else ""
    return f"its process was ended {LIVES} times {by}{why}"


class _Worker:
    """A process, what it is doing, and whose data it has opened."""

    def __init__(self) -> None:
        # It is told nothing by signals of the terminal: the study's own process is, and ends it.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, json.dumps(sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.questions, self.answers = self.process.stdin, self.process.stdout
        self.job: Job | None = None
        self.held: OrderedDict[str, None] = OrderedDict()  # keys of data, the latest last
        self._rest = b""

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def give(self, job: Job | None) -> None:
        self.job = job
        if job is None:
            return
        self.held[job.data_key] = None
        self.held.move_to_end(job.data_key)
        asked: dict[str, Any] = {"folder": str(job.folder), "scratch": job.scratch}
        asked["recipe"] = job.recipe.model_dump(mode="json", exclude_none=True)
        with suppress(BrokenPipeError):  # it has ended; reading finds that out
            self.questions.write(json.dumps(asked).encode() + b"\n")
            self.questions.flush()

    def read(self) -> list[bytes] | None:
        """Whole lines that have come; None when there will be no more."""
        some = os.read(self.answers.fileno(), 1 << 16)
        if not some:
            return None
        *lines, self._rest = (self._rest + some).split(b"\n")
        return lines

    def end(self) -> int:
        """End it, whatever it is doing: a run may be cut off at any moment. How it ended."""
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self.answers.close()
        with suppress(BrokenPipeError):
            self.questions.close()
        return code


class _Waiting:
    """Jobs that nobody does yet, by the data that they read, in the order in which they were given."""

    def __init__(self, jobs: Sequence[Job]):
        self._by_data: dict[str, deque[Job]] = {}
        for job in jobs:
            self._by_data.setdefault(job.data_key, deque()).append(job)
        self._again: deque[Job] = deque()

    def __bool__(self) -> bool:
        return any(self._by_data.values()) or bool(self._again)

    def again(self, job: Job) -> None:
        self._again.append(job)

    def next_for(self, worker: _Worker, workers: Sequence[_Worker]) -> Job | None:
        left = [key for key, jobs in self._by_data.items() if jobs]
        if not left:
            return self._again.popleft() if self._again else None
        mine = next((key for key in reversed(worker.held) if key in left), None)
        others = {key for other in workers if other is not worker for key in other.held}
        key = mine or next((key for key in left if key not in others), left[0])
        return self._by_data[key].popleft()
