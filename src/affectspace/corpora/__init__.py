"""Media and ratings on disk as a :class:`Corpus`: a user's own table, or a corpus as it is published."""

import importlib
from typing import TYPE_CHECKING, Any

from affectspace.corpora.check import check
from affectspace.corpora.corpus import ITEM_COLUMNS, MEDIA_COLUMNS, RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.fault import PROBLEMS, Fault
from affectspace.corpora.ferplus_votes import ferplus_votes
from affectspace.corpora.notes import notes
from affectspace.corpora.registry import ADAPTERS, open_corpus
from affectspace.corpora.utterances import odd_lengths

if TYPE_CHECKING:
    from affectspace.corpora.synthetic import Truth, make_synthetic, make_synthetic_world
    from affectspace.corpora.synthetic_multimodal import make_synthetic_multimodal

__all__ = [
    "ADAPTERS",
    "ITEM_COLUMNS",
    "MEDIA_COLUMNS",
    "PROBLEMS",
    "RATING_COLUMNS",
    "Card",
    "Corpus",
    "Fault",
    "Scale",
    "Truth",
    "check",
    "ferplus_votes",
    "make_synthetic",
    "make_synthetic_multimodal",
    "make_synthetic_world",
    "notes",
    "odd_lengths",
    "open_corpus",
]

SYNTHETIC = {
    "Truth": "synthetic",
    "make_synthetic": "synthetic",
    "make_synthetic_multimodal": "synthetic_multimodal",
    "make_synthetic_world": "synthetic",
}


def __getattr__(name: str) -> Any:
    # Voices are made with scipy's filters, a fifth of the time that every other command would take to start.
    if name in SYNTHETIC:
        return getattr(importlib.import_module(f"affectspace.corpora.{SYNTHETIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
