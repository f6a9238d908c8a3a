"""A corpus: the items, every rater's judgements, and a card that says where they come from."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from affectspace.corpora.fault import Fault
from affectspace.errors import InputError
from affectspace.tables import empty_cells

__all__ = [
    "IDENTIFIERS",
    "ITEM_COLUMNS",
    "MEDIA_COLUMNS",
    "RATING_COLUMNS",
    "Card",
    "Corpus",
    "Scale",
    "spoken_words",
    "unlabelled",
    "video_times",
]

ITEM_COLUMNS = (
    "id",  # unique within the corpus
    "corpus",
    "language",  # ISO 639-1
    "speaker",
    "session",
    "split",  # the corpus's own train / validate / test, where it has one
    "script",  # which sentence is spoken; two items with one script say the same words
    "audio",  # path relative to the root
    "image",  # path relative to the root, or a row of a table there: faces.parquet#17
    "video",  # path relative to the root
    "text",  # the words themselves
    "start",  # seconds within the audio file; missing: from its beginning
    "end",  # seconds within the audio file; missing: to its end
    "video_start",  # seconds within the video, where it is cut otherwise than the sound; see video_times
    "video_end",
    "label",  # the corpus's own label
)
MEDIA_COLUMNS = ("audio", "image", "video", "text")
IDENTIFIERS = ("id", "speaker", "session", "script")  # what several columns of theirs may name together
SECONDS = ("start", "end", "video_start", "video_end")
RATING_COLUMNS = ("item", "rater", "dimension", "value")
# minutes that follow hours are below 60, as seconds are; minutes alone may be any number
_CLOCK = r"^(?:(?P<hours>\d+):(?=[0-5]?\d:))?(?P<minutes>\d+):(?P<seconds>[0-5]?\d(?:\.\d+)?)$"


@dataclass(frozen=True)
class Scale:
    """The ends of a numeric rating scale, ``low < high``; 1 and 5 for a five-point scale."""

    low: float
    high: float

    def __post_init__(self):
        if not -math.inf < self.low < self.high < math.inf:
            raise InputError(f"a scale runs from {self.low} to {self.high}; low must be less than high, both finite")


@dataclass(frozen=True)
class Card:
    """Where a corpus comes from and how its labels read.

    Args:
        name: the corpus's short name, used in every table and protocol.
        licence: as its owners state it.
        citation: what to cite.
        language: ISO 639-1, for items that name none.
        scales: numeric rating dimensions and their ends; a dimension not listed is categorical.
        label_map: own label -> shared label; ``""`` leaves items with that label out.
        note: anything a reader of results must know, such as a known confounding.
        features: columns of the items that are what is known of them, numbers instead of media.
    """

    name: str
    licence: str = ""
    citation: str = ""
    language: str = ""
    scales: dict[str, Scale] = field(default_factory=dict)
    label_map: dict[str, str] = field(default_factory=dict)
    note: str = ""
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Two tables and a card.

    Args:
        root: the folder that media paths are relative to.
        items: one row an item, the columns of ``ITEM_COLUMNS`` first (strings, ``start`` and
            ``end`` and those of the video floats; what is not known is missing), then any others the source has.
        ratings: one row a judgement, the columns of ``RATING_COLUMNS`` (all strings; ``value`` is
            a category, or a number in text for a dimension in ``card.scales``). A published mean
            counts as one judgement by the rater ``"mean"``. An unknown rater is missing.
        card: licence, citation, scales, label map.
        miscounted: cells of columns that count votes and hold no count; of their rows there are no ratings.
    """

    root: Path
    items: pd.DataFrame
    ratings: pd.DataFrame
    card: Card
    miscounted: tuple[Fault, ...] = ()

    @property
    def name(self) -> str:
        return self.card.name

    def __len__(self) -> int:
        return len(self.items)


def unlabelled(corpus: Corpus) -> pd.Series:
    """Which items have neither a label nor a rating, bool; a label that is a number on a scale may also be NaN."""
    labels = corpus.items["label"]
    none = empty_cells(labels) if "label" in corpus.card.scales else labels.isna()
    rated = {*corpus.ratings["item"].dropna().unique(), *(fault.item for fault in corpus.miscounted)}
    return none & ~corpus.items["id"].isin(list(rated))


