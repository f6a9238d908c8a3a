"""Who trains, who is looked at for selection, and who is tested."""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from affectspace.errors import InputError

__all__ = ["PARTS", "Split"]

PARTS = ("train", "validate", "test", "unseen")


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of an items table in parts, no row in two.

    Args:
        name: what it is, for people to read.
        train, validate, test: rows by position, kept as sorted int64 arrays of its own.
            Selection only ever sees ``validate``; it is empty where nothing is selected, and ``test``
            is empty where settings are chosen on training items alone. One of the two has items.
        unseen: rows of whole corpora that are tested apart from ``test``, each corpus by itself; mostly empty.
        keeps_apart: the groups of which none is on two sides, by the way the split was made.
        allowed: the groups that are knowingly let across; :func:`affectspace.protocols.refuse_leaks`
            reads it.
        validates_within: the groups that validate and test share, and training has no part in; such as a session of
            which one speaker validates and the other is tested.
        tested_elsewhere: all rows train, as whoever asks for it tests by itself, such as a cross-validation does.

    Raises:
        InputError: nothing to train on, or neither to validate nor to test on, unless it is tested elsewhere; a row
            twice or in two parts, or a negative row.

    Example:
        >>> split = Split("by hand", train=[3, 0], validate=[1], test=[2])
        >>> split.train, split.sizes
        (array([0, 3]), {'train': 2, 'validate': 1, 'test': 1})
    """

    name: str
    train: np.ndarray
    validate: np.ndarray
    test: np.ndarray
    keeps_apart: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    unseen: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    validates_within: tuple[str, ...] = ()
    tested_elsewhere: bool = False

    def __post_init__(self):
        for part in PARTS:
            given = np.asarray(getattr(self, part))
            if given.size == 0:
                object.__setattr__(self, part, np.empty(0, np.int64))
                continue
            if given.ndim != 1 or given.dtype.kind not in "iu":
                raise InputError(
                    f"{part} of split {self.name!r} has shape {given.shape} and type {given.dtype}; give row numbers"
                )
            rows = np.sort(given.astype(np.int64))
            if rows[0] < 0:
                raise InputError(f"{part} of split {self.name!r} holds row {rows[0]}; rows count from 0")
            if (same := rows[1:][rows[1:] == rows[:-1]]).size:
                raise InputError(f"{part} of split {self.name!r} holds row {same[0]} twice; name each row once")
            object.__setattr__(self, part, rows)
        if not len(self.train):
            raise InputError(f"split {self.name!r} leaves nothing to train on; give it items")
        if not len(self.validate) and not len(self.test) and not self.tested_elsewhere:
            raise InputError(f"split {self.name!r} leaves nothing to validate or to test on; one of them needs items")
        for one, other in combinations(PARTS, 2):
            both = np.intersect1d(getattr(self, one), getattr(self, other))
            if both.size:
                raise InputError(
                    f"split {self.name!r} has {both.size} rows in both {one} and {other}, such as row {both[0]}; "
                    "each row belongs to one part"
                )
        object.__setattr__(self, "keeps_apart", tuple(self.keeps_apart))
        object.__setattr__(self, "allowed", tuple(self.allowed))

    @property
    def sizes(self) -> dict[str, int]:
        """How many items each part has; ``unseen`` only where there are any."""
        counts = {part: len(getattr(self, part)) for part in PARTS}
        return counts if counts["unseen"] else {part: count for part, count in counts.items() if part != "unseen"}
