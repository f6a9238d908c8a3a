"""What a large collection holds, in a few items: groups by a mixture of Gaussians, and those that stand for them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.space.medoids import distances
from affectspace.space.mixture import Covariance, grouped
from affectspace.space.space import Space

__all__ = ["Summary", "summarise"]

ALIKE = 0.05  # two items nearer than this share of the collection's radius are shown once


@dataclass(frozen=True)
class Summary:
    """The items that stand for a collection.

    Args:
        table: one row an item that is shown: ``group`` (from 0, the largest first), ``rank`` in it (from 0), ``id``,
            ``row`` of the space, ``medoid`` (whether it leads its group), ``size`` (items of the group).
        assignment: ``(items,)`` int64, the group of each item.
        coverage: at most 1, the share of the collection's variance that stays when every item is replaced by the
            medoid of its group; 1 where every item equals it.
    """

    table: pd.DataFrame
    assignment: np.ndarray
    coverage: float


def summarise(
    space: Space, groups: int = 40, per_group: int = 5, seed: int = 0, covariance: Covariance = "full"
) -> Summary:
    """Group a collection by EM, and show of each group the medoid and the items nearest to it.

    An item that lies within a twentieth of the collection's radius (root mean square distance to its mean) of one
    already shown, in whatever group, is passed over: the next picture of a burst tells nothing new. A group that
    holds nothing else is left out of the table.

    Args:
        space: the collection; labels play no part.
        groups: how many, 40 in the literature; fewer where there are fewer different items.
        per_group: how many items to show of each at most.
        seed: of the starts of EM; the same gives the same summary.
        covariance: as for :func:`~affectspace.space.mixture.grouped`, which says what is done with few items.

    Raises:
        InputError: ``groups`` or ``per_group`` is less than 1.

    Example:
        >>> rows = np.arange(30)
        >>> items = pd.DataFrame({"id": rows.astype(str)})
        >>> vectors = np.stack([np.minimum(rows // 10, 1) * 10 + rows % 10 / 5, rows % 3], 1)
        >>> found = summarise(Space(items, vectors, ()), groups=2, per_group=2)
        >>> found.table[["group", "rank", "id", "medoid", "size"]].values.tolist()
        [[0, 0, '25', True, 20], [0, 1, '13', False, 20], [1, 0, '4', True, 10], [1, 1, '7', False, 10]]
        >>> round(found.coverage, 2)
        0.96
    """
    for name, value in (("groups", groups), ("per_group", per_group)):
        if value < 1:
            raise InputError(f"{name} is {value}; a summary needs at least 1")
    vectors = space.vectors
    assignment = grouped(vectors, groups, seed, covariance)
    mean = vectors.mean(0, dtype=np.float64)
    radius = float(np.sqrt(np.mean(distances(vectors, mean) ** 2)))
    table, kept, shown = [], 0.0, np.empty((0, vectors.shape[1]))
    for group in range(assignment.max() + 1):
        rows = np.flatnonzero(assignment == group)
        own = vectors[rows].astype(np.float64)
        medoid = int(distances(own, own.mean(0)).argmin())
        away = distances(own, own[medoid])
        kept += float((away**2).sum())
        rank = 0
        for place in np.argsort(away, kind="stable"):
            if rank == per_group:
                break
            if len(shown) and distances(shown, own[place]).min() <= ALIKE * radius:
                continue
            shown = np.vstack([shown, own[place]])
            table.append((group, rank, space.items["id"].iloc[rows[place]], int(rows[place]), rank == 0, len(rows)))
            rank += 1
    coverage = 1 - kept / (len(vectors) * radius**2) if radius > 0 else 1.0
    columns = ["group", "rank", "id", "row", "medoid", "size"]
    return Summary(pd.DataFrame(table, columns=columns), assignment, coverage)
