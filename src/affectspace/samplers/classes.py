"""Batches of P classes with K items of each, as losses need that compare an item with its own class."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from affectspace.errors import InputError
from affectspace.samplers.dealing import dealt, dealt_across
from affectspace.samplers.place import Place, refuse_numbers

__all__ = ["ClassBatches"]


class ClassBatches:
    """P x K batches: the classes take turns, and each gives K of its items.

    A class deals out its items in a shuffled order, and shuffles them anew when all are dealt, so that the items of
    a class are seen equally often, to within one, in an epoch. No item is twice in a batch: a class with fewer than
    K items gives what it has. An epoch has as many batches as take ``n_items`` at the full size, so rare classes
    come several times in it and some items of frequent ones not at all (see :attr:`left_out`); who these are
    differs from epoch to epoch. All of it follows from (seed, epoch), whatever was drawn before.

    **Across groups.** With ``groups``, the languages of the items for one, each language that has a class gives alike
    of the K, and its speakers take turns, so that a class is never told by who says it or in what language; see
    :func:`affectspace.samplers.dealing.dealt_across`. Items of small languages then come more often than others.

    **Several processes.** All ranks draw alike, and share each batch out so that sizes differ by one at most.

    Args:
        classes: ``(items,)`` each item's class, any integers.
        classes_per_batch: P, at least 2; no more than there are classes are taken.
        items_per_class: K, at least 1; SGM needs 2 or more, and its authors take 30.
        seed: any integer of 0 or more.
        rank: which of the processes this is, ``0..world_size - 1``.
        world_size: how many processes there are.
        groups: ``(items,)`` each item's group, such as its language, any integers; None: items are dealt as they are.
        speakers: ``(items,)`` each item's speaker; needed beside groups.

    Raises:
        InputError: a number outside its range, fewer than two classes, or groups without speakers.

    Source: Schroff et al., "FaceNet", CVPR 2015, and Hermans et al., "In Defense of the Triplet Loss", 2017.

    Example:
        >>> classes = np.array([0, 0, 0, 0, 1, 1])
        >>> batches = ClassBatches(classes, classes_per_batch=2, items_per_class=2)
        >>> [classes[batch].tolist() for batch in batches]
        [[0, 0, 1, 1], [0, 0, 1, 1]]
    """

    def __init__(
        self,
        classes: ArrayLike,
        classes_per_batch: int,
        items_per_class: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        *,
        groups: ArrayLike | None = None,
        speakers: ArrayLike | None = None,
    ):
        least = [
            ("classes_per_batch", classes_per_batch, 2),
            ("items_per_class", items_per_class, 1),
            ("seed", seed, 0),
        ]
        refuse_numbers(least, rank, world_size)
        codes = np.asarray(classes)
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise InputError(f"classes have shape {codes.shape} and type {codes.dtype}; give one whole number an item")
        present = np.unique(codes)
        if len(present) < 2:
            raise InputError(
                f"all {len(codes)} items are of one class, and a batch compares classes; use shuffled batches"
            )
        self._groups, self._speakers = _beside(codes, groups, speakers)
        self.members = [np.flatnonzero(codes == each) for each in present]
        self.n_items, self.items_per_class, self.seed = len(codes), items_per_class, seed
        self.classes_per_batch = min(classes_per_batch, len(present))
        smallest = sorted(min(items_per_class, len(each)) for each in self.members)[: self.classes_per_batch]
        if sum(smallest) < world_size:
            raise InputError(
                f"a batch may hold {sum(smallest)} items, too few for {world_size} processes; raise P or K"
            )
        self.rank, self.world_size = rank, world_size
        names = ("n_items", "classes_per_batch", "items_per_class", "seed", "world_size")
        sizes = [len(each) for each in self.members]
        across = None if self._groups is None else np.unique(self._groups, return_counts=True)[1].tolist()
        self._place = Place({**{name: getattr(self, name) for name in names}, "classes": sizes, "groups": across})

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
        return -(-self.n_items // (self.classes_per_batch * self.items_per_class))

    def __iter__(self) -> Iterator[np.ndarray]:
        batches = self._batches()
        for batch in self._place.through(len(self)):
            yield batches[batch][self.rank :: self.world_size]

    @property
    def left_out(self) -> np.ndarray:
        """Sorted int64 items that no rank sees in the current epoch."""
        seen = np.zeros(self.n_items, bool)
        for batch in self._batches():
            seen[batch] = True
        return np.flatnonzero(~seen)

    def state_dict(self) -> dict[str, Any]:
        """Epoch, position and settings, as numbers that JSON keeps; the same on every rank."""
        return self._place.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the state was taken.

        Raises:
            InputError: the state comes from other settings, under which it means other batches.
        """
        self._place.load_state_dict(state)

    def _batches(self) -> list[np.ndarray]:
        """The batches of the current epoch."""
        rng = np.random.default_rng([self.seed, self.epoch])
        turns = dealt(np.arange(len(self.members)), self.classes_per_batch, len(self), rng)
        chosen = np.zeros((len(self), len(self.members)), bool)
        np.put_along_axis(chosen, turns, True, axis=1)
        parts: list[list[np.ndarray]] = [[] for _ in range(len(self))]
        for each, members in enumerate(self.members):
            batches = np.flatnonzero(chosen[:, each])
            for batch, items in zip(batches, self._hands(members, len(batches), rng)):
                parts[batch].append(items)
        return [np.concatenate(each) for each in parts]

    def _hands(self, members: np.ndarray, hands: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
        """What a class gives to each of so many batches."""
        if self._groups is None or self._speakers is None:
            return list(dealt(members, self.items_per_class, hands, rng))
        groups, speakers = self._groups[members], self._speakers[members]
        return dealt_across(members, groups, speakers, self.items_per_class, hands, rng)


def _beside(
    classes: np.ndarray, groups: ArrayLike | None, speakers: ArrayLike | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Group and speaker of each item, or neither."""
    if groups is None and speakers is None:
        return None, None
    if groups is None or speakers is None:
        raise InputError("items are dealt across groups whose speakers take turns; give both groups and speakers")
    given = np.asarray(groups), np.asarray(speakers)
    for name, codes in zip(("groups", "speakers"), given):
        if codes.shape != classes.shape:
            raise InputError(f"{name} have shape {codes.shape}; give one for each of the {len(classes)} items")
    return given
