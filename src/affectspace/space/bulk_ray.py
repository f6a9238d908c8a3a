"""Shards embedded by the workers of a Ray cluster, by Ray Data; for who is connected to one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affectspace.clusters import look, nodes, wanted
from affectspace.errors import AffectspaceError, InputError
from affectspace.extras import refuse_missing
from affectspace.files import json_text
from affectspace.places import is_url
from affectspace.space.bulk_plan import model_files
from affectspace.space.bulk_shard import Job, embed_shard
from affectspace.training.below_data import files_below
from affectspace.training.model import load_model

__all__ = ["OnRay"]

LARGEST = 1 << 30  # bytes of a model that is sent; a larger one is opened where it lies
STORE = "ray start --object-store-memory=BYTES gives a node more"
AGAIN = "the same command goes on"


@dataclass(frozen=True)
class OnRay:
    """The engine of a Ray cluster: one worker wherever so many CPUs and GPUs are free, as nodes come and go.

    A worker loads the model once, and then embeds shard after shard. Ray starts it anew where it died, and gives what
    it was at to another; a shard that is done is not done again.

    Args:
        cpus: of each worker. Less than 1 where a node has one core: Ray Data comes to a halt where its workers hold
            every CPU.
        gpus: of each worker, such as 0.25, so that four share one; 0: nets run on CPUs.

    Raises:
        InputError: shares that are negative, or not whole above 1; Ray is not installed.
    """

    cpus: float = 0.9
    gpus: float = 0.0

    def __post_init__(self):
        for name, share in (("cpus", self.cpus), ("gpus", self.gpus)):
            if not share >= 0 or (share > 1 and share != int(share)) or share == float("inf"):
                raise InputError(f"--{name} is {share:g} for each worker; legal: 0 to 1, or a whole number above")
        if not (self.cpus or self.gpus):
            raise InputError("--cpus and --gpus are 0, and a worker needs a share of something; give --cpus 0.9")
        refuse_missing("ray", "a Ray cluster needs", "ray", "grpc")

    @property
    def device(self) -> str:
        """Of torch, that its nets run on."""
        return "cuda" if self.gpus else "cpu"

    def __call__(self, job: Job, shards: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The notes of the shards as they are done.

        Raises:
            InputError: no node has so many CPUs or GPUs for one worker, or what
                :func:`~affectspace.space.bulk_shard.embed_shard` raises on any.
            AffectspaceError: the cluster is lost, or its object store is full.
        """
        import ray

        self._refuse_small()
        _refuse_unfit(job)
        try:
            files = _sent(job)
            sent = None if files is None else ray.put(files)
            for row in _asked(job, list(shards), self.cpus, self.gpus, [sent]):
                if row["fault"]:
                    raise (InputError if row["input"] else AffectspaceError)(row["fault"])
                yield json.loads(row["note"])
        except AffectspaceError:
            raise
        except Exception as error:  # of Ray's own, and what others' code in its workers raised
            raise _told(error) from error

    def _refuse_small(self) -> None:
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(has.get("CPU", 0) >= self.cpus and has.get("GPU", 0) >= self.gpus for has in nodes):
            return
        most = {kind: max((has.get(kind, 0) for has in nodes), default=0) for kind in ("CPU", "GPU")}
        raise InputError(
            f"no node of the cluster has {self.cpus:g} CPUs and {self.gpus:g} GPUs for a worker; the most that one has "
            f"is {most['CPU']:g} and {most['GPU']:g}, so give smaller --cpus and --gpus"
        )


def _asked(job: Job, shards: list[int], cpus: float, gpus: float, sent: list[Any]) -> Iterator[Any]:
    """Rows of :class:`_Worker`, in any order.

    Args:
        job: of the plan.
        shards: their numbers.
        cpus: of each worker.
        gpus: of each worker.
        sent: the reference to the model's files, or None, in a list, where Ray leaves references what they are.
    """
    import ray

    beside_head = {"node:__internal_head__": 0.001}
    asker = ray.remote(num_cpus=0, resources=beside_head)(_Asker).remote(job, shards, cpus, gpus, sent)
    while (row := ray.get(asker.next.remote())) is not None:
        yield row


class _Asker:
    """Ray Data, run by an actor that takes no CPU from anybody: it does not work through a Ray Client, as actors do."""

    def __init__(self, job: Job, shards: list[int], cpus: float, gpus: float, sent: list[Any]):
        import ray.data
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        # A block a shard, and each worker is at one while one waits for it.
        pool = ActorPoolStrategy(min_size=1, max_size=len(shards), initial_size=1, max_tasks_in_flight_per_actor=2)
        data = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
        made = data.map_batches(
            _Worker, fn_constructor_args=(job, sent), batch_size=1, num_cpus=cpus, num_gpus=gpus or None, compute=pool
        )
        self._rows: Iterator[Any] = iter(made.iter_rows())

    def next(self) -> dict[str, Any] | None:
        """A row, once there is one more; None at the end."""
        try:
            return next(self._rows, None)
        except Exception as error:  # as an answer, which is told without the stack that Ray puts around it
            return {"note": "", "fault": str(_told(error)), "input": False}


class _Worker:
    """What an actor of Ray Data does: a row with a shard's number to one with its note, or with what is at fault.

    A fault is an answer, and not raised: Ray would try it again, and tell it with its own stack around.
    """

    def __init__(self, job: Job, sent: Sequence[Any]):
        import ray

        self._job = job
        self._files: dict[str, bytes] | None = None if sent[0] is None else ray.get(sent[0])

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        (shard,) = batch["shard"].tolist()
        found: dict[str, Any] = {"note": "", "fault": "", "input": False}
        try:
            found["note"] = json_text(embed_shard(self._job, shard, self._files))
        except AffectspaceError as error:
            found |= {"fault": str(error), "input": isinstance(error, InputError)}
        return {name: [value] for name, value in found.items()}


def _refuse_unfit(job: Job) -> None:
    """Stop where a node is not fit for the work, as Ray Data keeps away from none; one that joins later tells it."""
    if is_url(job.out):
        return
    with wanted(job.out, dict.fromkeys(job.roots, "the media")) as asking:
        _, unfit = look(nodes(), asking)
    if unfit:
        told = "; ".join(f"node {each.node.name}: {each.why}" for each in unfit)
        raise InputError(f"{told}; or take it out of the cluster, as every node of it is given work")


def _sent(job: Job) -> dict[str, bytes] | None:
    """The model's files, to go with the work; None of one that needs others beside it, or is too large for that."""
    if files_below(load_model(job.run).recipe):
        return None
    files = model_files(job.run)
    if sum(file.stat().st_size for file in files.values()) > LARGEST:
        return None
    return {name: file.read_bytes() for name, file in files.items()}


def _told(error: Exception) -> AffectspaceError:
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
