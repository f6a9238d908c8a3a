"""The runs of a study as SLURM job arrays: SLURM says where and when, submitit puts them into its queue."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from affectspace.errors import AffectspaceError, InputError
from affectspace.extras import refuse_missing
from affectspace.files import write_json
from affectspace.studies.backlog import Held
from affectspace.studies.claims import claimed_of
from affectspace.studies.executor import LIVES, AtWork
from affectspace.studies.job import Answer, Job
from affectspace.studies.same_files import Arrivals
from affectspace.studies.slurm_queue import ENDED, NOTE, PLACE, Noted, Silent, ask, last_line, named_by_us, task_states
from affectspace.studies.slurm_task import Task, answer_file

__all__ = ["AT_ONCE", "SlurmPool", "refuse_no_slurm"]

AT_ONCE = 16  # tasks, where nobody says how many
MINUTES = 24 * 60  # that a task may take; SBATCH_TIMELIMIT says otherwise
TASKS = 1000  # of an array at most, as SLURM's own MaxArraySize is 1,001 where nobody has set another
SHARE = 3  # so many tasks for each that runs at once, so that the last ones end about together
LOOK, ASK = 0.5, 5.0  # seconds between looks for answers, and between questions to SLURM
UNKNOWN = 3  # answers in a row in which SLURM knows no task of the array
PATIENCE = 10.0  # seconds for storage on a network that lists late what a task wrote at its end


class SlurmPool:
    """Trains the runs of a study by job arrays, of which so many tasks run at once.

    Runs that read the same data share a task, which opens the data once. What SLURM is to be asked for besides is told
    by its own variables: ``SBATCH_PARTITION``, ``SBATCH_ACCOUNT``, ``SBATCH_TIMELIMIT``, ``SBATCH_MEM_PER_CPU``, ... A
    call that is interrupted takes its array out of the queue; one that was killed leaves that to the next, which has to
    do that first (:func:`affectspace.studies.slurm_queue.end_left`).

    Args:
        processes: tasks that run at once.
        folder: of the study, which all nodes see under this path.
        say: what becomes of SLURM, in sentences.

    Attributes:
        taken_up: jobs whose task ended under them and that another went on with.
        beat: called every now and then while it works.
    """

    keeps_data = False  # to measure a run would take a turn in the queue, and help no other
    lost: Sequence[str] = ()  # SLURM puts what a lost node was doing into its queue again by itself
    left_out: Mapping[str, str] = MappingProxyType({})

    def __init__(self, processes: int, folder: Path, say: Callable[[str], None]):
        self.processes, self.say = processes, say
        self.taken_up: list[Job] = []
        self.beat: Callable[[], None] = lambda: None
        self.at_work: list[AtWork] = []
        self._folder = folder.resolve()
        self._place = self._folder / PLACE
        self._failed = self._silent = False
        self._arrivals = Arrivals(folder)
        self._since: dict[Path, float] = {}  # when each run that is claimed was seen to be

    def __enter__(self) -> Self:
        self._sweep()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._failed:  # whose logs somebody may want to read
            self._sweep()

    def _sweep(self) -> None:
        """Remove what lies here of arrays that are over; what tells of others is needed to end them."""
        for tasks in self._place.glob("*"):
            if not (tasks / NOTE).is_file():
                shutil.rmtree(tasks, ignore_errors=True)
        with suppress(OSError):
            self._place.rmdir()

    @property
    def held(self) -> list[Held]:
        """What data each process holds: none, as every task begins anew."""
        return [Held() for _ in range(self.processes)]

    def run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        """Do all jobs; ``tell`` is called with each one's answer as it comes, and may raise to stop.

        A job whose task ends without an answer is put into the queue again, and is given up when that has happened
        three times. While SLURM does not answer, nothing is known of its tasks, and they are waited for.

        Raises:
            InputError: SLURM refuses the array, in its own words.
        """
        waiting, how = dict(enumerate(jobs)), ""
        self._arrivals.clear()
        for life in range(LIVES):
            if not waiting:
                return
            self.taken_up += waiting.values() if life else ()
            how = self._array(waiting, tell)
        self._failed = bool(waiting)
        for job in waiting.values():
            why = f"its SLURM task ended {LIVES} times without an answer, the last time {how}; do all nodes see "
            tell(job, Answer(error=f"{why}{self._folder}, the data and this Python?", code=1))

    def _array(self, waiting: dict[int, Job], tell: Callable[[Job, Answer], None]) -> str:
        """One array of all that waits, until its tasks have ended; ``waiting`` loses what is answered. How it ended."""
        noted, chunks = Noted.new(self._folder), list(_chunks(waiting, self.processes))
        try:
            queued = self._queue(noted, waiting, chunks)
            runs = {job.job_id: [waiting[number].folder for number in chunk] for job, chunk in zip(queued, chunks)}
            states = self._follow(noted.folder, runs, waiting, tell)
            if waiting:  # whatever SLURM thinks of them, tasks of this array and of the next would want the same runs
                self._end(noted)
        except BaseException:
            with suppress(AffectspaceError):
                if noted.cancel():
                    noted.strike()
            raise
        finally:
            self.at_work = []
        noted.strike()
        ended = [(job, states.get(job.job_id, "COMPLETED")) for job in queued]
        bad = next(((job, state) for job, state in reversed(ended) if state != "COMPLETED"), (queued[-1], "COMPLETED"))
        return f"{bad[1]}, which its log in {bad[0].paths.stderr} may explain"

    def _queue(self, noted: Noted, waiting: dict[int, Job], chunks: Sequence[Sequence[int]]) -> list[Any]:
        """An array of tasks for all that waits; submitit's jobs, one for each task."""
        from submitit import SlurmExecutor

        paths = []
        for number, chunk in enumerate(chunks):
            paths.append(noted.folder / f"task-{number}.json")
            write_json(paths[-1], [{"number": place, **_there(waiting[place]).asked} for place in chunk])
        executor = SlurmExecutor(noted.folder / "logs", max_num_timeout=1000)
        executor.update_parameters(job_name=noted.name, **_parameters(list(waiting.values()), self.processes))
        try:
            with named_by_us(), executor.batch():
                return [executor.submit(Task(path)) for path in paths]
        except Exception as error:
            if refused := _refused(error):
                raise InputError(refused) from error
            raise

    def _follow(
        self,
        tasks: Path,
        runs: Mapping[str, Sequence[Path]],
        waiting: dict[int, Job],
        tell: Callable[[Job, Answer], None],
    ) -> dict[str, str]:
        """Hand on answers as they come, until there are no tasks that could give more; the state of each task.

        Args:
            tasks: the folder in which they answer.
            runs: places of what each task trains, in that order, by SLURM's name of the task.
            waiting: jobs that are to be answered.
            tell: told the answers.
        """
        array = next(iter(runs)).partition("_")[0]
        asked = ended = time.monotonic()
        unknown, over, states = 0, False, dict[str, str]()
        while self._arrivals or (waiting and not (over and time.monotonic() - ended > PATIENCE)):
            # Storage on a network looks anew where a folder is listed, and may not where a name is asked for.
            there = {*os.listdir(tasks)}
            for number in [each for each in waiting if answer_file(tasks, each).name in there]:
                for done in self._answered(waiting.pop(number), answer_file(tasks, number)):
                    tell(*done)
            for done in self._arrivals.settled():
                tell(*done)
            if not over and time.monotonic() - asked >= ASK:
                with self._patient():
                    found = task_states(array)
                    states |= found
                    unknown = 0 if found else unknown + 1
                    over = unknown >= UNKNOWN or (bool(found) and all(each in ENDED for each in found.values()))
                    left = {job.folder for job in waiting.values()}
                    running = [task for task, state in found.items() if state == "RUNNING"]
                    self._see({task: [place for place in runs.get(task, ()) if place in left] for task in running})
                asked = ended = time.monotonic()
            self.beat()
            time.sleep(LOOK)
        return states

    def _see(self, running: Mapping[str, Sequence[Path]]) -> None:
        """See what tasks are at, of what is left to each: the first run that somebody has claimed."""
        claimed, now = claimed_of(place for places in running.values() for place in places), time.monotonic()
        at = {task: next((place for place in places if place in claimed), None) for task, places in running.items()}
        self._since = {place: self._since.get(place, now) for place in at.values() if place}
        self.at_work = [
            AtWork(f"SLURM task {task}", place, now - self._since[place] if place else 0.0)
            for task, place in at.items()
        ]

    def _end(self, noted: Noted) -> None:
        """Wait until no task of an array is in the queue or at work."""
        while True:
            with self._patient():
                if noted.cancel():
                    return
            self.beat()
            time.sleep(ASK)

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """Ask SLURM something; that it does not answer is told once, until it does."""
        try:
            yield
        except Silent as error:
            if not self._silent:
                self.say(f"{error}; its tasks are waited for")
            self._silent = True
        else:
            if self._silent:
                self.say("SLURM answers again")
            self._silent = False

    def _answered(self, job: Job, path: Path) -> Iterator[tuple[Job, Answer]]:
        """What there is to tell by an answer: nothing yet, where the run is said to be finished."""
        said = json.loads(path.read_text(encoding="utf-8"))
        node, files = said.pop("node"), said.pop("files", None)
        if files is None:
            yield job, Answer(**said)
        else:
            self._arrivals.add(job, Answer(**said), files, node)


