"""The processes that train one net together: how they meet, and what the first of them tells the others."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from affectspace.errors import AffectspaceError, DivergedError, InputError, LeakError, MediaError
from affectspace.training.meeting import meet
from affectspace.training.started import started

__all__ = ["ALONE", "Processes", "joined", "processes"]

KINDS = {kind.__name__: kind for kind in (AffectspaceError, DivergedError, InputError, LeakError, MediaError)}


class Processes:
    """Those that train one net together, seen from one of them; the first one writes, and speaks for all.

    Each has whole knowledge of every batch, and encodes its share of the items. What they exchange is tensors and
    JSON, never objects.

    Args:
        rank: which of them this is, from 0.
        count: how many there are; 1: nothing is ever exchanged.
    """

    def __init__(self, rank: int = 0, count: int = 1):
        self.rank, self.count = rank, count
        self._listening = True

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, items: int) -> tuple[int, int]:
        """Which rows of so many are this process's: the first, and that behind the last.

        Shares follow each other by rank, and differ by one row at most. Fewer items than processes are not shared
        out: each has all of them.

        Example:
            >>> [Processes(rank, 3).share(8) for rank in range(3)], Processes(1, 3).share(2)
            ([(0, 3), (3, 6), (6, 8)], (0, 2))
        """
        if items < self.count:
            return 0, items
        each, more = divmod(items, self.count)
        start = self.rank * each + min(self.rank, more)
        return start, start + each + (self.rank < more)

    def agree(self, value: Any = None) -> Any:
        """The first one's value, on all of them; anything that JSON keeps.

        Raises:
            AffectspaceError: the first one's, which ended it before it had a value.
        """
        return value if self.count == 1 else self._hear(self._say({"value": value}) if self.first else None)

    def told(self, step: int) -> str:
        """That they train together, and from where on; who has mistyped torchrun sees that there is one.

        Example:
            >>> Processes(0, 2).told(0), Processes(0, 4).told(120)
            ('2 processes train together', '4 processes train together, from step 120 on')
        """
        return f"{self.count} processes train together" + (f", from step {step} on" if step else "")

    def each(self, value: Any) -> list[Any]:
        """What each of them gives, by rank, on all of them; anything that JSON keeps.

        Raises:
            AffectspaceError: the first one's, which ended it before it had a value.
        """
        self.agree()
        if self.count == 1:
            return [value]
        text = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
        lengths = [torch.tensor(0) for _ in range(self.count)]
        dist.all_gather(lengths, torch.tensor(len(text)))
        rooms = [torch.zeros(int(max(lengths)), dtype=torch.uint8) for _ in lengths]
        dist.all_gather(rooms, torch.nn.functional.pad(text, (0, len(rooms[0]) - len(text))))
        return [json.loads(bytes(room[:length].tolist())) for room, length in zip(rooms, lengths, strict=True)]

    def send(self, content: bytes | None) -> bytes:
        """The first one's bytes, on all of them, where there are several; the others give None."""
        size = self.agree(content and len(content))
        if content is not None:
            room = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        else:
            room = torch.empty(size, dtype=torch.uint8)
        dist.broadcast(room, 0)
        return room.numpy().tobytes()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """What is in here the first one does before the others, who find what it has left, such as features.

        Raises:
            AffectspaceError: on all of them, where the first one does.
        """
        if not self.first:
            self.agree()
        yield
        if self.first:
            self.agree()

    @contextmanager
    def alike(self) -> Iterator[None]:
        """What ends the first one in here, while others wait for its word, ends them with the same error."""
        try:
            yield
        except AffectspaceError as error:
            if self.first and self.count > 1 and self._listening and not error.common:
                self._say({"error": type(error).__name__, "told": str(error)})
                error.common = True
            raise

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """In here nobody waits for the word of the first: all do the same, and exchange what they have found."""
        self._listening = False
        try:
            yield
        finally:
            self._listening = True

    def fail(self, error: AffectspaceError | None) -> AffectspaceError:
        """What all of them raise: the first one's error; the others give None."""
        told = self.agree(str(error) if self.first else None)
        kind = self.agree(type(error).__name__ if self.first else None)
        raised = error or KINDS[kind](told)
        raised.common = self.count > 1
        return raised

    def add_gradients(self, shared: Iterable[Tensor], alike: Iterable[Tensor]) -> None:
        """Give each process the sum of what all have found, in place, as ``.grad``.

        A tensor that has no gradient on any process is left without.

        Args:
            shared: whose gradients are parts of the whole batch's, one on each process.
            alike: whose gradients are those of the whole batch already; that of the first one counts, so that
                processes do not drift apart by what their machines round otherwise.
        """
        if self.count == 1:
            return
        shared, alike = list(shared), list(alike)
        every = [tensor for tensor in (*shared, *alike) if tensor.requires_grad]
        if not every:
            return
        found = torch.tensor([tensor.grad is not None for tensor in every], dtype=torch.uint8)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        every = [tensor for tensor, some in zip(every, found.tolist(), strict=True) if some]
        given = {id(tensor) for tensor in alike} if not self.first else set()
        for tensor in every:
            if tensor.grad is None or id(tensor) in given:
                tensor.grad = torch.zeros_like(tensor)
        parts = [tensor.grad for tensor in every if tensor.grad is not None]
        for dtype in dict.fromkeys(part.dtype for part in parts):
            these = [part for part in parts if part.dtype == dtype]
            together = torch.cat([part.flatten() for part in these])
            dist.all_reduce(together)
            for part, summed in zip(these, together.split([part.numel() for part in these]), strict=True):
                part.copy_(summed.view_as(part))  # in the order in memory that it has, by which a fused step reads it

    def _say(self, message: dict[str, Any]) -> dict[str, Any]:
        text = torch.tensor(list(json.dumps(message).encode()), dtype=torch.uint8)
        dist.broadcast(torch.tensor(len(text)), 0)
        dist.broadcast(text, 0)
        return message

    def _hear(self, said: dict[str, Any] | None) -> Any:
        if said is None:
            length = torch.tensor(0)
            dist.broadcast(length, 0)
            text = torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(text, 0)
            said = json.loads(bytes(text.tolist()))
            assert said is not None, "what is said is a table"
        if "error" in said:
            error = KINDS.get(said["error"], AffectspaceError)(said["told"])
            error.common = True
            raise error
        return said["value"]


ALONE = Processes()


def processes() -> Processes:
    """Those of torch's process group, where there is one; else this one alone.

    Example:
        >>> processes().count
        1
    """
    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    return _seen_from(dist.get_rank(), dist.get_world_size())


@cache
def _seen_from(rank: int, count: int) -> Processes:
    """One for all who ask, as it knows whether others wait for the first one's word."""
    return Processes(rank, count)


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun or srun has started together with this one, which talk until the block ends.

    Raises:
        AffectspaceError: another process has ended while this one was to exchange something with it.
    """
    own = started()
    if own is None or dist.is_initialized():
        yield processes()
        return
    meet(own)
    try:
        yield processes()
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise AffectspaceError(
            f"process {own.rank} of {own.count} ends, since another has ended, which tells why; the same command under "
            "torchrun, or --resume with the run's folder, goes on from the last checkpoint"
        ) from error
    finally:
        dist.destroy_process_group()
