"""What is asked of SLURM's queue, and the note by which a job array is found there though its queuer was killed."""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from affectspace.errors import AffectspaceError, InputError
from affectspace.files import write_json

__all__ = ["ENDED", "NOTE", "PLACE", "Noted", "Silent", "ask", "end_left", "last_line", "named_by_us", "task_states"]

PLACE = ".slurm"  # in the folder of a study
NOTE = "array.json"
ASK = 2.0  # seconds between questions whether an array has ended
LEFT = 180.0  # seconds for one to end; SLURM itself ends tasks by force after KillWait, which is 30 s
UNKNOWN = "Invalid job id"  # what squeue says of a job that SLURM has forgotten, which it does minutes after its end
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "REVOKED", "TIMEOUT",
}  # fmt: skip


class Silent(AffectspaceError):
    """SLURM cannot be asked just now, such as while its controller is started anew."""


@dataclass(frozen=True)
class Noted:
    """A job array, by a name that no other has; its note lies in the study's folder until it is known to be over.

    Args:
        folder: of the array's tasks.
        name: of the job.
    """

    folder: Path
    name: str

    @classmethod
    def new(cls, place: Path) -> Self:
        """Note an array that is about to be queued: should its queuer be killed then, it is found all the same.

        Args:
            place: the study's folder.
        """
        folder = place / PLACE / f"{time.time_ns()}"
        noted = cls(folder, f"affectspace-study-{secrets.token_hex(8)}")
        write_json(folder / NOTE, {"name": noted.name})
        return noted

    def cancel(self) -> bool:
        """Take what there is of it out of the queue, and end what is at work; whether nothing is, any more.

        Tasks that are at work may take half a minute to end.

        Raises:
            Silent: SLURM does not answer.
        """
        _answered("scancel", "--name", self.name)
        told = _answered("squeue", "--noheader", "--array", "--states=all", "--name", self.name, "--format", "%i %T")
        return all(state in ENDED for state in _states(told).values())

    def strike(self) -> None:
        """It is over: the note is not needed any more."""
        (self.folder / NOTE).unlink(missing_ok=True)


def end_left(place: Path, say: Callable[[str], None]) -> None:
    """End the job arrays that a killed call has left in the queue or at work, before anything else is done.

    Args:
        place: the study's folder, which is held.
        say: told, in a sentence, what is waited for.

    Raises:
        InputError: this machine has no commands of SLURM.
        AffectspaceError: SLURM does not answer, or does not end them in time.
    """
    for note in sorted((place / PLACE).glob(f"*/{NOTE}")):
        left = Noted(note.parent, str(json.loads(note.read_text(encoding="utf-8"))["name"]))
        if not shutil.which("scancel") or not shutil.which("squeue"):
            raise InputError(
                f"an earlier call has left the SLURM job {left.name} at work on {place}, and this machine has no "
                f"scancel; call the study where jobs are submitted to SLURM, or end it there by: scancel --name "
                f"{left.name}, and remove {note} when it is over"
            )
        _end(left, place, say)


def _end(left: Noted, place: Path, say: Callable[[str], None]) -> None:
    until, told = time.monotonic() + LEFT, False
    try:
        while not left.cancel():
            if time.monotonic() > until:
                raise AffectspaceError(
                    f"SLURM does not end the job {left.name} that an earlier call has left at work on {place}; see "
                    f"squeue --name {left.name}, and when it is over the same command goes on"
                )
            if not told:
                say(f"waiting for SLURM to end the job {left.name}, which an earlier call has left")
                told = True
            time.sleep(ASK)
    except Silent as error:
        raise AffectspaceError(
            f"an earlier call has left the SLURM job {left.name} at work on {place}, and {error}; when it answers the "
            f"same command goes on; where that SLURM is no more, remove {left.folder}"
        ) from error
    shutil.rmtree(left.folder, ignore_errors=True)
    with suppress(OSError):
        left.folder.parent.rmdir()


def task_states(array: str) -> dict[str, str]:
    """Of each task of an array, by its job id; empty where SLURM knows it no more, some minutes after its end.

    Raises:
        Silent: SLURM does not answer, which says nothing of the tasks.
    """
    try:
        told = ask("squeue", "--noheader", "--array", "--states=all", "--jobs", array, "--format", "%i %T")
    except subprocess.CalledProcessError as error:
        if UNKNOWN in error.stderr:
            return {}
        raise Silent(_silent(error)) from error
    return _states(told)


def ask(*command: str) -> str:
    """What one of SLURM's commands prints.

    Raises:
        InputError: it is not there.
        Silent: it takes longer than a minute.
        CalledProcessError: it fails.
    """
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    except FileNotFoundError:
        raise InputError(
            f"there is no {command[0]} on this machine; call the study where jobs are submitted to SLURM, or leave "
            "--on out"
        ) from None
    except subprocess.TimeoutExpired:
        raise Silent(f"SLURM does not answer ({command[0]}: nothing within a minute)") from None


@contextmanager
def named_by_us() -> Iterator[None]:
    """For the length of a block, sbatch takes a job's name from its script, whatever the environment says."""
    theirs = os.environ.pop("SBATCH_JOB_NAME", None)
    try:
        yield
    finally:
        if theirs is not None:
            os.environ["SBATCH_JOB_NAME"] = theirs


def last_line(error: Exception) -> str:
    """What a command that failed said last."""
    said = str(getattr(error, "stderr", None) or error).strip().splitlines()
    return said[-1].strip() if said else type(error).__name__


def _answered(*command: str) -> str:
    try:
        return ask(*command)
    except subprocess.CalledProcessError as error:
        raise Silent(_silent(error)) from error


def _silent(error: subprocess.CalledProcessError) -> str:
    return f"SLURM does not answer ({last_line(error)})"


def _states(told: str) -> dict[str, str]:
    return dict(line.split() for line in told.splitlines() if len(line.split()) == 2)
