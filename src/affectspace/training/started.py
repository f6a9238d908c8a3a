"""Who has started this process: somebody by hand, or torchrun or srun together with others."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Started", "goes_on", "started"]


@dataclass(frozen=True)
class Started:
    """One of several processes that were started together.

    Args:
        rank: which of them this is, from 0.
        count: how many they are, on all machines.
        local_rank: which of those on this machine this is, from 0.
        address: ``host:port`` where the first one is met.
    """

    rank: int
    count: int
    local_rank: int
    address: str


def started() -> Started | None:
    """What torchrun, or srun with several tasks, says of this process; None where it was started alone.

    A script of sbatch is alone, however many tasks its job may start, and so is each task of a step of one.
    """
    told = os.environ
    if "TORCHELASTIC_RUN_ID" in told:
        rank, count, local = (int(told[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        address = f"{told['MASTER_ADDR']}:{told['MASTER_PORT']}"
    elif "SLURM_STEP_NUM_TASKS" in told:
        rank, count, local = (int(told[name]) for name in ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"))
        port = told.get("MASTER_PORT") or _port(told)
        address = f"{told.get('MASTER_ADDR') or _first_host(told['SLURM_STEP_NODELIST'])}:{port}"
    else:
        return None
    return Started(rank, count, local, address) if count > 1 else None


def goes_on() -> bool:
    """Whether the command may have been started before, by what has started it now, and is to go on from there.

    torchrun types a command again after a fault, and also when machines come or go, which it does not count among the
    restarts that it tells of; SLURM does when it puts a job into its queue again.
    """
    return "TORCHELASTIC_RUN_ID" in os.environ or int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0


def _port(told: Mapping[str, str]) -> int:
    """One that follows from the job and its step, so that all tasks know it, and two steps at once have two.

    Example:
        >>> [_port({"SLURM_JOB_ID": "81234", "SLURM_STEP_ID": step}) for step in "01"]
        [16234, 17243]
    """
    step = int(told.get("SLURM_STEP_ID") or told.get("SLURM_STEPID") or 0)
    return 15_000 + (int(told.get("SLURM_JOB_ID", 0)) + 1_009 * step) % 10_000


def _first_host(nodes: str) -> str:
    """The first of the hosts that SLURM names.

    Example:
        >>> _first_host("cpu[07-09,12],gpu1"), _first_host("gpu1,gpu2")
        ('cpu07', 'gpu1')
    """
    return re.split(",", re.sub(r"\[(\w+)[^]]*\]", r"\1", nodes), maxsplit=1)[0]
