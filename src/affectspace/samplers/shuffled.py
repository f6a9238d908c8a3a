"""Shuffled batches that resume to the bit and share out over processes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from affectspace.errors import InputError

__all__ = ["ShuffledBatches"]


class ShuffledBatches:
    """Every item once an epoch, in an order that follows from (seed, epoch) alone.

    Iterating yields the batches of the current epoch from the current position on; when they are
    spent, the epoch moves on by one. A state taken while a batch is at work resumes behind it.

    **Several processes.** All ranks shuffle alike. A step takes ``world_size * batch_size`` items and
    gives each rank ``batch_size`` of them, so that ranks never share an item and have equally many
    batches. What is left at the end of an epoch is one more, smaller step, shared out so that sizes
    differ by one at most. If there are then fewer items than ranks, these (at most
    ``world_size - 1``, others every epoch) are left out: see :attr:`left_out`. One process leaves
    out nothing.

    Args:
        n_items: how many items there are.
        batch_size: items a batch, on each rank; the last batch may be smaller.
        seed: any integer of 0 or more.
        rank: which of the processes this is, ``0..world_size - 1``.
        world_size: how many processes there are.

    Raises:
        InputError: a number outside its range, or fewer items than ranks.

    Example:
        >>> batches = ShuffledBatches(5, batch_size=2)
        >>> [len(batch) for batch in batches]
        [2, 2, 1]
        >>> batches.epoch
        1
    """

    def __init__(self, n_items: int, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1):
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0), ("world_size", world_size, 1)):
            if value < least:
                raise InputError(f"{name} is {value}; it must be {least} or more")
        if not 0 <= rank < world_size:
            raise InputError(f"rank is {rank}; with world_size {world_size} it must be 0..{world_size - 1}")
        if n_items < world_size:
            raise InputError(f"{n_items} items cannot be shared out over {world_size} processes; each needs one")
        self.n_items, self.batch_size, self.seed = n_items, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self.position = 0

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        full, tail = divmod(self.n_items, self.batch_size * self.world_size)
        return full + (tail >= self.world_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        order = self._order()
        step = self.batch_size * self.world_size
        while self.position < len(self):
            start = self.position * step
            # moved on before the batch is handed out: a state saved after its step resumes at the next
            self.position += 1
            yield np.array_split(order[start : start + step], self.world_size)[self.rank]
        self.epoch += 1
        self.position = 0

    @property
    def left_out(self) -> np.ndarray:
        """Sorted int64 items that no rank sees in the current epoch."""
        tail = self.n_items % (self.batch_size * self.world_size)
        return np.sort(self._order()[self.n_items - tail :]) if tail < self.world_size else np.empty(0, np.int64)

    def state_dict(self) -> dict[str, Any]:
        """Epoch, position and settings, as numbers that JSON keeps; the same on every rank."""
        return {"epoch": self.epoch, "position": self.position, **self._settings()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the state was taken.

        Raises:
            InputError: the state comes from other settings, under which it means other batches.
        """
        for name, value in self._settings().items():
            if state.get(name) != value:
                raise InputError(
                    f"the saved sampler has {name} {state.get(name)!r} and this one {value!r}; "
                    "resume with the settings that it was saved with, or start anew"
                )
        self.epoch, self.position = state["epoch"], state["position"]

    def _settings(self) -> dict[str, Any]:
        names = ("n_items", "batch_size", "seed", "world_size")
        return {name: getattr(self, name) for name in names}

    def _order(self) -> np.ndarray:
        return np.random.default_rng([self.seed, self.epoch]).permutation(self.n_items)
