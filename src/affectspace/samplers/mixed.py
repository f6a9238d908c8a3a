"""Labelled and unlabelled items side by side in every batch."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from affectspace.errors import InputError
from affectspace.samplers.place import refuse_numbers, refuse_other_settings

__all__ = ["MixedBatches", "MixedIndices", "balanced_rows"]


class LabelledBatches(Protocol):
    """A sampler of the labelled items, such as :class:`~affectspace.samplers.ShuffledBatches`."""

    @property
    def epoch(self) -> int: ...

    @property
    def position(self) -> int: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[np.ndarray]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class MixedIndices(NamedTuple):
    """A batch: int64 rows among the labelled items, and among the unlabelled ones."""

    labelled: np.ndarray
    unlabelled: np.ndarray


class MixedBatches:
    """Every batch of a sampler of labelled items, and beside it ``batch_size`` unlabelled ones.

    An epoch is one of the labelled items. The unlabelled ones are gone through in rounds of their own, each in
    another order, which follow from the seed and go on from epoch to epoch: no item comes a second time before all
    have come once. A batch may hold the end of a round and the beginning of the next.

    Args:
        labelled: says which labelled items meet.
        n_unlabelled: how many unlabelled items there are.
        batch_size: unlabelled items a batch.
        seed: any integer of 0 or more.
        rank: which of the processes this is, ``0..world_size - 1``; ``labelled`` knows of its own.
        world_size: how many processes there are; a step takes ``world_size * batch_size`` unlabelled items.

    Raises:
        InputError: a number outside its range, or no unlabelled item.

    Example:
        >>> from affectspace.samplers import ShuffledBatches
        >>> batches = MixedBatches(ShuffledBatches(4, batch_size=2), n_unlabelled=3, batch_size=3)
        >>> [(len(labelled), sorted(unlabelled.tolist())) for labelled, unlabelled in batches]
        [(2, [0, 1, 2]), (2, [0, 1, 2])]
    """

    def __init__(
        self,
        labelled: LabelledBatches,
        n_unlabelled: int,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        refuse_numbers([("batch_size", batch_size, 1), ("seed", seed, 0)], rank, world_size)
        if n_unlabelled < 1:
            raise InputError(f"there are {n_unlabelled} unlabelled items to draw from; give one or more")
        self.labelled = labelled
        self.n_unlabelled, self.batch_size, self.seed = n_unlabelled, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self._drawn_from: np.ndarray | None = None
        self._kept: tuple[tuple[int, int], np.ndarray] | None = None

    @property
    def epoch(self) -> int:
        """The current epoch of the labelled items, from 0."""
        return self.labelled.epoch

    @property
    def position(self) -> int:
        """How many batches of the current epoch have been handed out."""
        return self.labelled.position

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.labelled)

    def __iter__(self) -> Iterator[MixedIndices]:
        step = self.epoch * len(self) + self.position
        for rows in self.labelled:
            yield MixedIndices(rows, self._unlabelled(step))
            step += 1

    def draw_from(self, rows: ArrayLike) -> None:
        """From now on a round goes through these unlabelled rows, in which an item may occur any number of times.

        So that classes that are rare among the unlabelled items come as often as others:
        see :func:`affectspace.samplers.balanced_rows`.

        Raises:
            InputError: no row, or one that is none of the unlabelled items.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if not len(rows) or rows.min() < 0 or rows.max() >= self.n_unlabelled:
            raise InputError(f"draw_from: {len(rows)} rows; legal: one or more of 0..{self.n_unlabelled - 1}")
        self._drawn_from = rows

    def state_dict(self) -> dict[str, Any]:
        """That of the labelled sampler, the settings, and the rows that are drawn from; JSON keeps all of it."""
        drawn_from = None if self._drawn_from is None else self._drawn_from.tolist()
        return {"labelled": self.labelled.state_dict(), "drawn_from": drawn_from, **self._settings}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the state was taken.

        Raises:
            InputError: the state comes from other settings, under which it means other batches.
        """
        refuse_other_settings(state, self._settings)
        self.labelled.load_state_dict(state["labelled"])
        self._drawn_from = None if state["drawn_from"] is None else np.array(state["drawn_from"], dtype=np.int64)

    @property
    def _settings(self) -> dict[str, int]:
        return {
            "n_unlabelled": self.n_unlabelled,
            "unlabelled_batch_size": self.batch_size,
            "unlabelled_seed": self.seed,
            "world_size": self.world_size,
        }

    def _unlabelled(self, step: int) -> np.ndarray:
        rows = np.arange(self.n_unlabelled) if self._drawn_from is None else self._drawn_from
        first = (step * self.world_size + self.rank) * self.batch_size
        wanted, found = np.arange(first, first + self.batch_size), np.empty(self.batch_size, dtype=np.int64)
        rounds = wanted // len(rows)
        for number in np.unique(rounds):
            here = rounds == number
            found[here] = rows[self._order(int(number), len(rows))[wanted[here] % len(rows)]]
        return found

    def _order(self, number: int, length: int) -> np.ndarray:
        """The order of a round; kept until another is asked for, since a round may be a million items long."""
        if self._kept is None or self._kept[0] != (number, length):
            self._kept = (number, length), np.random.default_rng([self.seed, number]).permutation(length)
        return self._kept[1]


def balanced_rows(classes: ArrayLike, per_class: int, seed: int = 0) -> np.ndarray:
    """Rows of which every class that occurs has ``per_class``: some are left out, others come several times.

    Of a class with more items each comes once at most; of one with fewer each comes equally often, but for one.

    Args:
        classes: ``(items,)`` the class of each row, negative where it has none.
        per_class: rows of each class, 1 or more.
        seed: which are left out, and which come once more.

    Returns:
        int64, class by class; rows without a class are not among them.

    Raises:
        InputError: a number below 1, or no row with a class.

    Source: Liang, Li & Jin, "Semi-supervised Multi-modal Emotion Recognition with Cross-Modal Distribution Matching",
    ACM Multimedia 2020, section 4.1, where each class is sub- or over-sampled to 5000.

    Example:
        >>> rows = balanced_rows([0, 0, 0, 1, -1], per_class=2)
        >>> len(rows), rows[2:].tolist()
        (4, [3, 3])
    """
    classes = np.asarray(classes)
    if per_class < 1:
        raise InputError(f"per_class is {per_class}; it must be 1 or more")
    present: Sequence[int] = np.unique(classes[classes >= 0]).tolist()
    if not present:
        raise InputError("no unlabelled item has been given a class, so that none can be balanced")
    parts = []
    for code in present:
        rows = np.random.default_rng([seed, code]).permutation(np.flatnonzero(classes == code))
        parts.append(np.resize(rows, per_class))
    return np.concatenate(parts).astype(np.int64)
