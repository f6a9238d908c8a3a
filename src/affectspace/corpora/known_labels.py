"""All that a label of a corpus may be called."""

from collections.abc import Iterable

from affectspace.corpora.corpus import Corpus
from affectspace.labels.naming import led

__all__ = ["known_labels"]


def known_labels(corpus: Corpus, told: Iterable[str] = ()) -> list[str]:
    """What labels of a corpus may be: its items' own, what its map makes of them, raters' votes, and what others tell.

    Args:
        corpus: whose items and ratings.
        told: labels that others have seen, such as a model's classes.

    Example:
        >>> from pathlib import Path
        >>> import pandas as pd
        >>> from affectspace.corpora.corpus import Card, make_items, make_ratings
        >>> card = Card("toy", label_map={"Wut": "angry"})
        >>> items = make_items(pd.DataFrame({"id": ["a", "b"], "label": ["Wut", "sad"]}), card)
        >>> known_labels(Corpus(Path(), items, make_ratings(None), card), ["happy"])
        ['angry', 'Wut', 'sad', 'happy']
    """
    own = [str(label) for label in corpus.items["label"].dropna().unique()]
    voted = corpus.ratings[~corpus.ratings["dimension"].isin(list(corpus.card.scales))]["value"].dropna().unique()
    mapped = [led(label, corpus.card.label_map) for label in own]
    return [*dict.fromkeys(filter(None, [*mapped, *own, *map(str, voted), *sorted(told)]))]
