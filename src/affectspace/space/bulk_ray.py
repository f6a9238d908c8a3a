"""Shards embedded by the workers of a Ray cluster, by Ray Data; for who is connected to one."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from affectspace.clusters import look, nodes, wanted
from affectspace.errors import AffectspaceError, InputError
from affectspace.extras import refuse_missing
from affectspace.places import is_url
from affectspace.space.bulk_job import Job
from affectspace.space.bulk_worker import Asker, told_of
from affectspace.space.model_files import model_files
from affectspace.training.below_data import files_below
from affectspace.training.model import load_model

__all__ = ["OnRay"]

LARGEST = 1 << 30  # bytes of a model that is sent; a larger one is opened where it lies


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

        room = self.room()
        _refuse_unfit(job)
        try:
            files = _sent(job)
            sent = None if files is None else ray.put(files)
            for row in _asked(job, list(shards), self.cpus, self.gpus, room, [sent]):
                if row["fault"]:
                    raise (InputError if row["input"] else AffectspaceError)(row["fault"])
                yield json.loads(row["note"])
        except AffectspaceError:
            raise
        except Exception as error:  # of Ray's own, and what others' code in its workers raised
            raise told_of(error) from error

    def room(self) -> int:
        """For how many workers the nodes are large enough; for who is connected.

        Raises:
            InputError: for none.
        """
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        shares = {kind: share for kind, share in (("CPU", self.cpus), ("GPU", self.gpus)) if share}
        room = sum(min(int(has.get(kind, 0) / share + 1e-9) for kind, share in shares.items()) for has in nodes)
        if room:
            return room
        most = {kind: max((has.get(kind, 0) for has in nodes), default=0) for kind in ("CPU", "GPU")}
        raise InputError(
            f"no node of the cluster has {self.cpus:g} CPUs and {self.gpus:g} GPUs for a worker; the most that one has "
            f"is {most['CPU']:g} and {most['GPU']:g}, so give smaller --cpus and --gpus"
        )


def _asked(job: Job, shards: list[int], cpus: float, gpus: float, room: int, sent: list[Any]) -> Iterator[Any]:
    """Rows of :class:`~affectspace.space.bulk_worker.Worker`, in any order.

    Args:
        job: of the plan.
        shards: their numbers.
        cpus: of each worker.
        gpus: of each worker.
        room: how many workers are started at once; more as nodes join.
        sent: the reference to the model's files, or None, in a list, where Ray leaves references what they are.
    """
    import ray

    beside_head = {"node:__internal_head__": 0.001}
    asker = ray.remote(num_cpus=0, resources=beside_head)(Asker).remote(job, shards, cpus, gpus, room, sent)
    while (row := ray.get(asker.next.remote())) is not None:
        yield row


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
