"""The tables and the card of a corpus of crops, from those of its sources."""

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from affectspace.corpora import ITEM_COLUMNS, RATING_COLUMNS, Card
from affectspace.faces.cropping import Cropped
from affectspace.faces.sources import Sources

__all__ = ["crops_of", "face_card", "face_items", "face_ratings"]

OWN = ("source", "source_time", "source_box", "carried")  # columns that come behind those of the corpus


def crops_of(found: Sources, done: Mapping[str, Cropped], folder: str) -> pd.DataFrame:
    """One row a crop, in the order of the sources: ``of`` (the source's id), id, image, and the columns of ``OWN``."""
    rows = [
        {**row, "image": f"{folder}/{row['image']}", "of": each.id, "source": each.told}
        for each in found.sources
        for row in done[each.id].rows
    ]
    return pd.DataFrame(rows, columns=["of", "id", "image", *OWN])


def face_items(found: Sources, crops: pd.DataFrame) -> pd.DataFrame:
    """A table of items, with what is known of each crop's source.

    Where any picture or video gave several crops, every crop has a session, so that all can be split by it: the one
    that the corpus tells, else that of other items of the same file, else the file itself.
    """
    known = found.items.reindex(crops["of"]).reset_index(drop=True)
    known = known.assign(session=_sessions(found, crops, known))
    kept = [name for name in known if name not in {"id", "image", *OWN} and known[name].notna().any()]
    items = crops[["id", "image"]].join(known[kept]).join(crops[list(OWN)])
    ours = [name for name in ITEM_COLUMNS if name in items]
    return items[[*ours, *(name for name in items if name not in ours)]]


def _sessions(found: Sources, crops: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    told = known["session"] if "session" in known else pd.Series(pd.NA, index=crops.index, dtype="string")
    files = crops["of"].map({each.id: os.path.realpath(each.path) for each in found.sources})
    if not files.duplicated().any():
        return told
    of_file = told.groupby(files).transform("first")
    return told.fillna(of_file).fillna(crops["source"].groupby(files).transform("first"))


def face_ratings(found: Sources, crops: pd.DataFrame) -> pd.DataFrame:
    """Every rating of an item, for each of its crops."""
    pairs = found.ratings.merge(crops[["of", "id"]], left_on="item", right_on="of")
    return pairs.assign(item=pairs["id"])[list(RATING_COLUMNS)]


def face_card(card: Card, name: str, note: str) -> dict[str, Any]:
    """A ``corpus.toml`` of the crops: the card of their sources under a name and a note of their own."""
    told = {
        "name": name,
        "licence": card.licence,
        "citation": card.citation,
        "language": card.language,
        "note": f"{note} {card.note}".strip(),
        "columns": {"audio": "", "video": ""},  # paths of the source are not to be taken for sound or video
        "scales": {dimension: {"low": scale.low, "high": scale.high} for dimension, scale in card.scales.items()},
        "label_map": card.label_map,
    }
    return {key: value for key, value in told.items() if value}
