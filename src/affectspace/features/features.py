"""Features of many items in one ragged array."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.features.spread_values import SpreadValues

__all__ = ["Features", "refuse_duplicates", "refuse_too_many"]


@dataclass(frozen=True)
class Features:
    """The features of items, one behind the other.

    Args:
        ids: ``(items,)`` the items' ids, in the order asked for, without those in quarantine.
        lengths: ``(items,)`` int64 frames of each item; 1 for vectors.
        values: ``(frames of all items, dimensions)`` float32 (samples: int16, pixels: uint8), read-only, on disk where
            it came from there; several files are :class:`~affectspace.features.spread_values.SpreadValues`.
        audio_sha: ``(items,)`` SHA-256 of each item's samples (see
            :func:`~affectspace.media.samples_sha256`) or pixels; None where nobody has heard or seen them.
        quarantine: the items without features, columns ``id`` and ``reason``.

    Example:
        >>> quarantine = pd.DataFrame({"id": ["c"], "reason": ["c.wav is an empty file"]})
        >>> features = Features(["a", "b"], [2, 1], np.arange(6.0).reshape(3, 2), [None, None], quarantine)
        >>> features["b"], features[0].shape, features.row_of("b")
        (array([[4., 5.]]), (2, 2), 1)
        >>> features["c"]
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: item 'c' has no features: c.wav is an empty file
    """

    ids: np.ndarray
    lengths: np.ndarray
    values: np.ndarray | SpreadValues
    audio_sha: np.ndarray
    quarantine: pd.DataFrame

    def __post_init__(self):
        object.__setattr__(self, "ids", np.asarray(self.ids, dtype=object))
        object.__setattr__(self, "lengths", np.asarray(self.lengths, dtype=np.int64))
        object.__setattr__(self, "audio_sha", np.asarray(self.audio_sha, dtype=object))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, item: int | str) -> np.ndarray:
        """Features ``(frames, dimensions)`` of an item, by its row or its id; a view, not a copy."""
        row = self.row_of(item) if isinstance(item, str) else int(item)
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} items")
        start = self.offsets[row]
        return self.values[start : start + self.lengths[row]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    @cached_property
    def offsets(self) -> np.ndarray:
        """``(items,)`` where each item begins in ``values``."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def dimensions(self) -> int:
        """Numbers in a frame."""
        return self.values.shape[1]

    def row_of(self, item: str) -> int:
        """The row of an id.

        Raises:
            InputError: an id that is in quarantine, or unknown.
        """
        row = self._rows.get(item)
        if row is not None:
            return row
        reasons = self.quarantine.loc[self.quarantine["id"] == item, "reason"]
        if len(reasons):
            raise InputError(f"item {item!r} has no features: {reasons.iloc[0]}")
        raise InputError(f"there is no item {item!r}; the {len(self)} ids here begin with {list(self.ids[:3])}")

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {item: row for row, item in enumerate(self.ids)}


def refuse_too_many(quarantine: pd.DataFrame, items: int, max_bad_share: float) -> None:
    """Stop when more than ``max_bad_share`` of the items, or all of them, are in quarantine.

    Raises:
        InputError: with the counts and the first reasons.
    """
    bad = len(quarantine)
    if bad < items and bad <= max_bad_share * items:
        return
    first = "; ".join(f"{item}: {reason}" for item, reason in zip(quarantine["id"][:3], quarantine["reason"][:3]))
    more = f"; and {bad - 3} more" if bad > 3 else ""
    if bad == items:
        raise InputError(f"none of {items} items can be used: {first}{more}" if items > 1 else first)
    raise InputError(
        f"{bad} of {items} items have no features, and a share of {max_bad_share:g} is allowed (max_bad_share): "
        f"{first}{more}"
    )


def refuse_duplicates(ids: Sequence[str], where: str) -> None:
    """Stop when an id occurs twice.

    Raises:
        InputError: naming the first such id, and ``where``.
    """
    item, times = Counter(ids).most_common(1)[0] if len(ids) else ("", 0)
    if times > 1:
        raise InputError(f"id {item!r} occurs {times} times in {where}; ids are unique")
