"""What every index of vectors does, on one machine or on many: three methods."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from affectspace.space.engines.manifest import Manifest

__all__ = ["Found", "Index"]


class Found(NamedTuple):
    """What a search has found.

    Args:
        distances: Euclidean, ``(q, k)`` float32, the nearest first; infinite where there are fewer than k.
        ids: ``(q, k)`` of str, None where there are fewer.
        searched: how many items met the conditions; None where an engine would have to go through them all to say so.
    """

    distances: np.ndarray
    ids: np.ndarray
    searched: int | None


class Index(Protocol):
    """Items that are kept and searched by an engine. Distances are Euclidean."""

    @property
    def manifest(self) -> Manifest:
        """What the index is."""
        ...

    def add(self, table: pa.Table) -> None:
        """Keep items; they outlive this process, however it ends, once this has returned.

        An item whose id is there already takes the other's place: what was added twice is there once, so that whoever
        does not know whether it was added, as its process was killed, adds it again.

        Args:
            table: columns ``id`` and ``vector``, and any of those of the index; one that is not given is missing.

        Raises:
            InputError: ids that are missing or occur twice, vectors of other dimensions or not finite, a column that
                the index has not, or values that cannot be of its kind.
        """
        ...

    def search(self, vectors: ArrayLike, k: int, where: Sequence[str] = ()) -> Found:
        """The k items nearest to each vector.

        Args:
            vectors: ``(q, dimensions)``, finite.
            k: at least 1.
            where: conditions that those found shall meet; see :mod:`affectspace.space.conditions`.

        Raises:
            InputError: a condition on a column or a value that there is not, or that nobody meets, or vectors of
                other dimensions.
            ValueError: values that are not finite, or k below 1.
        """
        ...

    def get(self, ids: Sequence[str]) -> pa.Table:
        """The items of these ids that are there, with their ``vector``, in the order of the ids."""
        ...

    def compact(self) -> None:
        """Bring what was added into the form that is searched quickest; nothing is found then that was not before."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
