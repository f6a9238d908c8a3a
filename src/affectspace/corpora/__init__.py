"""Media and ratings on disk as a :class:`Corpus`: a user's own table, or a corpus as it is published."""

from affectspace.corpora.corpus import ITEM_COLUMNS, MEDIA_COLUMNS, RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.registry import ADAPTERS, open_corpus

__all__ = [
    "ADAPTERS",
    "ITEM_COLUMNS",
    "MEDIA_COLUMNS",
    "RATING_COLUMNS",
    "Card",
    "Corpus",
    "Scale",
    "open_corpus",
]
