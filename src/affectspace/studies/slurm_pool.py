"""The runs of a study as SLURM job arrays: SLURM says where and when, submitit puts them into its queue."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from affectspace.errors import AffectspaceError, InputError
from affectspace.extras import refuse_missing
from affectspace.files import write_json
from affectspace.studies.pool import LIVES, Answer, AtWork, Held, Job
from affectspace.studies.same_files import refuse_other_files
from affectspace.studies.slurm_task import Task, answer_file

__all__ = ["AT_ONCE", "SlurmPool", "refuse_no_slurm"]

AT_ONCE = 16  # tasks, where nobody says how many
MINUTES = 24 * 60  # that a task may take; SBATCH_TIMELIMIT says otherwise
SHARE = 3  # so many tasks for each that runs at once, so that the last ones end about together
LOOK, ASK = 0.5, 5.0  # seconds between looks for answers, and between questions to SLURM
UNKNOWN = 3  # questions in a row to which SLURM knows no task of the array
PATIENCE = 10.0  # seconds for storage on a network that lists late what a task wrote at its end
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT",
}  # fmt: skip


class SlurmPool:
    """Trains the runs of a study by job arrays, of which so many tasks run at once.

    Runs that read the same data share a task, which opens the data once. What SLURM is to be asked for besides is told
    by its own variables: ``SBATCH_PARTITION``, ``SBATCH_ACCOUNT``, ``SBATCH_TIMELIMIT``, ``SBATCH_MEM_PER_CPU``, ... A
    call that is interrupted takes its array out of the queue; one that was killed leaves that to the next.

    Args:
        processes: tasks that run at once.
        folder: of the study, which all nodes see under this path.

    Attributes:
        taken_up: jobs whose task ended under them and that another went on with.
        beat: called every now and then while it works.
    """

    keeps_data = False  # to measure a run would take a turn in the queue, and help no other
    lost: Sequence[str] = ()  # SLURM puts what a lost node was doing into its queue again by itself
    left_out: Mapping[str, str] = MappingProxyType({})

    def __init__(self, processes: int, folder: Path):
        self.processes = processes
        self.taken_up: list[Job] = []
        self.beat: Callable[[], None] = lambda: None
        self.at_work: list[AtWork] = []
        self._folder = folder.resolve()
        self._place = self._folder / ".slurm"
        self._failed = False

    def __enter__(self) -> Self:
        for path in self._place.glob("*/array.json"):  # of a call that was killed
            _cancel(str(json.loads(path.read_text(encoding="utf-8"))["id"]))
        shutil.rmtree(self._place, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._failed:  # whose logs somebody may want to read
            shutil.rmtree(self._place, ignore_errors=True)

    @property
    def held(self) -> list[Held]:
        """What data each process holds: none, as every task begins anew."""
        return [Held() for _ in range(self.processes)]

    def run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        """Do all jobs; ``tell`` is called with each one's answer as it comes, and may raise to stop.

        A job whose task ends without an answer is put into the queue again, and is given up when that has happened
        three times.

        Raises:
            InputError: SLURM refuses the array, in its own words.
            AffectspaceError: it does not answer any more.
        """
        waiting, how = dict(enumerate(jobs)), ""
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
        from submitit import SlurmExecutor

        tasks = self._place / f"{time.time_ns()}"
        paths = []
        for number, chunk in enumerate(_chunks(waiting, self.processes)):
            paths.append(tasks / f"task-{number}.json")
            write_json(paths[-1], [{"number": place, **_absolute(waiting[place]).asked} for place in chunk])
        executor = SlurmExecutor(tasks / "logs", max_num_timeout=1000)
        executor.update_parameters(**_parameters(list(waiting.values()), self.processes))
        try:
            with executor.batch():
                queued = [executor.submit(Task(path)) for path in paths]
        except Exception as error:
            if refused := _refused(error):
                raise InputError(refused) from error
            raise
        array = queued[0].job_id.partition("_")[0]
        write_json(tasks / "array.json", {"id": array})
        try:
            states = self._follow(array, [job.job_id for job in queued], tasks, waiting, tell)
        except BaseException:
            _cancel(array)
            raise
        finally:
            self.at_work = []
        ended = [(job, states.get(job.job_id, "COMPLETED")) for job in queued]
        bad = next(((job, state) for job, state in reversed(ended) if state != "COMPLETED"), (queued[-1], "COMPLETED"))
        return f"{bad[1]}, which its log in {bad[0].paths.stderr} may explain"

    def _follow(
        self,
        array: str,
        queued: Sequence[str],
        tasks: Path,
        waiting: dict[int, Job],
        tell: Callable[[Job, Answer], None],
    ) -> dict[str, str]:
        """Hand on answers as they come, until there are no tasks that could give more; the state of each task."""
        asked = ended = time.monotonic()
        unknown, over, states = 0, False, dict[str, str]()
        while waiting and not (over and time.monotonic() - ended > PATIENCE):
            for number in [each for each in waiting if answer_file(tasks, each).is_file()]:
                tell(*self._answered(waiting.pop(number), answer_file(tasks, number)))
            if not over and time.monotonic() - asked >= ASK:
                found = _states(array)
                asked = time.monotonic()
                states |= found
                unknown = 0 if found else unknown + 1
                over = unknown >= UNKNOWN or (bool(found) and all(states.get(task) in ENDED for task in queued))
                ended = asked
                self.at_work = [AtWork(f"SLURM task {task}") for task, state in states.items() if state == "RUNNING"]
            self.beat()
            time.sleep(LOOK)
        return states

    def _answered(self, job: Job, path: Path) -> tuple[Job, Answer]:
        said = json.loads(path.read_text(encoding="utf-8"))
        node, files = said.pop("node"), said.pop("files", None)
        if files is not None and (fault := refuse_other_files(self._folder, job.folder.resolve(), files, node)):
            said = {"error": fault, "code": 1}
        return job, Answer(**said)


def refuse_no_slurm() -> None:
    """Refuse a machine from which no job can be submitted.

    Raises:
        InputError: submitit or SLURM's own commands are not installed, or its controller does not answer.
    """
    refuse_missing("slurm", "a study on SLURM needs", "submitit")
    try:
        _ask("sinfo", "--noheader", "--format", "%P")
    except subprocess.CalledProcessError as error:
        raise InputError(f"SLURM cannot be asked: {_last_line(error)}; see to it, or leave --on out") from error


def _states(array: str) -> dict[str, str]:
    """Of each task of an array, as long as SLURM knows it, which is some minutes after its end."""
    with suppress(subprocess.CalledProcessError):
        told = _ask("squeue", "--noheader", "--array", "--states=all", "--jobs", array, "--format", "%i %T")
        return dict(line.split() for line in told.splitlines() if len(line.split()) == 2)
    return {}


def _cancel(array: str) -> None:
    with suppress(subprocess.CalledProcessError, AffectspaceError):
        _ask("scancel", array)


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    except FileNotFoundError:
        raise InputError(
            f"there is no {command[0]} on this machine; call the study where jobs are submitted to SLURM, or leave "
            "--on out"
        ) from None
    except subprocess.TimeoutExpired:
        raise AffectspaceError(
            f"SLURM does not answer to {command[0]}; when it does, the same command goes on where this one stopped"
        ) from None


def _chunks(jobs: dict[int, Job], processes: int) -> Iterator[list[int]]:
    """Numbers of jobs by task: of the same data, and so few that all processes have several tasks."""
    most = max(1, -(-len(jobs) // (SHARE * processes)))
    by_data: dict[str, list[int]] = {}
    for number, job in jobs.items():
        by_data.setdefault(job.split_key, []).append(number)
    for numbers in by_data.values():
        for start in range(0, len(numbers), most):
            yield numbers[start : start + most]


def _absolute(job: Job) -> Job:
    """The same on any machine, whatever folder is the current one there."""
    return Job(job.folder.resolve(), job.recipe.settled(), job.scratch, job.only_open)


def _parameters(jobs: Sequence[Job], processes: int) -> dict[str, Any]:
    """What an array asks SLURM for."""
    settings = [job.recipe.training for job in jobs]
    asked: dict[str, Any] = {
        "job_name": "affectspace-study",
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
        f"SLURM refuses the job array: {_last_line(error)}; what it asks for is told by variables such as "
        "SBATCH_PARTITION, SBATCH_ACCOUNT and SBATCH_TIMELIMIT"
    )


def _last_line(error: Exception) -> str:
    said = str(getattr(error, "stderr", None) or error).strip().splitlines()
    return said[-1].strip() if said else type(error).__name__
