"""Recordings or pictures that stand for one another, in whatever corpora: what is identical or nearly so."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectspace.protocols.groups import column_of, groups_of

__all__ = ["CopyGroup", "copy_groups"]


@dataclass(frozen=True)
class CopyGroup:
    """Items of which each is a copy of another.

    Args:
        rows: of the items, two or more.
        identical: whether all are to the sample; else some are near-identical.
        differ: in which of corpus, speaker, session and label they do.
    """

    rows: np.ndarray
    identical: bool
    differ: tuple[str, ...]


def copy_groups(items: pd.DataFrame) -> list[CopyGroup]:
    """All groups of copies, by the columns ``audio_sha`` and ``near_audio``, in the order of their first items.

    Example:
        >>> items = pd.DataFrame({"id": list("1234"), "audio_sha": ["f", "g", "f", "h"], "speaker": list("xyxz"),
        ...                       "near_audio": ["1", "2", "1", "2"]})
        >>> [(group.rows.tolist(), group.identical, group.differ) for group in copy_groups(items)]
        [([0, 2], True, ()), ([1, 3], False, ('speaker',))]
    """
    codes = pd.factorize(groups_of(items.assign(id=np.arange(len(items))), "item"))[0]
    audio = groups_of(items, "audio")
    columns = {name: column_of(items, name) for name in ("corpus", "speaker", "session", "label")}
    found = []
    for code in np.flatnonzero(np.bincount(codes) > 1):
        rows = np.flatnonzero(codes == code)
        differ = tuple(name for name, cells in columns.items() if cells.iloc[rows].nunique(dropna=False) > 1)
        same = audio.iloc[rows]
        found.append(CopyGroup(rows, bool(same.notna().all() and same.nunique() == 1), differ))
    return found