def refuse_no_slurm() -> None:
    """Refuse a machine from which no job can be submitted.

    Raises:
        InputError: submitit or SLURM's own commands are not installed, or its controller does not answer.
    """
    refuse_missing("slurm", "a study on SLURM needs", "submitit")
    try:
        ask("sinfo", "--noheader", "--format", "%P")
    except subprocess.CalledProcessError as error:
        raise InputError(f"SLURM cannot be asked: {last_line(error)}; see to it, or leave --on out") from error


def _chunks(jobs: dict[int, Job], processes: int) -> Iterator[list[int]]:
    """Numbers of jobs by task: of the same data, and so few that all processes have several tasks.

    Where there are more data than an array may have tasks, a task reads several.
    """
    most = max(1, -(-len(jobs) // min(SHARE * processes, TASKS)))
    by_data: dict[str, list[int]] = {}
    for number, job in jobs.items():
        by_data.setdefault(job.split_key, []).append(number)
    chunks = [numbers[start : start + most] for numbers in by_data.values() for start in range(0, len(numbers), most)]
    tasks = min(len(chunks), TASKS)
    for task in range(tasks):
        own = chunks[task * len(chunks) // tasks : (task + 1) * len(chunks) // tasks]
        yield [number for chunk in own for number in chunk]


def _there(job: Job) -> Job:
    """As a task does it: a link by which the study is reached here may be on no other machine."""
    return replace(job.anywhere, folder=job.folder.resolve())


def _parameters(jobs: Sequence[Job], processes: int) -> dict[str, Any]:
    """What an array asks SLURM for."""
    settings = [job.recipe.training for job in jobs]
    asked: dict[str, Any] = {
        "time": MINUTES,
        "cpus_per_task": max(each.threads for each in settings),
        "array_parallelism": processes,
        # As for the processes of one machine, so that results are the same to the bit.
        "setup": ["export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1"],
    }
    if any(each.device == "cuda" for each in settings):
        asked["gpus_per_node"] = 1
    return asked


def _refused(error: Exception) -> str:
    """What SLURM says against an array; empty where the fault is none of its."""
    if not (isinstance(error, subprocess.CalledProcessError) or type(error).__module__.startswith("submitit")):
        return ""
    return (
        f"SLURM refuses the job array: {last_line(error)}; what it asks for is told by variables such as "
        "SBATCH_PARTITION, SBATCH_ACCOUNT and SBATCH_TIMELIMIT"
    )
