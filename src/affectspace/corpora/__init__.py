"""Media and ratings on disk as a :class:`Corpus`: a user's own table, or a corpus as it is published."""

from typing import TYPE_CHECKING

from affectspace.corpora.check import check
from affectspace.corpora.corpus import ITEM_COLUMNS, MEDIA_COLUMNS, RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.fault import PROBLEMS, Fault
from affectspace.corpora.ferplus_votes import ferplus_votes
from affectspace.corpora.notes import notes
from affectspace.corpora.registry import ADAPTERS, open_corpus
from affectspace.corpora.utterances import odd_lengths
from affectspace.on_demand import on_demand

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

# Voices are made with scipy's filters, a fifth of the time that every other command would take to start.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "Truth": ".synthetic",
        "make_synthetic": ".synthetic",
        "make_synthetic_multimodal": ".synthetic_multimodal",
        "make_synthetic_world": ".synthetic",
    },
)
