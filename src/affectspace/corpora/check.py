"""Every fault of a corpus, each with its row, so that people can mend their data before they train."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from affectspace.corpora.check_media import media_faults
from affectspace.corpora.corpus import MEDIA_COLUMNS, Corpus, Scale
from affectspace.corpora.fault import Fault
from affectspace.tables import empty_cells

__all__ = ["check"]


def check(corpus: Corpus, read_media: bool = True) -> list[Fault]:
    """Every fault of a corpus: nothing stops at the first one. No fault is an empty list.

    An item without a label is none, as it can be trained on and embedded all the same:
    :func:`~affectspace.corpora.notes` counts such items.

    Args:
        corpus: what :func:`~affectspace.corpora.open_corpus` gives.
        read_media: decode every recording and image, to find what is unreadable, silent, blank or
            identical, and of every video the first and the last picture, where PyAV is installed. Without it
            only tables and the existence of files are looked at.

    Returns:
        Faults of the items by row, then those of the ratings by row.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from affectspace.corpora import open_corpus
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "items.csv").write_text("id,audio,label\\na,a.wav,happy\\na,,sad\\n")
        >>> for fault in check(open_corpus(folder)):
        ...     print(fault.row, fault.problem, fault.message)
        1 missing-file there is no file a.wav below the corpus's folder; restore it or remove the row
        2 duplicate-id 'a' is also the id of row 1; ids must be unique
        2 no-media the item has neither audio nor image nor video nor text
    """
    faults = [*_ids(corpus.items), *_content(corpus), *_labels(corpus), *media_faults(corpus, read_media)]
    counts = {of_ratings: [] for of_ratings in (False, True)}
    for fault in corpus.miscounted:
        counts[fault.column.startswith("ratings.")].append(fault)
    ratings = [*counts[True], *_ratings(corpus)]
    return sorted([*faults, *counts[False]], key=lambda f: f.row) + sorted(ratings, key=lambda f: f.row)


def _ids(items: pd.DataFrame) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for row, name in enumerate(items["id"], start=1):
        if pd.isna(name):
            yield Fault(row, "", "id", "", "missing-id", "the item has no id; give it one of its own")
        elif name in first:
            message = f"{name!r} is also the id of row {first[name]}; ids must be unique"
            yield Fault(row, name, "id", name, "duplicate-id", message)
        else:
            first[name] = row


def _content(corpus: Corpus) -> Iterator[Fault]:
    items = corpus.items
    no_media = items[list(MEDIA_COLUMNS)].isna().all(axis=1)
    if corpus.card.features:
        no_media &= items[list(corpus.card.features)].isna().all(axis=1)
    for at in np.flatnonzero(no_media):
        name = items["id"].iloc[at]
        message = "the item has neither audio nor image nor video nor text"
        yield Fault(int(at) + 1, "" if pd.isna(name) else name, "audio", "", "no-media", message)


def _labels(corpus: Corpus) -> Iterator[Fault]:
    """Labels that are numbers, such as ages, off the scale that corpus.toml declares for them.

    They are the items' own label, or another column that training can read as one, as nobody rates its dimension.
    """
    rated = set(corpus.ratings["dimension"].dropna())
    for column, scale in corpus.card.scales.items():
        if column == "label" or (column in corpus.items and column not in rated):
            yield from _column(corpus.items, column, scale)
    if "label" not in corpus.card.scales:
        yield from _infinite(corpus.items)


def _infinite(items: pd.DataFrame) -> Iterator[Fault]:
    """Labels that would end every range; where most labels are no numbers, "inf" may be the name of a class."""
    cells = items["label"].astype("string")
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    if numbers.notna().sum() <= cells.notna().sum() / 2:
        return
    for at in np.flatnonzero(np.isinf(numbers)):
        name, value = items["id"].iloc[at], cells.iloc[at]
        message = f"the label is {value!r}, and levels are cut of finite numbers; correct it or leave it empty"
        yield Fault(int(at) + 1, "" if pd.isna(name) else name, "label", value, "infinite", message)


def _column(items: pd.DataFrame, column: str, scale: Scale) -> Iterator[Fault]:
    cells = items[column].astype("string")
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    legal = f"{'labels run' if column == 'label' else f'{column} runs'} from {scale.low:g} to {scale.high:g}"
    for at in np.flatnonzero(~empty_cells(cells) & ~numbers.between(scale.low, scale.high)):
        name, value = items["id"].iloc[at], cells.iloc[at]
        problem = "not-a-number" if np.isnan(numbers.iloc[at]) else "off-scale"
        message = f"the {column} is {value!r}; {legal}"
        yield Fault(int(at) + 1, "" if pd.isna(name) else name, column, value, problem, message)


def _ratings(corpus: Corpus) -> Iterator[Fault]:
    ratings = corpus.ratings
    unknown = ~ratings["item"].isin(corpus.items["id"].dropna())
    for at in np.flatnonzero(unknown):
        item = ratings["item"].iloc[at]
        name = "" if pd.isna(item) else item
        message = (
            f"{name!r} is not in the table of items; add the item or remove the rating" if name else "names no item"
        )
        yield Fault(int(at) + 1, name, "ratings.item", name, "unknown-item", message)
    for at in np.flatnonzero(ratings["value"].isna()):
        item, dimension = ratings["item"].iloc[at], ratings["dimension"].iloc[at]
        message = f"a rating of {dimension} has no value; remove it"
        yield Fault(int(at) + 1, "" if pd.isna(item) else item, "ratings.value", "", "missing-value", message)
    yield from _repeated(corpus)
    for dimension, scale in corpus.card.scales.items():
        yield from _scale(ratings, dimension, scale)


def _repeated(corpus: Corpus) -> Iterator[Fault]:
    """A rater may name several categories for one item, but not one of them twice, nor two points of a scale."""
    ratings = corpus.ratings
    what = ratings["value"].mask(ratings["dimension"].isin(list(corpus.card.scales)).fillna(False), "a point")
    same = pd.DataFrame({**{column: ratings[column] for column in ("item", "rater", "dimension")}, "what": what})
    again = same.duplicated() & same.notna().all(axis=1)
    for at in np.flatnonzero(again):
        item, rater, dimension, value = ratings.iloc[at][["item", "rater", "dimension", "value"]]
        message = f"rater {rater} has rated {dimension} of {item!r} before; keep one of the two"
        yield Fault(int(at) + 1, item, "ratings.value", value, "repeated-rating", message)


def _scale(ratings: pd.DataFrame, dimension: str, scale: Scale) -> Iterator[Fault]:
    legal = f"{dimension} runs from {scale.low:g} to {scale.high:g}"
    votes = ratings[ratings["dimension"].eq(dimension).fillna(False) & ratings["value"].notna()]
    numbers = pd.to_numeric(votes["value"], errors="coerce").astype("float64")
    wrong = ~numbers.between(scale.low, scale.high)
    for at in np.flatnonzero(wrong.reindex(ratings.index, fill_value=False)):
        item, rater, value = (ratings[column].iloc[at] for column in ("item", "rater", "value"))
        who = "an unknown rater" if pd.isna(rater) else f"rater {rater}"
        problem = "not-a-number" if np.isnan(numbers[at]) else "off-scale"
        message = f"{who} gave {value!r}; {legal}"
        yield Fault(int(at) + 1, "" if pd.isna(item) else item, "ratings.value", value, problem, message)
