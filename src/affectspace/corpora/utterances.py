"""Recordings that are too short or too long for one utterance: features are made of them, but mean little."""

import numpy as np
import pandas as pd

from affectspace.corpora.corpus import Corpus
from affectspace.errors import AffectspaceError
from affectspace.files import inside
from affectspace.media import audio_info
from affectspace.media.audio import LONGEST, SHORTEST

__all__ = ["odd_lengths"]


def odd_lengths(corpus: Corpus) -> list[str]:
    """A sentence each on items of less than 0.3 s of sound, and of more than a minute; headers alone are read.

    Recordings that cannot be opened are faults, of which :func:`affectspace.corpora.check` tells.
    """
    seconds = _seconds(corpus)
    ids = corpus.items["id"].astype("string").fillna("")
    told = []
    for odd, which, why, remedy in (
        (seconds < SHORTEST, f"less than {SHORTEST:g} s", "holds hardly a syllable", "leave it out"),
        (seconds > LONGEST, f"more than {LONGEST:g} s", "holds many utterances", "cut it by the columns start and end"),
    ):
        if count := int(odd.sum()):
            first = int(np.flatnonzero(odd)[0])
            items = "1 item has" if count == 1 else f"{count:,} items have"
            told.append(
                f"{items} {which} of sound, such as {ids.iloc[first]} ({seconds[first]:.3g} s), which {why}: training "
                f"uses such a recording where its features can be made, and affectspace predict refuses it; {remedy}"
            )
    return told


def _seconds(corpus: Corpus) -> np.ndarray:
    """``(items,)`` seconds of sound, NaN where none can be told."""
    items, known = corpus.items, {}
    found = np.full(len(items), np.nan)
    for row, (audio, start, end) in enumerate(zip(items["audio"], items["start"], items["end"])):
        if pd.isna(audio):
            continue
        if pd.isna(end):
            if audio not in known:
                try:
                    known[audio] = audio_info(inside(corpus.root, str(audio))).seconds
                except AffectspaceError:
                    known[audio] = np.nan
            end = known[audio]
        found[row] = end - (0.0 if pd.isna(start) else start)
    return np.where(found > 0, found, np.nan)  # one that ends before it begins is a fault, of which check tells
