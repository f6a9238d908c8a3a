"""What is no fault of a corpus, but keeps people from what they may have in mind for it."""

import importlib.util
from collections.abc import Mapping

import numpy as np
import pandas as pd

from affectspace.corpora.check_files import missing_file
from affectspace.corpora.corpus import ITEM_COLUMNS, Corpus, unlabelled
from affectspace.corpora.layout import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS
from affectspace.labels.naming import led, meaning

__all__ = ["notes"]

_ENDINGS = {
    "audio": (AUDIO_ENDINGS, "recordings"),
    "image": (IMAGE_ENDINGS, "pictures"),
    "video": (VIDEO_ENDINGS, "videos"),
}


def notes(corpus: Corpus) -> list[str]:
    """A sentence for each thing that will be missed in training; none is an empty list.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from affectspace.corpora import open_corpus
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "items.csv").write_text("id,audio,label\\na,a.wav,happy\\nb,b.wav,sad\\nc,c.wav,sad\\n")
        >>> for note in notes(open_corpus(folder)):
        ...     print(note)
        no item names its speaker, so no split can keep speakers apart; add a column speaker
        label happy has a single item, which cannot be in training and in test
    """
    items, told = corpus.items, []
    if not len(items):
        return ["there are no items; the table has a header and nothing below it"]
    if corpus.card.note:
        told.append(corpus.card.note)
    if items["video"].notna().any() and importlib.util.find_spec("av") is None:
        told.append('videos are looked for and not opened, since PyAV is missing; pip install "affectspace[video]"')
    told += _unread_media(corpus)
    lacking = unlabelled(corpus).to_numpy(bool)
    if lacking.all():
        return [
            *told,
            f"no item (of {len(items)}) has a label or a rating: alone they are nothing to train on, but beside a "
            "labelled corpus a recipe with [unlabelled] trains on them (docs/multimodal.md), and all can be embedded; "
            f"if a column holds labels, {_where_labels_may_be(corpus)}",
        ]
    if lacking.any():
        told.append(_without_label(items, lacking))
    told += _without_rating(corpus)
    speakers = items["speaker"]
    shown = ' (the person who is shown), or split by = "item"' if items["audio"].isna().all() else ""
    if speakers.isna().all():
        told.append("no item names its speaker, so no split can keep speakers apart; add a column speaker" + shown)
    elif speakers.isna().any():
        first = items["id"][speakers.isna()].iloc[0]
        told.append(f"{speakers.isna().sum()} items name no speaker, such as {first}; fill the column speaker")
    elif speakers.nunique() == 1:
        told.append("there is one speaker, so nothing can be tested on another; add a corpus or recordings of others")
    counts = items["label"].value_counts()
    alike = _alike(counts)
    told += _spellings(alike, corpus.card.label_map)
    single = sorted(counts.index[counts == 1].difference([label for each in alike for label in each]))
    numbers = pd.to_numeric(pd.Series(counts.index), errors="coerce")
    if "label" not in corpus.card.scales and numbers.isna().any() and numbers.notna().mean() > 0.5:
        odd = [repr(label) for label in counts.index[numbers.isna().to_numpy()]][:3]
        told.append(
            f"most labels are numbers and {', '.join(odd)} not, so they cannot be cut into levels; correct them, leave "
            "them empty, or declare [scales.label] with low and high in corpus.toml, which sets them aside"
        )
    if single and numbers.notna().mean() <= 0.5:  # numbers are cut into levels
        others = f" (and {len(single) - 3} more labels)" if len(single) > 3 else ""
        several = "has a single item, which" if len(single) == 1 else "have a single item each, which"
        told.append(f"label {', '.join(map(_told, single[:3]))}{others} {several} cannot be in training and in test")
    ratings = corpus.ratings.dropna(subset=["dimension", "value"])
    for dimension, values in ratings.groupby("dimension")["value"]:
        numeric = pd.to_numeric(values, errors="coerce").notna().all()
        if numeric and str(dimension) not in corpus.card.scales:
            told.append(
                f"{dimension} is rated by numbers, but no scale is declared, so they are taken for names; "
                f"add [scales.{dimension}] with low and high to corpus.toml"
            )
    return told


