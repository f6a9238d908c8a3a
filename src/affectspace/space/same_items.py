"""Several spaces of the same items, row by row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.space.space import Space

__all__ = ["same_items"]


def same_items(spaces: Sequence[Space], names: Sequence[str]) -> list[Space]:
    """The spaces with the items that all of them hold, in the order of the first.

    Args:
        spaces: at least one.
        names: of the spaces, for the errors.

    Raises:
        InputError: no item is in all of them.

    Example:
        >>> spaces = [Space(pd.DataFrame({"id": list(ids)}), np.arange(3.0)[:, None], ()) for ids in ("abc", "cbz")]
        >>> [each.items["id"].tolist() for each in same_items(spaces, ["one", "other"])]
        [['b', 'c'], ['b', 'c']]
    """
    ids = spaces[0].items["id"]
    common = ids[np.logical_and.reduce([ids.isin(each.items["id"]) for each in spaces])]
    if not len(common):
        raise InputError(
            f"{names[0]} and the others share no item, so that nothing could be followed from map to map; embed the "
            "same items, or look at each by itself"
        )
    if all(len(each) == len(common) and (each.items["id"].to_numpy() == ids.to_numpy()).all() for each in spaces):
        return list(spaces)
    return [each.take(pd.Index(each.items["id"]).get_indexer(pd.Index(common))) for each in spaces]
