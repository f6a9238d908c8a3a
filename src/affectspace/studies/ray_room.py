"""How many processes a node of a Ray cluster has room for, and which share of a GPU each of them takes."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from affectspace.clusters import Node
from affectspace.studies.words import counted

__all__ = ["Room", "room_on"]


@dataclass(frozen=True)
class Room:
    """Where processes have room: each takes a CPU, and where GPUs are used a GPU or a share of one.

    Args:
        gpus: they are used on nodes that offer any; other nodes work by CPUs alone.
        sharing: how many processes may share a GPU.

    Example:
        >>> node = Node("1", "ant", "10.0.0.7", cpus=16, gpus=4)
        >>> [(room.seats(node), room.share(node)) for room in (Room(), Room(gpus=True), Room(gpus=True, sharing=2))]
        [(16, 0.0), (4, 1.0), (8, 0.5)]
    """

    gpus: bool = False
    sharing: int = 1

    def used(self, node: Node) -> int:
        """GPUs of a node that are used."""
        return int(node.gpus) if self.gpus else 0

    def seats(self, node: Node) -> int:
        """How many processes a node has room for."""
        return min(node.cpus, self.used(node) * self._on_each(node)) if self.used(node) else node.cpus

    def share(self, node: Node) -> float:
        """Of a GPU, for each process of a node; cut off where Ray rounds, so that all of them fit."""
        return math.floor(10_000 / self._on_each(node)) / 10_000 if self.used(node) else 0.0

    def offers(self, node: Node) -> str:
        """What a node brings, in words."""
        gpus = f" and {counted(self.used(node), 'GPU')}" if self.used(node) else ""
        return f"{counted(node.cpus, 'CPU')}{gpus}"

    def _on_each(self, node: Node) -> int:
        """How many share each GPU of a node: no more than its CPUs allow, as Ray fills one GPU before the next."""
        return min(self.sharing, math.ceil(node.cpus / self.used(node)))


def room_on(nodes: Iterable[Node], most: int | None, gpus: bool) -> Room:
    """Room for so many processes: each has a GPU of its own where GPUs are used, unless more are asked for than that.

    Args:
        nodes: those that can do the work.
        most: processes at once; None for as many as there are GPUs, and CPUs of nodes without.
        gpus: whether they are used.

    Example:
        >>> ant, bee = Node("1", "ant", "10.0.0.7", cpus=16, gpus=4), Node("2", "bee", "10.0.0.8", cpus=2)
        >>> [room_on([ant], most, gpus=True).sharing for most in (None, 3, 5, 16)]
        [1, 1, 2, 4]
        >>> room_on([ant, bee], 6, gpus=True).sharing
        1
    """
    room, found = Room(gpus), list(nodes)
    offered = sum(map(room.used, found))
    elsewhere = sum(node.cpus for node in found if not room.used(node))
    if not offered or most is None:
        return room
    return Room(gpus, max(1, math.ceil((most - elsewhere) / offered)))
