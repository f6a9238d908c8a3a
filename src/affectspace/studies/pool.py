"""Processes that train the runs of a study, several at once; one that is killed is replaced and its run resumed."""

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

from affectspace.errors import AffectspaceError
from affectspace.studies.backlog import Backlog, Held
from affectspace.studies.executor import LIVES, AtWork
from affectspace.studies.job import Answer, Job

__all__ = ["Pool"]

TICK = 2.0  # seconds after which it is told that all are still at work
START = [sys.executable, "-P", "-m", "affectspace.studies.worker"]


class Pool:
    """Processes with one thread each, started when there is something to do, ended with the block.

    A job whose data a process holds already goes there while there is one; no process waits for that.

    Args:
        processes: how many, at least 1.

    Attributes:
        taken_up: jobs whose process ended under them and that another went on with.
        beat: called every couple of seconds while it works.
    """

    keeps_data = True
    lost: Sequence[str] = ()
    left_out: Mapping[str, str] = MappingProxyType({})

    def __init__(self, processes: int):
        self.processes = processes
        self.taken_up: list[Job] = []
        self.beat: Callable[[], None] = lambda: None
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    @property
    def held(self) -> list[Held]:
        """What data each process holds; nothing, where it is yet to be started."""
        held = [worker.held.copy() for worker in self._workers]
        return held + [Held() for _ in range(self.processes - len(held))]

    @property
    def at_work(self) -> list[AtWork]:
        """What each process does."""
        now, here = time.monotonic(), socket.gethostname()
        return [
            AtWork(here, each.job and each.job.folder, now - each.began if each.job else 0.0) for each in self._workers
        ]

    def run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        """Do all jobs; ``tell`` is called with each one's answer as it comes, and may raise to stop.

        A job whose process ends under it is done again by another, after the others, and is given up
        when that has happened three times.

        Raises:
            AffectspaceError: processes end before they can be given anything, three times in a row.
        """
        try:
            self._run(jobs, tell)
        except BaseException:
            self._end()  # what they still say would be taken for answers of the next call
            raise

    def _run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        waiting = Backlog(jobs)
        deaths: dict[Path, int] = {}
        unborn = 0  # processes in a row that ended before they were ready
        with selectors.DefaultSelector() as watched:
            self._workers = [worker for worker in self._workers if worker.alive]
            while len(self._workers) < min(self.processes, len(jobs)):
                self._workers.append(_Worker())
            for worker in self._workers:
                watched.register(worker.answers, selectors.EVENT_READ, worker)
                worker.give(self._next(waiting, worker))
            while any(worker.job for worker in self._workers):
                self.beat()
                for key, _ in watched.select(TICK):
                    worker: _Worker = key.data
                    job, lines = worker.job, worker.read()
                    if lines is None:
                        watched.unregister(worker.answers)
                        how = worker.end()
                        self._workers.remove(worker)
                        unborn = 0 if worker.ready else unborn + 1
                        if unborn == LIVES:
                            raise AffectspaceError(_unborn(how))
                        if job is not None and not worker.ready:
                            waiting.again(job)
                        elif job is not None:
                            deaths[job.folder] = deaths.get(job.folder, 0) + 1
                            if deaths[job.folder] < LIVES:
                                waiting.again(job)
                                self.taken_up.append(job)
                            else:
                                tell(job, Answer(error=_killed(how), code=1))
                        if waiting:
                            worker = _Worker()
                            self._workers.append(worker)
                            watched.register(worker.answers, selectors.EVENT_READ, worker)
                            worker.give(self._next(waiting, worker))
                        continue
                    for line in lines:
                        if not worker.ready:
                            worker.ready, unborn = True, 0
                            continue
                        assert job is not None, "a process answers only what it was asked"
                        worker.job = None
                        tell(job, Answer(**json.loads(line), new_items=worker.opens))
                        worker.give(self._next(waiting, worker))

    def _next(self, waiting: Backlog[Job], worker: "_Worker") -> Job | None:
        return waiting.next_for(worker.held, [other.held for other in self._workers if other is not worker])


def _killed(how: int) -> str:
    return f"its process was ended {LIVES} times {_by(how)}"


def _unborn(how: int) -> str:
    return (
        f"processes that train runs cannot start: {LIVES} have ended {_by(how)} before they were ready; what they said "
        f"stands above, and this says it again: {sys.executable} -m affectspace.studies.worker"
    )


def _by(how: int) -> str:
    by = f"by signal {-how}" if how < 0 else f"with exit code {how}"
    return by + ("; is there enough memory? --processes 1 needs less" if how == -9 else "")


class _Worker:
    """A process, what it is doing, and whose data it has opened."""

    def __init__(self) -> None:
        # It is told nothing by signals of the terminal: the study's own process is, and ends it.
        self.process = subprocess.Popen(
            START, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": _python_path()},
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.questions, self.answers = self.process.stdin, self.process.stdout
        self.job: Job | None = None
        self.began = 0.0
        self.ready = False
        self.held = Held()
        self.opens = False  # items that it did not hold
        self._rest = b""

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def give(self, job: Job | None) -> None:
        self.job, self.began = job, time.monotonic()
        if job is None:
            return
        self.opens, _ = self.held.take(job)
        with suppress(BrokenPipeError):  # it has ended; reading finds that out
            self.questions.write(json.dumps(job.asked).encode() + b"\n")
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


def _python_path() -> str:
    """Where this process finds modules, whoever has put what there."""
    return os.pathsep.join(str(place) or os.getcwd() for place in sys.path)
