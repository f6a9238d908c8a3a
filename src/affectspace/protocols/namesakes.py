"""Speakers who are tested and bear a name that speakers of other corpora, trained on, bear: perhaps the same people."""

from typing import Any

import pandas as pd

from affectspace.protocols.groups import column_of

__all__ = ["namesakes"]


def namesakes(
    known: pd.DataFrame, tested: pd.DataFrame, unlabelled: pd.DataFrame | None = None
) -> list[dict[str, Any]]:
    """How many speakers of each corpus that is only tested bear the name of one of each corpus that trains.

    Of a corpus that trains without labels alone, that is told for every other corpus, of which some may train, too.

    A speaker is ``corpus/name`` to :func:`affectspace.protocols.audit`, since names such as "1" or "F" stand in many
    corpora that have nothing in common; so it cannot see one person who took part in two.

    Args:
        known: the items that train or validate, of which ``corpus`` and ``speaker`` are read.
        tested: those that are tested; corpora that are among the known ones are kept apart by the split, and left out.
        unlabelled: those that train without a label.

    Returns:
        ``corpus``, that is tested, ``train``, that trains, ``speakers`` of common names, ``of`` how many the tested one
        has, and an ``example``; none where no name is shared.

    Example:
        >>> items = pd.DataFrame({"corpus": ["a", "a", "b", "b"], "speaker": ["S1", "S2", "S2", "S3"]})
        >>> namesakes(items[:2], items[2:])
        [{'corpus': 'b', 'train': 'a', 'speakers': 1, 'of': 2, 'example': 'S2'}]
        >>> namesakes(items[:1], items[1:2], unlabelled=items[2:])
        [{'corpus': 'a', 'train': 'b', 'speakers': 1, 'of': 1, 'example': 'S2'}]
    """
    taught, apart = _speakers(known), _speakers(tested)
    silent = {} if unlabelled is None else _speakers(unlabelled)
    trained = {corpus: taught.get(corpus, set()) | silent.get(corpus, set()) for corpus in sorted({**taught, **silent})}
    return [
        {"corpus": corpus, "train": other, "speakers": len(both), "of": len(names), "example": min(both)}
        for corpus, names in apart.items()
        for other, others in trained.items()
        if other != corpus and not {corpus, other} <= taught.keys() and (both := names & others)
    ]


def _speakers(items: pd.DataFrame) -> dict[str, set[str]]:
    """The names of each corpus's speakers."""
    corpus, names = column_of(items, "corpus"), column_of(items, "speaker").str.strip()
    there = names.notna() & (names != "")
    return {str(key): set(names[there & (corpus == key)]) for key in sorted(corpus.dropna().unique())}
