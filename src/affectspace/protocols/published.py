"""The split that a corpus was published with, and whole corpora that are only tested beside it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from affectspace.errors import InputError
from affectspace.protocols.groups import SPLIT_BY, column_of, groups_of, item_name, legal, number_groups
from affectspace.protocols.split import Split
from affectspace.protocols.splits import choose_groups, strata_of

__all__ = ["published"]

PUBLISHED = ("train", "validate", "test")  # what the column may say


def published(
    items: pd.DataFrame,
    validate_share: float = 0.1,
    validate_by: str = "speaker",
    seed: int = 0,
    labels: ArrayLike | None = None,
    keep_identical: bool = False,
    unseen: Sequence[str] = (),
) -> Split:
    """Train, validate and test as the column ``split`` says, but for what would be tested on what was trained on.

    Some published splits have identical recordings or pictures in two parts. Of these the one that is tested stays,
    and so does one that validates rather than one that trains; the others are put aside, in no part, and the split's
    name tells how many they are.

    Corpora named as ``unseen`` are tested whole, apart from the others, whatever their column says: ``Split.unseen``
    has their items. What is identical to one of them is put aside likewise.

    A corpus that publishes no items to validate on gives a share of those to train on, by whole groups, as
    :func:`affectspace.protocols.cross_corpus` takes them.

    Args:
        items: with the columns ``id``, ``corpus``, ``split`` (train, validate, test) and ``validate_by``.
        validate_share: of the training items, where none are published for validation; 0: nothing validates.
        validate_by: the group that this share takes whole: ``"speaker"``, ``"session"``, ``"script"`` or ``"item"``.
        seed: which random choices are tried.
        labels: one a row of ``items`` (any hashable), to keep classes in proportion.
        keep_identical: whether identical media stay on both sides, which is a leak of the kind ``"audio"``.
        unseen: names of corpora.

    Raises:
        InputError: items whose split is none of the three, none to train on (but what is tested or validates, too) or
            none to test on; an unseen corpus that there is not, or without items.

    Example:
        >>> items = pd.DataFrame({"id": list("1234"), "corpus": "a", "speaker": list("wxyz"),
        ...                       "split": ["train", "train", "validate", "test"]})
        >>> published(items).sizes
        {'train': 2, 'validate': 1, 'test': 1}
        >>> published(items.assign(audio_sha=list("abcb"))).name
        'published split, without 1 training item identical to others'
        >>> two = items.assign(corpus=["a", "a", "a", "b"], split=["train", "train", "test", pd.NA])
        >>> split = published(two, validate_share=0, unseen=["b"])
        >>> split.name, split.unseen
        ('published split; unseen: b', array([3]))
    """
    legal(validate_by, SPLIT_BY, "group to validate by,")
    if not 0 <= validate_share < 1:
        raise InputError(f"validate_share is {validate_share}; give a share from 0 to below 1, such as 0.1")
    parts = column_of(items, "split").str.strip().str.lower()
    corpora = column_of(items, "corpus").fillna("")
    for corpus in unseen:
        legal(corpus, sorted(corpora.unique()), "corpus to keep unseen,")
    apart = corpora.isin(unseen).to_numpy(bool)
    parts = parts.mask(apart, "unseen")
    strange = np.flatnonzero(~parts.isin([*PUBLISHED, "unseen"]).to_numpy(bool, na_value=False))
    if len(strange):
        row = int(strange[0])
        says = "no split" if pd.isna(parts.iloc[row]) else f"the split {column_of(items, 'split').iloc[row]!r}"
        raise InputError(
            f"{len(strange)} of {len(items)} items belong to none of {', '.join(PUBLISHED)}, such as "
            f"{item_name(items, row)} with {says}; fill the column split, or choose another protocol"
        )
    train, validate, test = (np.flatnonzero((parts == part).to_numpy(bool)) for part in PUBLISHED)
    for rows, what in ((train, "train"), (test, "test")):
        if not len(rows):
            raise InputError(f"no item is published with the split {what!r}; fill the column split, or choose another")
    others = np.flatnonzero(apart)
    name = "published split"
    if not keep_identical:
        media = groups_of(items, "audio")
        kept_validate = validate[_unlike(media, validate, np.concatenate([test, others]))]
        kept_train = train[_unlike(media, train, np.concatenate([test, others, validate]))]
        name += _told(len(train) - len(kept_train), len(validate) - len(kept_validate))
        train, validate = kept_train, kept_validate
        if not len(train):
            raise InputError("every training item is identical to one that is tested or validates; nothing is left")
    if len(others):
        name += f"; unseen: {', '.join(dict.fromkeys(unseen))}"
    if len(validate) or not validate_share:
        return Split(name, train, validate, test, unseen=others)
    codes, groups = number_groups(items, validate_by, train, "validate_by")
    if len(groups) < 2:
        raise InputError(
            f"all training items are of one {validate_by}, {groups[0]!r}, so none can be kept for validation; "
            "validate by another group, or set validate_share = 0"
        )
    chosen = np.isin(codes, choose_groups(codes, len(groups), strata_of(labels, items, train), validate_share, [seed]))
    return Split(name, train[~chosen], train[chosen], test, unseen=others)


def _unlike(media: pd.Series, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each of ``rows`` has other media than all of ``others``; what has none is like nothing."""
    return ~media.iloc[rows].isin(media.iloc[others].dropna()).to_numpy(bool)


def _told(train: int, validate: int) -> str:
    """What is put aside, for the split's name; nothing where nothing is."""
    counted = [f"{count:,} {what}" for count, what in ((train, "training"), (validate, "validation")) if count]
    several = "s" if train + validate > 1 else ""
    return f", without {' and '.join(counted)} item{several} identical to others" if counted else ""
