"""What runs on a Ray cluster: the actor that runs Ray Data, and the workers that it gives shards to.

Only a worker loads PyTorch, and only once it is there: the processes of Ray that pass it on come up in a blink.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from affectspace.errors import AffectspaceError, InputError
from affectspace.files import json_text
from affectspace.space.bulk_job import Job

__all__ = ["Asker", "Worker", "told_of"]

STORE = "ray start --object-store-memory=BYTES gives a node more"
AGAIN = "the same command goes on"


class Asker:
    """Ray Data, run by an actor that takes no CPU from anybody: it does not work through a Ray Client, as actors do."""

    def __init__(self, job: Job, shards: list[int], cpus: float, gpus: float, room: int, sent: list[Any]):
        import ray.data
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        # A block a shard, and each worker is at one while one waits for it.
        most, first = len(shards), min(room, len(shards))
        pool = ActorPoolStrategy(min_size=1, max_size=most, initial_size=first, max_tasks_in_flight_per_actor=2)
        data = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
        made = data.map_batches(
            Worker, fn_constructor_args=(job, sent), batch_size=1, num_cpus=cpus, num_gpus=gpus or None, compute=pool
        )
        self._rows: Iterator[Any] = iter(made.iter_rows())

    def next(self) -> dict[str, Any] | None:
        """A row, once there is one more; None at the end."""
        try:
            return next(self._rows, None)
        except Exception as error:  # as an answer, which is told without the stack that Ray puts around it
            return {"note": "", "fault": str(told_of(error)), "input": False}


class Worker:
    """What an actor of Ray Data does: a row with a shard's number to one with its note, or with what is at fault.

    A fault is an answer, and not raised: Ray would try it again, and tell it with its own stack around.
    """

    def __init__(self, job: Job, sent: Sequence[Any]):
        import ray

        from affectspace.space.bulk_shard import embed_shard  # loads PyTorch, which who passes a worker on need not

        self._embed, self._job = embed_shard, job
        self._files: dict[str, bytes] | None = None if sent[0] is None else ray.get(sent[0])

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        (shard,) = batch["shard"].tolist()
        found: dict[str, Any] = {"note": "", "fault": "", "input": False}
        try:
            found["note"] = json_text(self._embed(self._job, shard, self._files))
        except AffectspaceError as error:
            found |= {"fault": str(error), "input": isinstance(error, InputError)}
        return {name: [value] for name, value in found.items()}


def told_of(error: Exception) -> AffectspaceError:
    """What went wrong with the cluster as one sentence."""
    import ray.exceptions as faults

    causes, cause = [], error
    while cause is not None:
        causes.append(cause)
        cause = getattr(cause, "cause", None) or cause.__cause__
        if cause in causes:
            break
    if any(isinstance(each, faults.ObjectStoreFullError | faults.OutOfDiskError) for each in causes):
        return AffectspaceError(
            f"the object store of a Ray node is full, and so is the disk behind it; {STORE}; {AGAIN}"
        )
    if any(isinstance(each, faults.OutOfMemoryError) for each in causes):
        return AffectspaceError(f"a Ray node has too little memory for its workers; give each more by --cpus; {AGAIN}")
    lines = [line.strip() for each in reversed(causes) for line in str(each).splitlines() if line.strip()]
    told = lines[0] if lines else type(error).__name__
    return AffectspaceError(f"the Ray cluster could not go on: {told.rstrip('.')}; see to it, and {AGAIN}")
