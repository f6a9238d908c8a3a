"""Triplets whose similar and dissimilar pair balance: C(a, s) + C(a, d) = 2, to rounding."""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from affectspace.errors import InputError
from affectspace.labels.geometry import geometry as geometry_named
from affectspace.samplers.place import refuse_other_settings
from affectspace.samplers.shuffled import ShuffledBatches

__all__ = ["BalancedTriplets", "TripletIndices"]

KEYS = 201  # similarities 0.00, 0.01 .. 2.00
BLOCK = 1 << 21  # similarities that are worked on at a time


class TripletIndices(NamedTuple):
    """Three int64 arrays of equal length; similar and dissimilar are -1 where an anchor has no triplet."""

    anchor: np.ndarray
    similar: np.ndarray
    dissimilar: np.ndarray


class BalancedTriplets:
    """Batches of triplets, every item an anchor once an epoch, drawn anew each epoch.

    The similarities of an anchor to all other items, rounded to two decimals, are its keys; a key k
    stays if 2 - k is one too. A key is drawn, all alike likely; the similar item from the larger and
    the dissimilar item from the smaller of k and 2 - k, all alike likely (at k = 1 the two may be
    one item). So C(a, s) + C(a, d) = 2 up to 0.01 in every triplet, and any batch of them balances.

    Pairs without a complement are never drawn: an anchor undecided between two classes meets no
    similar item. ``fisher_rao`` similarities of a few raters' votes seldom complement each other, and
    then most pairs are never compared; use :class:`affectspace.losses.InBatchFSimilarityLoss` there.

    Equal targets have equal keys, so that the work is done once per group of equal rows (to 1e-9):
    time grows with the square of the number of *different* rows, memory with the number of items.

    Order, ranks, resuming and ``left_out`` are those of :class:`ShuffledBatches`; the triplets of
    an epoch follow from (seed, epoch) alone, whatever the batch size and the ranks.

    Args:
        targets: ``(items, classes)`` probabilities, or ``(items,)`` class indices.
        batch_size: anchors a batch, on each rank; the last batch may be smaller.
        geometry: whose label similarity it is, ``"chord"``, ``"angle"`` or ``"fisher_rao"``.
        seed: any integer of 0 or more.
        rank: which of the processes this is.
        world_size: how many processes there are.

    Raises:
        InputError: targets that are not probabilities, or a number outside its range.

    Source: Zhang, Kong, Essl & Mower Provost, AAAI 2019, section 3.3.

    Example:
        >>> for anchor, similar, dissimilar in BalancedTriplets(np.array([0, 0, 1, 1]), batch_size=4):
        ...     print(sorted(zip(anchor.tolist(), similar.tolist(), (dissimilar // 2).tolist())))
        [(0, 1, 1), (1, 0, 1), (2, 3, 0), (3, 2, 0)]
    """

    def __init__(
        self,
        targets: np.ndarray,
        batch_size: int,
        geometry: str = "chord",
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        rows = _probabilities(targets)
        self._anchors = ShuffledBatches(len(rows), batch_size, seed, rank, world_size)
        try:
            self._geometry = geometry_named(geometry)
        except ValueError as error:
            raise InputError(str(error)) from error
        self._groups = _Groups(rows)
        self._settings = {
            "geometry": geometry,
            "targets": hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()[:16],
        }

    @property
    def epoch(self) -> int:
        """The current epoch, from 0."""
        return self._anchors.epoch

    @property
    def position(self) -> int:
        """How many batches of the current epoch have been handed out."""
        return self._anchors.position

    @property
    def left_out(self) -> np.ndarray:
        """Sorted int64 items that are no anchor on any rank in the current epoch."""
        return self._anchors.left_out

    @property
    def without_triplet(self) -> np.ndarray:
        """Sorted int64 items without a key whose complement is a key too; the same in every epoch."""
        return np.flatnonzero(self._draw()[0] < 0)

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        return len(self._anchors)

    def __iter__(self) -> Iterator[TripletIndices]:
        similar, dissimilar = self._draw()
        for anchor in self._anchors:
            yield TripletIndices(anchor, similar[anchor], dissimilar[anchor])

    def state_dict(self) -> dict[str, Any]:
        """Epoch, position, settings and a digest of the targets, as JSON keeps them; the same on every rank."""
        return self._anchors.state_dict() | self._settings

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the state was taken.

        Raises:
            InputError: the state comes from other settings or targets.
        """
        refuse_other_settings(state, self._settings)
        self._anchors.load_state_dict(state)

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        """The partners of every item in the current epoch."""
        groups = self._groups
        similar = np.full(len(groups.items), -1, np.int64)
        dissimilar = similar.copy()
        # Numbers belong to items, not to the order of the work, so that this order is free to change.
        draws = np.random.default_rng([self._anchors.seed, self.epoch, 1]).random((3, len(groups.items)))
        rows = torch.from_numpy(groups.rows)
        block = max(1, BLOCK // len(rows))
        for first in range(0, len(rows), block):
            c = self._geometry.label_similarity_matrix(rows[first : first + block], rows).numpy()
            # Rounding to six decimals first puts halves such as 1.125 where they belong, on an even
            # key, so that noise in the last digits cannot tear a key and its complement apart.
            keys = np.rint(np.round(100 * c, 6)).astype(np.int16)
            for group, row in enumerate(keys, start=first):
                anchors = groups.members(group)
                similar[anchors], dissimilar[anchors] = _partners(groups, group, row, draws[:, anchors])
        return similar, dissimilar


class _Groups:
    """Items with equal rows, side by side."""

    def __init__(self, rows: np.ndarray):
        rounded = np.round(rows, 9)
        self.items = np.lexsort(rounded.T)
        ordered = rounded[self.items]
        first = np.ones(len(rows), bool)
        first[1:] = (ordered[1:] != ordered[:-1]).any(1)
        self.starts = np.flatnonzero(first)
        self.sizes = np.diff(np.append(self.starts, len(rows)))
        self.rows = rows[self.items[self.starts]]

    def members(self, group: int) -> np.ndarray:
        return self.items[self.starts[group] : self.starts[group] + self.sizes[group]]


def _partners(groups: _Groups, group: int, keys: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similar and dissimilar items for the members of one group, given its key to every group."""
    counts = np.bincount(keys, weights=groups.sizes, minlength=KEYS).astype(np.int64)
    counts[KEYS - 1] -= 1  # an anchor is not its own partner
    kept = np.flatnonzero((counts > 0) & (counts[::-1] > 0))
    if not len(kept):
        nobody = np.full(draws.shape[1], -1)
        return nobody, nobody
    # Lay all items out by key: positions begin[i]..end[i] hold the group by_key[i].
    by_key = np.argsort(keys, kind="stable")
    end = np.cumsum(groups.sizes[by_key])
    begin = end - groups.sizes[by_key]
    first_of_key = begin[np.minimum(np.searchsorted(keys[by_key], np.arange(KEYS)), len(keys) - 1)]
    own = begin[np.flatnonzero(by_key == group)[0]] + np.arange(draws.shape[1])

    def pick(key: np.ndarray, draw: np.ndarray) -> np.ndarray:
        position = first_of_key[key] + (draw * counts[key]).astype(np.int64)
        position += (key == KEYS - 1) & (position >= own)  # step over the anchor itself
        at = np.searchsorted(end, position, side="right")
        return groups.items[groups.starts[by_key[at]] + position - begin[at]]

    key = kept[(draws[0] * len(kept)).astype(np.int64)]
    larger = np.maximum(key, KEYS - 1 - key)
    return pick(larger, draws[1]), pick(KEYS - 1 - larger, draws[2])


def _probabilities(targets: np.ndarray) -> np.ndarray:
    targets = np.asarray(targets)
    if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer):
        if targets.size and targets.min() < 0:
            raise InputError(f"class {targets.min()} is below 0; leave out the items that have no class")
        return np.eye(targets.max(initial=0) + 1)[targets]
    if targets.ndim != 2:
        raise InputError(f"targets have shape {targets.shape}; expected (items, classes) or (items,) class indices")
    rows = targets.astype(np.float64)
    if not (good := np.isfinite(rows).all(1) & (rows >= 0).all(1) & (np.abs(rows.sum(1) - 1) <= 1e-4)).all():
        row = int(np.argmin(good))
        raise InputError(f"target {row} is {rows[row].tolist()}; a row holds probabilities that sum to one")
    return rows
