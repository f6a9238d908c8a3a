"""The items of corpora, with what tells whether their recordings are copies of each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectspace.corpora import Corpus
from affectspace.corpora.check_files import missing_file
from affectspace.features import AudioFingerprint
from affectspace.labels.naming import meaning
from affectspace.training.near_audio import near_audio
from affectspace.training.read_modality import extract

__all__ = ["Heard", "hear", "own_items"]


@dataclass(frozen=True)
class Heard:
    """The items of corpora, one behind the other.

    Args:
        items: as :func:`own_items`, with the columns ``audio_sha`` and ``near_audio``.
        recordings: how many items name one.
        without_fingerprint: how many of these were heard, and have too little sound to be told from others.
        unheard: ``id`` (corpus/id) and ``reason`` of those that cannot be heard.
        nameless: how many items are left out, as they have no id or that of another.
    """

    items: pd.DataFrame
    recordings: int
    without_fingerprint: int
    unheard: list[dict[str, str]]
    nameless: int


def own_items(corpora: Sequence[Corpus]) -> pd.DataFrame:
    """The items that have an id of their own, of all corpora one behind the other.

    Labels are by the maps of the corpora and in one spelling, so that what two call *Freude* and *happiness* is one.
    """
    return pd.concat([_own(corpus) for corpus in corpora], ignore_index=True)


def hear(corpora: Sequence[Corpus], *, quiet: bool = False) -> Heard:
    """Read every recording of some corpora, or what is kept of it from before.

    Raises:
        InputError: a corpus has recordings, and none of them can be read.
    """
    tables, fingerprints, unheard, nameless = [], [], [], 0
    for corpus in corpora:
        items = _own(corpus)
        nameless += len(corpus) - len(items)
        named = np.flatnonzero(items["audio"].notna())
        missing = {int(row): fault for row in named if (fault := missing_file(corpus.root, items["audio"].iloc[row]))}
        rows = [int(row) for row in named if row not in missing]
        reasons = {items["id"].iloc[row]: message for row, (_, message) in missing.items()}
        made: list[np.ndarray | None] = [None] * len(items)
        shas = np.full(len(items), None, dtype=object)
        if rows:
            features, ids = extract(corpus, items.iloc[rows], AudioFingerprint(), quiet)
            held = {item: place for place, item in enumerate(features.ids)}
            for row, item in zip(rows, ids):
                if item in held:
                    made[row], shas[row] = features[held[item]], features.audio_sha[held[item]]
            reasons |= dict(features.quarantine[["id", "reason"]].itertuples(index=False))
        unheard += [{"id": f"{corpus.name}/{item}", "reason": str(reason)} for item, reason in reasons.items()]
        tables.append(items.assign(audio_sha=shas))
        fingerprints += made
    items = pd.concat(tables, ignore_index=True)
    items["near_audio"] = near_audio(items, fingerprints)
    there = items["audio"].notna()
    without = there & items["audio_sha"].notna() & items["near_audio"].isna()
    return Heard(items, int(there.sum()), int(without.sum()), unheard, nameless)


def _own(corpus: Corpus) -> pd.DataFrame:
    ids = corpus.items["id"]
    own = corpus.items[ids.notna() & ~ids.duplicated()].reset_index(drop=True)
    labels = own["label"].astype("string")
    return own.assign(label=labels.map(lambda label: meaning(label, corpus.card.label_map), na_action="ignore"))
