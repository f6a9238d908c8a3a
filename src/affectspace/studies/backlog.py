"""Which job a process does next, by the data that it holds already."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from affectspace.studies.job import Job
from affectspace.studies.plan import Planned
from affectspace.training.keys import KEPT_ITEMS, KEPT_SPLITS

__all__ = ["Backlog", "Held"]

Some = TypeVar("Some", Job, Planned)


class Held:
    """Keys of what a process keeps in memory, the latest last, as long as its :class:`DataCache` does."""

    def __init__(self) -> None:
        self.items: OrderedDict[str, None] = OrderedDict()
        self.splits: OrderedDict[str, None] = OrderedDict()

    def take(self, job: Job | Planned) -> tuple[bool, bool]:
        """Keep what a job reads; whether its items, and its split of them, were not there."""
        opens = job.split_key not in self.splits
        new = opens and job.items_key not in self.items
        if opens:  # a split holds its items itself
            _keep(self.items, job.items_key, KEPT_ITEMS)
        _keep(self.splits, job.split_key, KEPT_SPLITS)
        return new, opens

    def forget(self, job: Job) -> None:
        """What a job reads is not there after all."""
        self.splits.pop(job.split_key, None)
        self.items.pop(job.items_key, None)

    def copy(self) -> "Held":
        """Another of the same keys."""
        other = Held()
        other.items, other.splits = self.items.copy(), self.splits.copy()
        return other


def _keep(shelf: OrderedDict[str, None], key: str, most: int) -> None:
    shelf[key] = None
    shelf.move_to_end(key)
    while len(shelf) > most:
        shelf.popitem(last=False)


class Backlog(Generic[Some]):
    """Jobs that nobody does yet, by the data that they read, in the order in which they were given."""

    def __init__(self, jobs: Sequence[Some]):
        self._by_data: dict[str, deque[Some]] = {}
        for job in jobs:
            self._by_data.setdefault(job.split_key, deque()).append(job)
        self._again: deque[Some] = deque()

    def __bool__(self) -> bool:
        return bool(self._by_data or self._again)

    def again(self, job: Some) -> None:
        """Let it be done once more, when all others are."""
        self._again.append(job)

    def next_for(self, held: Held, others: Sequence[Held]) -> Some | None:
        """What a process does next: on what it holds, else on what no other holds, else where most is left."""
        if not self._by_data:
            return self._again.popleft() if self._again else None
        key = self._key_for(held, others)
        job = self._by_data[key].popleft()
        if not self._by_data[key]:
            del self._by_data[key]
        return job

    def first_for(self, held: Held, others: Sequence[Held]) -> Some | None:
        """The same, and it stays to be done."""
        if not self._by_data:
            return self._again[0] if self._again else None
        return self._by_data[self._key_for(held, others)][0]

    def _key_for(self, held: Held, others: Sequence[Held]) -> str:
        mine = next((key for key in reversed(held.splits) if key in self._by_data), None)
        free = (key for key in self._by_data if not any(key in other.splits for other in others))
        return mine or next(free, None) or max(self._by_data, key=lambda key: len(self._by_data[key]))
