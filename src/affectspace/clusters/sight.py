"""What a node has and sees, and whether it can work for this process: with the same package, on the same files."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affectspace.clusters.nodes import Node
from affectspace.clusters.versions import versions_here
from affectspace.errors import InputError

__all__ = ["Asked", "Sight", "Unfit", "Wanted", "look", "wanted"]

SKEW = 2.0  # seconds; clocks that differ by more are told of
PATIENCE = 60.0  # seconds for all answers, which begin with the start of a process on a node


@dataclass(frozen=True)
class Sight:
    """A node that can work for this process.

    Args:
        node: which.
        ahead: seconds by which its clock is ahead of this one at least.
        seen: which of the folders of ``Wanted.asked`` are there.
    """

    node: Node
    ahead: float = 0.0
    seen: frozenset[str] = frozenset()

    @property
    def note(self) -> str:
        """What is to be told of its clock; empty where nothing is.

        Example:
            >>> Sight(Node("1", "ant", "10.0.0.7", 4), ahead=-3600).note
            'the clock of node ant is 3,600 s behind this one: times in its files are off, results are not'
            >>> Sight(Node("1", "ant", "10.0.0.7", 4), ahead=0.5).note
            ''
        """
        if abs(self.ahead) <= SKEW:
            return ""
        how = f"{abs(self.ahead):,.0f} s {'ahead of' if self.ahead > 0 else 'behind'}"
        return f"the clock of node {self.node.name} is {how} this one: times in its files are off, results are not"


@dataclass(frozen=True)
class Unfit:
    """A node that is left out, and why, in a sentence with its remedy."""

    node: Node
    why: str


@dataclass(frozen=True)
class Wanted:
    """What a node must have and see; made by :func:`wanted`.

    Args:
        folder: to which everybody writes.
        token: a file in it, and what it says: who reads that sees the same folder.
        needed: other places that must be there, with what each is, in words.
        asked: places that may be there.
        gpu: it must offer a GPU.
    """

    folder: str
    token: tuple[str, str]
    needed: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    gpu: bool = False


@contextmanager
def wanted(
    folder: str | Path, needed: Mapping[str, str] | None = None, asked: Sequence[str | Path] = (), gpu: bool = False
) -> Iterator[Wanted]:
    """What nodes must have and see, for as long as a block asks them.

    Args:
        folder: to which everybody writes; it is there.
        needed: other places that must be there, with what each is, such as ``{"/data/emodb": "corpus emodb"}``.
        asked: places of which is told whether they are there.
        gpu: nodes that offer no GPU will not do.
    """
    path, says = Path(folder).resolve() / f".{secrets.token_hex(8)}.seen.partial", secrets.token_hex(16)
    path.write_text(says, encoding="utf-8")
    try:
        yield Wanted(str(path.parent), (str(path), says), dict(needed or {}), tuple(map(str, asked)), gpu)
    finally:
        path.unlink(missing_ok=True)


class Asked:
    """A node that is asked what it has and sees; asking waits for nothing. For who is connected.

    Args:
        node: which.
        wanted: what it must have.

    Attributes:
        answer: Ray's reference to it, to be waited for.
    """

    def __init__(self, node: Node, wanted: Wanted):
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.node, self.wanted = node, wanted
        only: Any = NodeAffinitySchedulingStrategy(node.id, soft=False)
        task: Any = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=only)(_by_value(_tell))
        places = [*wanted.needed, *wanted.asked]
        self._sent = time.time()
        self.answer = task.remote(wanted.folder, wanted.token[0], places)

    def heard(self) -> Sight | Unfit | None:
        """What it says, once ``answer`` is there; None where the node is lost."""
        import ray
        from ray.exceptions import GetTimeoutError, RayError, RayTaskError

        try:
            told: Any = ray.get(self.answer, timeout=PATIENCE)
        except RayTaskError as error:
            return Unfit(self.node, f"it cannot be asked: {str(error.cause or error).splitlines()[0]}")
        except GetTimeoutError:
            return self.silent()
        except RayError:
            return None
        return judged(self.node, self.wanted, told, self._sent, time.time())

    def silent(self) -> Unfit:
        """What there is to say where it has said nothing for so long."""
        return Unfit(self.node, f"it did not answer within {PATIENCE:.0f} s; see to it, or take it out of the cluster")


def judged(node: Node, wanted: Wanted, told: Mapping[str, Any], sent: float, now: float) -> Sight | Unfit:
    """Whether a node can work, by what it has told between two times of this machine's clock.

    Example:
        >>> node, want = Node("1", "ant", "10.0.0.7", 4), Wanted("/studies/x", ("/studies/x/.token", "abc"))
        >>> told = {"versions": versions_here(), "says": "abc", "seen": [], "writes": True, "time": 3.0}
        >>> judged(node, want, told, 2.0, 4.0).ahead
        0.0
        >>> judged(node, want, told | {"says": None}, 2.0, 4.0).why
        'it does not see the folder /studies/x as it is here; mount the same storage at the same path there'
    """
    if wanted.gpu and node.gpus < 1:
        start = "start Ray there with --num-gpus where it has one"
        return Unfit(node, f'it offers no GPU, and training.device is "cuda"; {start}, or train by "cpu" or "auto"')
    for name, here in versions_here().items():
        there = told["versions"].get(name)
        if there is None:
            return Unfit(node, f"{name} is not installed there; install {name} {here} in the Python that Ray runs in")
        if there.partition("+")[0] != here:
            return Unfit(node, f"it has {name} {there}, and this is {here}; results are the same only by the same")
    if told["says"] != wanted.token[1]:
        mount = "mount the same storage at the same path there"
        return Unfit(node, f"it does not see the folder {wanted.folder} as it is here; {mount}")
    if not told["writes"]:
        return Unfit(node, f"it may not write to {wanted.folder}; let the user that runs Ray there write to it")
    for place, what in wanted.needed.items():
        if place not in told["seen"]:
            return Unfit(node, f"it does not see {what} at {place}; mount or copy it to the same path there")
    # Between sending and hearing lies the node's time, unless its clock is off by at least the rest.
    ahead = max(told["time"] - now, 0.0) + min(told["time"] - sent, 0.0)
    return Sight(node, ahead, frozenset(told["seen"]) & frozenset(wanted.asked))


def look(found: Sequence[Node], asking: Wanted) -> tuple[list[Sight], list[Unfit]]:
    """Ask nodes, all at once, what they have and see; one that is lost meanwhile is in neither list.

    Raises:
        InputError: none of them can work; why, for each.

    Example:
        ``with connect(where("ray")), wanted(folder) as asking: fit, unfit = look(nodes(), asking)``
    """
    import ray

    asked = [Asked(node, asking) for node in found]
    there = []
    if asked:
        there, _ = ray.wait([each.answer for each in asked], num_returns=len(asked), timeout=PATIENCE)
    heard = [each.heard() if each.answer in there else each.silent() for each in asked]
    fit = [each for each in heard if isinstance(each, Sight)]
    unfit = [each for each in heard if isinstance(each, Unfit)]
    refuse_none(fit, unfit)
    return fit, unfit


def refuse_none(fit: Sequence[Sight], unfit: Sequence[Unfit]) -> None:
    """Refuse a cluster of which no node can work.

    Raises:
        InputError: so it is; why, for each node.
    """
    if not fit:
        told = "; ".join(f"{each.node.name}: {each.why}" for each in unfit) or "none of them offers a CPU"
        raise InputError(f"no node of the Ray cluster can do the work: {told}")


def _by_value(function: Callable) -> Callable:
    """The function, to be sent as it stands: the package may be another on a node, or missing."""
    from types import FunctionType

    sent = FunctionType(function.__code__, {"__builtins__": __builtins__}, function.__name__)
    sent.__module__ = "__main__"
    return sent


def _tell(folder: str, token: str, places: list) -> dict:
    """On a node: what it has and sees."""
    import importlib.metadata
    import os
    import time
    from contextlib import suppress

    versions, says = {}, None
    with suppress(ImportError):
        import affectspace

        versions["affectspace"] = affectspace.__version__
    with suppress(importlib.metadata.PackageNotFoundError):
        versions["torch"] = importlib.metadata.version("torch")
    until = time.monotonic() + 5  # storage on a network may list late what another machine has written
    while says is None:
        try:
            with open(token, encoding="utf-8") as file:
                says = file.read()
        except OSError:
            if time.monotonic() > until or not os.path.isdir(folder):
                break
            time.sleep(0.1)
    seen = [place for place in places if os.path.exists(place)]
    writes = os.access(folder, os.W_OK | os.X_OK)
    return {"versions": versions, "says": says, "seen": seen, "writes": writes, "time": time.time()}
