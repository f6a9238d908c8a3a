"""A process of a Ray cluster that trains one run of a study after another."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from affectspace.clusters import Sight
from affectspace.errors import InputError
from affectspace.studies.backlog import Held
from affectspace.studies.job import Job

__all__ = ["Seat", "Trainer"]

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # as for the processes of one machine


class Trainer:
    """What runs in it; it keeps the data that it has opened.

    Args:
        cuda: its runs need a GPU.
    """

    def __init__(self, cuda: bool = False) -> None:
        import_module("affectspace.training.train")  # which takes seconds that are no part of any run
        from affectspace.training.cache import DataCache

        self.cache, self.cuda = DataCache(), cuda

    def ready(self) -> dict[str, Any]:
        """Its process id, once it can work.

        Raises:
            InputError: it is to train on a GPU, and torch finds none; said now, no run fails by it.
        """
        if self.cuda:
            import torch

            if not torch.cuda.is_available():
                raise InputError(
                    "torch finds no GPU there, though Ray offers one; see to its driver and install a torch for it"
                )
        return {"process": os.getpid()}

    def perform(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do a job; see :func:`affectspace.studies.claimed.perform_claimed`."""
        from affectspace.studies.claimed import perform_claimed

        return perform_claimed(job, self.cache)


class Seat:
    """One CPU of a node, a share of a GPU where that is wanted, and what is done there.

    Args:
        sight: of the node.
        cache: the folders of features here, used there where all that are there are seen.
        gpu: the share of a GPU that it reserves, 0 to 1; without any it sees none.
        cuda: its runs need a GPU.

    Attributes:
        answer: Ray's reference to what it says next: that it is ready, that data are open, or how its job ended; None
            while it is idle.
        job: that it does.
        ahead: a job whose data it opens, or opened last, before it is given any.
        began: when it was given that, by this machine's clock that never goes back.
    """

    def __init__(self, sight: Sight, cache: Sequence[Path], gpu: float = 0.0, cuda: bool = False):
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.node = sight.node
        only: Any = NodeAffinitySchedulingStrategy(sight.node.id, soft=False)
        there = {str(each) for each in cache if each.exists()}
        kept = {"AFFECTSPACE_CACHE": os.pathsep.join(map(str, cache))} if there and there <= sight.seen else {}
        # Ray names the GPUs to who reserves a share; hidden from others, as a look at one takes memory of it.
        hidden = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
        self._trainer: Any = ray.remote(Trainer).options(
            num_cpus=1, num_gpus=gpu, max_restarts=0, max_task_retries=0, scheduling_strategy=only,
            runtime_env={"env_vars": {**ENVIRONMENT, **kept, **hidden}},
        ).remote(cuda)  # fmt: skip
        self.ready = False
        self.job: Job | None = None
        self.ahead: Job | None = None
        self.began = 0.0
        self.held = Held()
        self.opens = False  # items that it did not hold
        self.answer: Any = self._trainer.ready.remote()

    def open(self, job: Job) -> None:
        """Let it open the data of a job that it is not given yet; meanwhile any process may have that job."""
        self.ahead = job
        self.held.take(job)
        self.answer = self._trainer.perform.remote(replace(job, only_open=True).asked)

    def give(self, job: Job, now: float) -> None:
        """Let it do a job."""
        self.job, self.began = job, now
        self.opens, _ = self.held.take(job)
        self.answer = self._trainer.perform.remote(job.asked)

    def end(self) -> None:
        """End its process, whatever it is doing: a run may be cut off at any moment."""
        import ray
        from ray.exceptions import RayError

        with suppress(ConnectionError, RayError):  # the cluster is gone, and its processes with it
            ray.kill(self._trainer)
