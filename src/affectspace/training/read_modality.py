"""The features of one modality of a corpus's items, and the reasons why some have none."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from affectspace.corpora import Corpus, Fault
from affectspace.corpora.corpus import video_times
from affectspace.features import AudioFingerprint, Features, FeatureStore, VectorTable, Waveform
from affectspace.training.frontends import cache_folders, medium
from affectspace.training.recipe import Recipe
from affectspace.training.set_aside import unusable
from affectspace.training.unused import reason_kind

__all__ = ["NO_MODALITY", "ModalityRead", "extract", "items_digest", "nobody_has", "read_modality", "why_unread"]

NO_MODALITY = "the item has none of the modalities"
TOLD = {AudioFingerprint: "fingerprints", Waveform: "samples"}  # what is made where it is no feature


@dataclass(frozen=True)
class ModalityRead:
    """What a front end has made of the items of a corpus.

    Args:
        features: by id.
        rows: ``(items,)`` each item's row in them, -1 for one that has none.
        quarantine: why items that have the medium have no features, by id.
        missing: why others have none, by id.
    """

    features: Features
    rows: np.ndarray
    quarantine: dict[str, str]
    missing: dict[str, str]

    def why(self, item: str) -> str:
        """Why an item has no features; empty where it has, or nobody knows."""
        return self.quarantine.get(item) or self.missing.get(item, "")


def read_modality(
    corpus: Corpus,
    faults: Sequence[Fault],
    items: pd.DataFrame,
    recipe: Recipe,
    frontend: Any,
    quiet: bool,
    name: str | None = None,
) -> ModalityRead:
    """The features of ``items``, of those that have the medium.

    Args:
        corpus: theirs.
        faults: what :func:`~affectspace.corpora.check` has found in it.
        items: of one corpus, with unique ids.
        recipe: whose ``features`` are asked for.
        frontend: made of them.
        quiet: whether no bar is shown.
        name: of the modality, where there are others; an item may then lack it, and reasons begin with it.

    """
    begin = f"{name}: " if name else ""
    lacking: dict[str, str] = {}
    absent: set[str] = set()  # who lacks the modality, where others are at fault
    if name and isinstance(frontend, VectorTable):
        known = {*frontend.ids}
        absent = {item for item in items["id"] if item not in known and f"{corpus.name}/{item}" not in known}
        lacking = dict.fromkeys(absent, f"{begin}the item has no vector")
    elif name:
        column = medium(recipe)
        names, there = corpus.items["id"].fillna(""), corpus.items[column].notna().to_numpy(bool)
        aside = unusable(corpus, faults, None)  # rows that are no items, such as a second one of an id
        wrong = {row: reason for row, reason in unusable(corpus, faults, column).items() if row not in aside}
        lacking = {str(names.iloc[row]): begin + reason for row, reason in wrong.items()}
        absent = {str(names.iloc[row]) for row in wrong if not there[row]}
    has = items[~items["id"].isin(lacking)]
    rows = np.full(len(items), -1, dtype=np.int64)
    if len(has):
        found, asked = extract(corpus, has, frontend, quiet, medium(recipe))
        held = {item: row for row, item in enumerate(found.ids)}
        rows[has.index.to_numpy()] = [held.get(ask, -1) for ask in asked]
        reasons = dict(found.quarantine[["id", "reason"]].itertuples(index=False))
        unread = {str(item): begin + str(reasons[ask]) for item, ask in zip(has["id"], asked) if ask in reasons}
    else:
        found, unread = _none(frontend), {}
    asked_for = {*items["id"]}
    reasons = {item: reason for item, reason in (lacking | unread).items() if item in asked_for}
    quarantine = {item: reason for item, reason in reasons.items() if item not in absent}
    return ModalityRead(found, rows, quarantine, {item: reasons[item] for item in absent if item in reasons})


def why_unread(read: Mapping[str, ModalityRead], item: str) -> str:
    """Why an item has none of what was read; of one that merely lacks all of several modalities just that."""
    faults = [each.quarantine[item] for each in read.values() if item in each.quarantine]
    return "; ".join(faults) or (NO_MODALITY if len(read) > 1 else next(iter(read.values())).why(item))


def nobody_has(ids: Sequence[str], read: Mapping[str, ModalityRead], frontends: Mapping[str, Any]) -> dict[str, str]:
    """The modalities that no item of a corpus has, and why.

    Args:
        ids: of the items.
        read: of each modality.
        frontends: of the modalities.
    """
    found = {}
    for name, each in read.items():
        if not len(ids) or (each.rows >= 0).any():
            continue
        frontend = frontends[name]
        if isinstance(frontend, VectorTable) and not each.quarantine:
            found[name] = (
                f"the table of vectors has none of their ids, such as {ids[0]!r}; its own are such as "
                f"{frontend.ids[0]!r}"
            )
            continue
        kinds = Counter(reason_kind(why.removeprefix(f"{name}: ")) for why in map(each.why, ids) if why)
        found[name] = ", ".join(f"{count:,} x {kind}" for kind, count in kinds.most_common())
    return found


def extract(
    corpus: Corpus, items: pd.DataFrame, frontend: Any, quiet: bool, column: str = "audio"
) -> tuple[Features, list[str]]:
    """The features of a corpus, and the id under which each of ``items`` is to be found in them."""
    ids = items["id"].tolist()
    if isinstance(frontend, VectorTable):
        named = {*frontend.ids}
        qualified = [f"{corpus.name}/{item}" for item in ids]
        asked = qualified if any(name in named for name in qualified) else ids
        return frontend.read(asked, max_bad_share=1.0), asked
    if column == "text":
        media = items[["id"]].assign(path=items["text"])
    elif column == "video":
        media = items[["id"]].assign(path=[str(corpus.root / path) for path in items["video"]])
        media = media.join(video_times(items))
        if "box" in items:
            media["box"] = items["box"].where(items["image"].isna())  # else it is of the image
    else:
        part = ["box"] if column == "image" and "box" in items else []
        media = items[["id", "start", "end", *part]].assign(path=[str(corpus.root / path) for path in items[column]])
    kind = TOLD.get(type(frontend), "features")
    features = FeatureStore(cache_folders()).extract(
        media, frontend, max_bad_share=1.0, progress=not quiet, what=f"{kind} of {corpus.name}"
    )
    return features, ids


def items_digest(ids: Sequence[str], features: Features, rows: np.ndarray, frontend: Any) -> str:
    """SHA-256 of what a run hears or reads of the items: their samples and the front end, or the vectors themselves."""
    if isinstance(frontend, VectorTable):  # whose fingerprint would change with vectors of which nobody asks
        digest = hashlib.sha256()
        parts = [np.ascontiguousarray(features[int(row)]).tobytes() if row >= 0 else b"" for row in rows]
    else:
        digest = hashlib.sha256(frontend.fingerprint.encode())
        parts = [str(features.audio_sha[row]).encode() if row >= 0 else b"" for row in rows]
    for item, part in zip(ids, parts, strict=True):
        digest.update(f"\0{item}\0".encode() + part)
    return digest.hexdigest()


def _none(frontend: Any) -> Features:
    nothing = pd.DataFrame({"id": [], "reason": []}, dtype="string")
    empty = np.empty(0, dtype=object)
    return Features(empty, np.empty(0, np.int64), np.empty((0, frontend.dimensions), np.float32), empty, nothing)
