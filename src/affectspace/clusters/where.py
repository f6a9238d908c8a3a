"""What ``--on`` may say: this machine, a Ray cluster, or SLURM."""

import re
from dataclasses import dataclass

from affectspace.errors import InputError

__all__ = ["Local", "RayAt", "Slurm", "Where", "where"]

CLIENT = re.compile(r"ray://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Local:
    """This machine."""

    def __str__(self) -> str:
        return "this machine"


@dataclass(frozen=True)
class RayAt:
    """A Ray cluster.

    Args:
        address: as Ray takes it: ``ray://HOST:PORT`` of a head node's Ray Client, ``HOST:PORT`` of the head of a
            cluster of which this machine is a node, or ``auto``, that which ``RAY_ADDRESS`` names or which runs here.
    """

    address: str = "auto"

    def __str__(self) -> str:
        return "a Ray cluster" if self.address == "auto" else f"the Ray cluster at {self.address}"


@dataclass(frozen=True)
class Slurm:
    """The SLURM cluster that this machine submits to."""

    def __str__(self) -> str:
        return "SLURM"


Where = Local | RayAt | Slurm


def where(text: str) -> Where:
    """What somebody has named by ``--on``.

    Raises:
        InputError: anything else.

    Example:
        >>> where("local"), where("ray"), where("ray://head:10001")
        (Local(), RayAt(address='auto'), RayAt(address='ray://head:10001'))
        >>> where("spark")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: --on is 'spark'; legal: local, ray, ray://HOST:PORT, slurm
    """
    match text:
        case "local":
            return Local()
        case "ray":
            return RayAt()
        case "slurm":
            return Slurm()
    found = CLIENT.fullmatch(text)
    if found and 0 < int(found["port"]) < 1 << 16:
        return RayAt(text)
    told = "; Ray's own port is 10001 unless it was started with another" if text.startswith("ray:") else ""
    raise InputError(f"--on is {text!r}; legal: local, ray, ray://HOST:PORT, slurm{told}")
