"""One corpus of a recipe: targets, features, and the reasons why some items have none."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from affectspace.corpora import Corpus
from affectspace.errors import InputError
from affectspace.features import AudioFingerprint, Features, Waveform
from affectspace.features.extract import reads_text
from affectspace.labels import agreement
from affectspace.training.corrected import LEFT_OUT
from affectspace.training.frontends import reads_sound
from affectspace.training.label_corpus import LabelledCorpus
from affectspace.training.read_modality import (
    ModalityRead,
    extract,
    items_digest,
    nobody_has,
    read_modality,
    why_unread,
)
from affectspace.training.recipe import Recipe
from affectspace.training.set_aside import refuse_too_many

__all__ = ["CorpusPart", "corpus_digest", "gather_corpus"]

LATER_COLUMNS = ("video", "video_start", "video_end")  # of items, which corpora had not at first


@dataclass(frozen=True)
class CorpusPart:
    """What one corpus gives.

    Args:
        items: those that have a target.
        targets: ``(items, classes)``.
        names: of the classes.
        unlabelled: items without a target, where the recipe trains on such.
        found: each modality's features.
        rows: where in them those of ``items`` are, and behind them those of ``unlabelled``; -1 for none.
        numbers: ``(items,)`` of which levels are made.
        sound: what the items sound like, where the recipe changes that in training.
        about: what there is to say of the corpus.
        unread: the class and the reason of every item with a target of which no features can be made.
        fingerprints: of the recordings that features are made of: those of ``items``, and behind them those of
            ``unlabelled``; None for none.
    """

    items: pd.DataFrame
    targets: np.ndarray
    names: tuple[str, ...]
    unlabelled: pd.DataFrame
    found: dict[str, Features]
    rows: dict[str, np.ndarray]
    numbers: np.ndarray | None
    sound: Features | None
    about: dict[str, Any]
    unread: list[tuple[str, str]]
    fingerprints: list[np.ndarray | None]


def gather_corpus(
    recipe: Recipe, told: LabelledCorpus, views: dict[str, Recipe], frontends: dict[str, Any], quiet: bool
) -> CorpusPart:
    """The targets and the features of one corpus, and the reasons why some of its items have none.

    Args:
        recipe: it asks for them.
        told: the corpus and its targets.
        views: the recipe as each modality sees it.
        frontends: of the modalities.
        quiet: whether no bar is shown.

    Raises:
        InputError: no item has any modality, or too many are at fault.
    """
    corpus, space, made, quarantine = told.corpus, told.space, told.targets, [*told.quarantine]
    several = bool(recipe.modalities)
    labelled = np.flatnonzero(made.usable)
    # What somebody has left out shows none of the classes, so that none is to be guessed for it either.
    without = ~made.usable & ~made.reasons.isin([LEFT_OUT]).to_numpy(bool)
    others = np.flatnonzero(without) if recipe.semi_supervised else np.empty(0, np.int64)
    asked = told.items.iloc[np.concatenate([labelled, others])].reset_index(drop=True)
    read: dict[str, ModalityRead] = {}
    for name, view in views.items():
        read[name] = each = read_modality(
            corpus, told.faults, asked, view, frontends[name], quiet, name if several else None
        )
        unread = [{"id": item, "reason": reason} for item, reason in each.quarantine.items()]
        section = f"modalities.{name}.features" if several else "features"
        refuse_too_many(corpus, [*quarantine, *unread], view.features.max_bad_share, section)
    kept: np.ndarray = np.logical_or.reduce([each.rows >= 0 for each in read.values()])
    quarantine += _unread(read, asked["id"], kept)
    values = made.values[labelled]
    unread = [
        (space.names[best], why_unread(read, item))
        for best, item, there in zip(values.argmax(1), asked["id"], kept) if not there
    ]  # fmt: skip
    # who says the same words is no copy, and shares a script, which is looked at by itself
    media = [each for name, each in read.items() if not reads_text(frontends[name])]
    asked = asked.assign(key=corpus.name + "/" + asked["id"], audio_sha=_hashes(media, len(asked)))
    first = np.arange(len(asked)) < len(labelled)
    usable, unlabelled = asked[kept & first].reset_index(drop=True), asked[kept & ~first].reset_index(drop=True)
    heard = [each.rows >= 0 for name, each in read.items() if reads_sound(views[name])]
    fingerprints = _fingerprints(corpus, asked, np.logical_or.reduce(heard), quiet) if heard else [None] * len(asked)
    lacked = nobody_has(asked["id"].tolist(), read, frontends) if several else {}
    if len(asked) and not len(usable) and not len(unlabelled) and several:
        why = "; ".join(f"{name}: {reason}" for name, reason in lacked.items())
        raise InputError(f"no item of corpus {corpus.name} has any of the modalities {', '.join(views)} ({why})")
    values, rows = values[kept[: len(labelled)]], {name: each.rows[kept] for name, each in read.items()}
    sound = None
    if recipe.augment.reads_samples and len(usable) + len(unlabelled):
        sound, _ = extract(corpus, pd.concat([usable, unlabelled], ignore_index=True), Waveform(), quiet)
    ids = asked["id"][kept].tolist()
    digests = [items_digest(ids, each.features, rows[name], frontends[name]) for name, each in read.items()]
    digest = digests[0] if not several else hashlib.sha256(" ".join(digests).encode()).hexdigest()
    # an item without a target of which nothing can be read is told of once, by what is at fault
    gone = others[~kept[len(labelled) :]]
    left_out = replace(made, reasons=made.reasons.drop(index=gone.tolist())).left_out
    about = _about(corpus, usable, values, told.ratings, space, left_out, quarantine, digest)
    if told.corrections is not None:
        about["corrections"] = told.corrections
    if recipe.semi_supervised:
        about["unlabelled"] = len(unlabelled)
    if several:
        about["modalities"] = {name: int((each >= 0).sum()) for name, each in rows.items()}
        if lacked:
            about["nobody_has"] = lacked
    numbers = None if made.numbers is None else made.numbers[labelled][kept[: len(labelled)]]
    return CorpusPart(
        usable, values, space.names, unlabelled, {name: each.features for name, each in read.items()}, rows, numbers,
        sound, about, unread, [fingerprints[row] for row in np.flatnonzero(kept)],
    )  # fmt: skip


def _hashes(read: Sequence[ModalityRead], items: int) -> np.ndarray:
    """``(items,)`` the hash of each medium in which an item has been heard or seen, parted by spaces; None of none.

    All of them, as another item may share one medium and lack, or not share, the others.
    """
    found: list[dict[str, None]] = [{} for _ in range(items)]  # each hash once, in the order of the modalities
    for each in read:
        for row, own in zip(each.rows, found, strict=True):
            if row >= 0 and (sha := each.features.audio_sha[row]) is not None:
                own[str(sha)] = None
    return np.array([" ".join(own) or None for own in found], dtype=object)


def _fingerprints(corpus: Corpus, items: pd.DataFrame, heard: np.ndarray, quiet: bool) -> list[np.ndarray | None]:
    """Of each item that was heard the fingerprint of its recording."""
    found: list[np.ndarray | None] = [None] * len(items)
    if heard.any():
        made, ids = extract(corpus, items[heard], AudioFingerprint(), quiet)
        row = {item: place for place, item in enumerate(made.ids)}
        for place, item in zip(np.flatnonzero(heard), ids):
            found[place] = made[row[item]] if item in row else None
    return found


def _unread(read: dict[str, ModalityRead], ids: pd.Series, kept: np.ndarray) -> list[dict[str, str]]:
    """Who is gone, and why, once each; and who goes on ``without`` a modality, and why, once for each of these."""
    rows = []
    for item, there in zip(ids, kept):
        if not there:
            rows.append({"id": item, "reason": why_unread(read, item)})
            continue
        lost = {name: each.quarantine[item] for name, each in read.items() if item in each.quarantine}
        rows += [{"id": item, "reason": reason, "without": name} for name, reason in lost.items()]
    return rows


def _about(corpus, items, values, ratings, space, left_out, quarantine, digest) -> dict[str, Any]:
    counts = Counter(space.names[best] for best in values.argmax(1))
    scales = corpus.card.scales
    agreements = {
        str(dimension): vars(agreement(ratings, str(dimension), scales.get(str(dimension))))
        for dimension in ratings["dimension"].dropna().unique()
    }
    return {
        "name": corpus.name,
        "path": str(corpus.root),
        "licence": corpus.card.licence,
        "citation": corpus.card.citation,
        "language": sorted(items["language"].dropna().unique()),
        "note": corpus.card.note,
        "items": len(corpus),
        "used": len(items),
        "left_out": left_out,
        "quarantine": sorted(quarantine, key=lambda row: row["id"]),
        "classes": {name: counts.get(name, 0) for name in space.names},
        "agreement": agreements,
        "sha256": corpus_digest(corpus),
        "items_sha256": digest,
    }


def corpus_digest(corpus: Corpus) -> str:
    """SHA-256 of both tables, so that a reader can tell whether the corpus has changed."""
    # a run of before these columns were known still holds where they are empty
    empty = [name for name in LATER_COLUMNS if name in corpus.items and corpus.items[name].isna().all()]
    text = corpus.items.drop(columns=empty).to_csv(index=False) + corpus.ratings.to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()
