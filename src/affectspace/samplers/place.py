"""Where a sampler stands in its epochs, and the settings under which that place means the same batches."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from affectspace.errors import InputError

__all__ = ["Place", "refuse_numbers", "refuse_other_settings"]


class Place:
    """An epoch and how many of its batches have been handed out; what a sampler saves to go on from there.

    Args:
        settings: what the batches follow from besides, as values that JSON keeps.

    Attributes:
        epoch: the current one, from 0.
        position: how many of its batches have been handed out.

    Example:
        >>> place = Place({"seed": 0})
        >>> [(batch, place.position) for batch in place.through(2)]
        [(0, 1), (1, 2)]
        >>> place.state_dict()
        {'epoch': 1, 'position': 0, 'seed': 0}
    """

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = dict(settings)
        self.epoch = 0
        self.position = 0

    def through(self, batches: int) -> Iterator[int]:
        """The numbers of the batches that are left of an epoch of so many; behind the last a new epoch begins."""
        while self.position < batches:
            # moved on before the batch is handed out: a state saved after its step resumes at the next
            self.position += 1
            yield self.position - 1
        self.epoch += 1
        self.position = 0

    def state_dict(self) -> dict[str, Any]:
        """Epoch, position and settings."""
        return {"epoch": self.epoch, "position": self.position, **self._settings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Stand where the state was taken.

        Raises:
            InputError: the state comes from other settings.
        """
        refuse_other_settings(state, self._settings)
        self.epoch, self.position = state["epoch"], state["position"]


def refuse_other_settings(state: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse a state that was saved under other settings, under which it means other batches.

    Raises:
        InputError: names the first setting that differs.

    Example:
        >>> refuse_other_settings({"epoch": 2, "seed": 1}, {"seed": 0})
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: the saved sampler has seed 1 and this one 0; resume with what it was saved ...
    """
    for name, value in settings.items():
        if state.get(name) != value:
            raise InputError(
                f"the saved sampler has {name} {state.get(name)!r} and this one {value!r}; "
                "resume with what it was saved with, or start anew"
            )


def refuse_numbers(least: Iterable[tuple[str, int, int]], rank: int, world_size: int) -> None:
    """Refuse numbers out of their range: each with its name and the least it may be, and a rank among processes.

    Raises:
        InputError: names the first of them.

    Example:
        >>> refuse_numbers([("batch_size", 0, 1)], rank=0, world_size=1)
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: batch_size is 0; it must be 1 or more
    """
    for name, value, smallest in (*least, ("world_size", world_size, 1)):
        if value < smallest:
            raise InputError(f"{name} is {value}; it must be {smallest} or more")
    if not 0 <= rank < world_size:
        raise InputError(f"rank is {rank}; with world_size {world_size} it must be 0..{world_size - 1}")