def video_times(items: pd.DataFrame) -> pd.DataFrame:
    """Which part of its video each item is.

    Args:
        items: with ``start``, ``end``, ``video_start`` and ``video_end`` in seconds, as a corpus has them.

    Returns:
        ``start`` and ``end`` in seconds, indexed as the items: those of the video where at least one of them is given,
        else those of the sound. A missing start is the video's beginning, a missing end its end.

    Example:
        >>> items = pd.DataFrame({"start": [1.0, 1.0], "end": [2.0, 2.0], "video_start": [7.5, None]})
        >>> video_times(items.assign(video_end=[None, None])).values.tolist()
        [[7.5, None], [1.0, 2.0]]
    """
    own = items["video_start"].notna() | items["video_end"].notna()
    chosen = {end: items[f"video_{end}"].where(own, items[end]) for end in ("start", "end")}
    return pd.DataFrame(chosen).astype(object).where(lambda cells: cells.notna(), None)


def make_items(rows: pd.DataFrame, card: Card) -> pd.DataFrame:
    """``rows`` with every column of ``ITEM_COLUMNS``, in order and of its type, other columns after them.

    ``corpus`` and ``language`` are filled from the card where they are missing, and blanks around a language are no
    part of its name, by which it is known from here on; a missing ``script`` is the item's text, lower-cased and
    without punctuation, since two items with the same words share a script.
    """
    items = rows.reset_index(drop=True).copy()
    for column in ITEM_COLUMNS:
        if column not in items:
            items[column] = pd.NA
        items[column] = items[column].astype("string")
        if column in SECONDS:
            items[column] = _seconds(items[column], card)
    items["corpus"] = items["corpus"].fillna(card.name)
    language = items["language"].str.strip()
    items["language"] = language.mask(language == "").fillna(card.language.strip() or pd.NA)
    items["script"] = items["script"].fillna(spoken_words(items["text"]))
    others = [column for column in items if column not in ITEM_COLUMNS]
    return items[[*ITEM_COLUMNS, *others]]


def spoken_words(text: pd.Series) -> pd.Series:
    """Texts in lower case, without punctuation and extra space; missing where nothing is left.

    Example:
        >>> spoken_words(pd.Series(["Oh,  no!", "..."], dtype="string")).tolist()
        ['oh no', <NA>]
    """
    bare = text.str.lower().str.replace(r"[^\w\s]", "", regex=True).str.split().str.join(" ").astype("string")
    return bare.mask(bare == "")


def _seconds(cells: pd.Series, card: Card) -> pd.Series:
    seconds = pd.to_numeric(cells, errors="coerce").astype("Float64")
    if not (seconds.isna() & cells.notna()).any():
        return seconds
    clock = cells.str.replace(",", ".").str.extract(_CLOCK).astype("Float64")
    seconds = seconds.fillna(clock["hours"].fillna(0) * 3600 + clock["minutes"] * 60 + clock["seconds"])
    wrong = seconds.isna() & cells.notna() & cells.str.lower().ne("nan")
    if wrong.any():
        row = int(wrong.to_numpy(bool, na_value=False).argmax())
        raise InputError(
            f"row {row + 1} of corpus {card.name!r}: {cells.name} is {cells.iloc[row]!r}; give seconds, such as 1.5, "
            "or a time such as 00:01:02,500 or 75:30, with seconds, and minutes after hours, below 60"
        )
    return seconds


def make_ratings(rows: pd.DataFrame | None) -> pd.DataFrame:
    """``rows`` as a table of ``RATING_COLUMNS``, all strings; empty when there are none."""
    if rows is None:
        rows = pd.DataFrame(columns=list(RATING_COLUMNS))
    missing = [column for column in RATING_COLUMNS if column not in rows]
    if missing:
        raise InputError(
            f"the ratings lack {', '.join(missing)}; their columns are {', '.join(RATING_COLUMNS)}, one row a judgement"
        )
    return rows[list(RATING_COLUMNS)].astype("string").reset_index(drop=True)