def _without_label(items: pd.DataFrame, lacking: np.ndarray) -> str:
    first = int(lacking.argmax())
    name = items["id"].iloc[first]
    count, where = lacking.sum(), f"row {first + 1}" if pd.isna(name) else f"{name} in row {first + 1}"
    return (
        f"{count} of {len(items)} items {'has' if count == 1 else 'have'} neither a label nor a rating, "
        f"such as {where}; fill the column label if that is an oversight, else train on them with [unlabelled] "
        "(docs/multimodal.md) or embed them: other training leaves them out"
    )


def _told(label: str) -> str:
    """A label as it is, in quotes where blanks at its ends would be overlooked."""
    return label if label == label.strip() else repr(label)


def _alike(counts: pd.Series) -> list[dict[str, int]]:
    """Labels that differ only in capitals or in blanks at their ends, with their counts, the most frequent first."""
    groups: dict[str, dict[str, int]] = {}
    for label, count in counts.items():
        groups.setdefault(str(label).strip().lower(), {})[str(label)] = int(count)
    return [each for each in groups.values() if len(each) > 1]


def _spellings(alike: list[dict[str, int]], label_map: Mapping[str, str]) -> list[str]:
    """Which labels of several spellings are one, and which are not, as the corpus's map names some of them only."""
    one, several = [], []
    for each in alike:
        told = ", ".join(f"{_told(label)} {count}" for label, count in each.items())
        meant = {"" if led(label, label_map) == "" else meaning(label, label_map) for label in each}
        (one if len(meant) == 1 else several).append(told)
    notes = []
    for found, rest in (
        (one, "they are taken for one"),
        (several, "label_map names some of them, so they are not one; name each of them there"),
    ):
        if found:
            more = f" (and {len(found) - 3} more such labels)" if len(found) > 3 else ""
            notes.append(f"labels differ only in capitals or blanks: {'; '.join(found[:3])}{more}; {rest}")
    return notes


def _unread_media(corpus: Corpus) -> list[str]:
    """Of a corpus without files: a column that names some."""
    if corpus.items[list(_ENDINGS)].notna().any(axis=None):
        return []
    told = []
    for column in corpus.items.columns.difference([*ITEM_COLUMNS], sort=False):
        values = corpus.items[column].dropna().astype(str)
        for medium, (endings, what) in _ENDINGS.items():
            fits = len(values) and values.str.lower().str.endswith(endings).all()
            if fits and missing_file(corpus.root, values.iloc[0]) is None:
                told.append(
                    f"column {column} holds paths of {what}, such as {values.iloc[0]}, which is there, and is not "
                    f'read; name it {medium}, or say so in corpus.toml: [columns] {medium} = "{column}"'
                )
    return told


def _where_labels_may_be(corpus: Corpus) -> str:
    others = [str(column) for column in corpus.items if column not in ITEM_COLUMNS]
    if not others:
        return 'call it label, or name it in corpus.toml: [columns] label = "..."'
    return (
        f"such as {', '.join(others[:12])}, say which in corpus.toml: "
        f'[columns] label = "{others[0]}", or [vote_counts] for counts of votes'
    )


def _without_rating(corpus: Corpus) -> list[str]:
    """Of categories alone: a scale has no labels of its own that could be missed."""
    ratings, labels = corpus.ratings, corpus.items["label"].notna()
    told = []
    for dimension in sorted({*ratings["dimension"].dropna()} - {*corpus.card.scales}):
        rated = corpus.items["id"].isin(ratings["item"][ratings["dimension"] == dimension].unique())
        if rated.any() and (bare := labels & ~rated).any():
            told.append(
                f"{bare.sum()} items have a label and no rating of {dimension!r}, such as "
                f"{corpus.items['id'][bare].iloc[0]}: a recipe that reads these ratings leaves them out, and one with "
                'labels.dimension = "label" reads the labels of all'
            )
    return told
