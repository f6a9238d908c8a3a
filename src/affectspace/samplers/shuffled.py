"""Shuffled batches that resume to the bit and share out over processes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from affectspace.errors import InputError
from affectspace.samplers.place import Place, refuse_numbers

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
        refuse_numbers([("batch_size", batch_size, 1), ("seed", seed, 0)], rank, world_size)
        if n_items < world_size:
            raise InputError(f"{n_items} items cannot be shared out over {world_size} processes; each needs one")
        self.n_items, self.batch_size, self.seed = n_items, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self._place = Place({"n_items": n_items, "batch_size": batch_size, "seed": seed, "world_size": world_size})

    @property
    def epoch(self) -> int:
        """The current epoch, from 0."""
        return self._place.epoch

    @property
    def position(self) -> int:
        """How many batches of the current epoch have been handed out."""
        return self._place.position

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        full, tail = divmod(self.n_items, self.batch_size * self.world_size)
        return full + (tail >= self.world_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        order = self._order()
        step = self.batch_size * self.world_size
        for batch in self._place.through(len(self)):
            yield np.array_split(order[batch * step : (batch + 1) * step], self.world_size)[self.rank]

    @property
    def left_out(self) -> np.ndarray:
        """Sorted int64 items that no rank sees in the current epoch."""
        tail = self.n_items % (self.batch_size * self.world_size)
        return np.sort(self._order()[self.n_items - tail :]) if tail < self.world_size else np.empty(0, np.int64)

    def state_dict(self) -> dict[str, Any]:
        """Epoch, position and settings, as numbers that JSON keeps; the same on every rank."""
        return self._place.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the state was taken.

        Raises:
            InputError: the state comes from other settings, under which it means other batches.
        """
        self._place.load_state_dict(state)

    def _order(self) -> np.ndarray:
        return np.random.default_rng([self.seed, self.epoch]).permutation(self.n_items)
