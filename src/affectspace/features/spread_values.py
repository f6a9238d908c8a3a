"""Arrays that lie in several files, read as the one that they are together."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

__all__ = ["SpreadValues"]


class SpreadValues:
    """The rows of several arrays, one behind the other, without a copy of them all.

    Args:
        parts: ``(rows, dimensions)`` each, of one dtype and size; at least one.

    Example:
        >>> values = SpreadValues([np.zeros((2, 3)), np.ones((4, 3))])
        >>> values.shape, len(values), values[2:4].tolist()
        ((6, 3), 6, [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
        >>> values[[5, 0]].tolist()
        [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """

    ndim = 2

    def __init__(self, parts: Sequence[np.ndarray]):
        # As plain arrays, which take half the time of mapped ones to slice, and stay mapped as before.
        self._parts = [np.asarray(part) for part in parts]
        self._begins = [0, *np.cumsum([len(part) for part in parts]).tolist()]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows of all parts, and dimensions."""
        return self._begins[-1], self._parts[0].shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Of all parts."""
        return self._parts[0].dtype

    def __len__(self) -> int:
        return self._begins[-1]

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """Rows as numpy would give them: a view of a slice within a part, else a copy of what was asked for alone."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            part = bisect_right(self._begins, start) - 1
            if step == 1 and part < len(self._parts) and stop <= self._begins[part + 1]:
                begin = self._begins[part]
                return self._parts[part][start - begin : max(start, stop) - begin]
            return self[np.arange(start, stop, step)]
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            (chosen,) = np.nonzero(chosen)
        chosen = np.where(chosen < 0, chosen + len(self), chosen).astype(np.int64)
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(self)):
            raise IndexError(f"rows {chosen.min()} to {chosen.max()} of {len(self)}")
        part_of = np.searchsorted(self._begins, chosen, side="right") - 1
        found = np.empty((*chosen.shape, self.shape[1]), self.dtype)
        for part in np.unique(part_of):
            own = part_of == part
            found[own] = self._parts[part][chosen[own] - self._begins[part]]
        return found

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """All of them in memory, for who asks numpy for just that."""
        if copy is False:
            raise ValueError("values that lie in several files are no single array without a copy")
        return np.concatenate(self._parts).astype(dtype or self.dtype, copy=False)
