"""Splits within a split's training items, on which settings are chosen without a look at the test items."""

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.protocols.groups import SPLIT_BY, legal, number_groups
from affectspace.protocols.split import Split

__all__ = ["inner_groups", "inner_split"]


def inner_groups(items: pd.DataFrame, split: Split, by: str = "speaker") -> list[str]:
    """The groups among a split's training and validation items, in the order of inner folds.

    Raises:
        InputError: items that name no group, or no such kind of group.
    """
    legal(by, SPLIT_BY, "group to leave out,")
    return number_groups(items, by, _known(split), "inner.by")[1]


def inner_split(items: pd.DataFrame, split: Split, by: str = "speaker", fold: int = 0) -> Split:
    """Validate on one group of a split's training items, train on the others, test nothing.

    The test items are put aside wholly, so that whatever is chosen by this split's validation figures
    has seen nothing of them (nested cross-validation). Items that validated in the outer split belong
    to the training items here.

    Args:
        items: with the columns ``id``, ``corpus`` and ``by``.
        split: the outer split.
        by: ``"speaker"``, ``"session"``, ``"script"``, ``"item"`` or ``"language"``.
        fold: which of :func:`inner_groups` validates, from 0.

    Raises:
        InputError: fewer than two groups to train and validate on, or a fold that is none of them.

    Source: Stone, "Cross-validatory choice and assessment of statistical predictions", 1974.

    Example:
        >>> items = pd.DataFrame({"id": list("1234"), "corpus": "a", "session": ["s1", "s2", "s3", "s3"]})
        >>> outer = Split("leave s1 out", train=[1, 2, 3], validate=[], test=[0])
        >>> inner = inner_split(items, outer, "session", fold=0)
        >>> inner.train, inner.validate, inner.test
        (array([2, 3]), array([1]), array([], dtype=int64))
    """
    legal(by, SPLIT_BY, "group to leave out,")
    rows = _known(split)
    codes, groups = number_groups(items, by, rows, "inner.by")
    if len(groups) < 2:
        raise InputError(
            f"the training items of split {split.name!r} are all of {by} {groups[0]!r}; "
            f"leaving one {by} out needs at least two"
        )
    if not 0 <= fold < len(groups):
        raise InputError(
            f"inner fold is {fold}; the training items of split {split.name!r} have {len(groups)} {by}s, "
            f"so legal are 0..{len(groups) - 1}"
        )
    held = codes == fold
    name = f"{split.name}, within: leave one {by} out: {groups[fold]}"
    return Split(
        name,
        rows[~held],
        rows[held],
        rows[:0],
        keeps_apart=tuple(dict.fromkeys((*split.keeps_apart, by))),
        allowed=split.allowed,
    )


def _known(split: Split) -> np.ndarray:
    return np.union1d(split.train, split.validate)
