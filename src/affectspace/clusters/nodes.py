"""The nodes of the cluster that this process is connected to."""

from dataclasses import dataclass

__all__ = ["Node", "nodes"]


@dataclass(frozen=True)
class Node:
    """A machine of a cluster.

    Args:
        id: Ray's own, never used again for another.
        name: for people: its host name, with its address where that says more.
        address: IP address.
        cpus: that it offers, whether they are busy or not.
        gpus: that it offers.
    """

    id: str
    name: str
    address: str
    cpus: int
    gpus: float = 0.0


def nodes() -> list[Node]:
    """Nodes that are up and offer a CPU, in the order of their addresses; for who is connected.

    Example:
        ``with connect(where("ray")): print(sum(node.cpus for node in nodes()))``
    """
    import ray

    told = (each for each in ray.nodes() if each["Alive"])
    found = [
        Node(
            each["NodeID"],
            f"{each['NodeName']} ({each['NodeManagerAddress']})"
            if each["NodeName"] != each["NodeManagerAddress"]
            else each["NodeName"],
            each["NodeManagerAddress"],
            int(each["Resources"].get("CPU", 0)),
            float(each["Resources"].get("GPU", 0)),
        )
        for each in told
    ]
    return sorted((node for node in found if node.cpus), key=lambda node: (node.address, node.id))
