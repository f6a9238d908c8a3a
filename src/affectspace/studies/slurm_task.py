"""What a task of a SLURM job array does: several runs one after another, each answered by a file as soon as it ends."""

import json
import socket
from pathlib import Path
from typing import Any

from affectspace.files import write_json

__all__ = ["Task", "answer_file"]


def answer_file(tasks: Path, number: int) -> Path:
    """Where the answer to the job of that number is written, in the folder of an array's tasks."""
    return tasks / f"answer-{number}.json"


class Task:
    """One task of an array: submitit calls it on the node, and asks for a checkpoint before SLURM takes the node away.

    It holds nothing but a path, so that what is queued is small; what there is to do is read where it is done. A task
    that is requeued does what has no answer yet, and a run that was begun goes on from its newest checkpoint.

    Args:
        path: a JSON file: a list of jobs, each with its ``number`` in the array and what
            :func:`affectspace.studies.worker.perform` is asked.
    """

    def __init__(self, path: Path):
        self.path = path

    def __call__(self) -> None:
        """Do what is left of it."""
        from affectspace.studies.claimed import perform_claimed
        from affectspace.training.cache import DataCache

        cache = DataCache()
        jobs: list[dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))
        for job in jobs:
            answer = answer_file(self.path.parent, job.pop("number"))
            if answer.is_file():
                continue
            said = perform_claimed(job, cache)
            if not said.get("taken"):  # else SLURM has begun this task anew elsewhere, and that one will answer
                write_json(answer, {**said, "node": socket.gethostname()})

    def checkpoint(self) -> Any:
        """What submitit puts into the queue again when the time is up or the node is wanted by others."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
