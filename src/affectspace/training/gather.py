"""From a recipe's corpora to usable items: targets, features, and the reasons why other items have none."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.corpora import Corpus, Fault, check, open_corpus
from affectspace.errors import InputError
from affectspace.features import Features, VectorTable, Waveform
from affectspace.features.extract import reads_text
from affectspace.labels import LabelSpace, Targets, agreement
from affectspace.training.below_data import digests_below
from affectspace.training.frontends import joined_fingerprint, make_frontend, medium
from affectspace.training.inputs import Clips
from affectspace.training.label_spaces import NoLabels, label_spaces
from affectspace.training.read_modality import NO_MODALITY, ModalityRead, extract, items_digest, read_modality
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_features import VectorFeatures
from affectspace.training.set_aside import mislabelled, refuse_too_many, unusable
from affectspace.training.unused import RATING_FAULT

__all__ = ["Gathered", "corpus_digest", "gather"]

LATER_COLUMNS = ("video", "video_start", "video_end")  # of items, which corpora had not at first


@dataclass(frozen=True)
class Gathered:
    """The usable items of a recipe's corpora, before they are split; folds of one protocol share it.

    Args:
        items: those that have a target.
        targets: ``(items, classes)``.
        names: of the classes.
        inputs: each modality's features, by its name: of ``items`` and, behind them, of ``unlabelled``.
        about: what there is to say of each corpus.
        fingerprint: of the front ends.
        samples: what the items sound like, where the recipe changes that in training.
        numbers: ``(items,)`` of which levels are made, None of other labels.
        thresholds: where these are cut; where they are None too, as they are to be learned, all lie in a single level
            so far.
        unread: the class and the reason of every item with a target that was set aside, as no features can be made of
            it.
        unlabelled: items without a target, where the recipe trains on such; else no row.
        digests: SHA-256 of the files below ``data`` by which the features were made, by their path in the recipe.
    """

    items: pd.DataFrame
    targets: Tensor
    names: tuple[str, ...]
    inputs: dict[str, Clips]
    about: list[dict[str, Any]]
    fingerprint: str
    samples: Clips | None = None
    numbers: np.ndarray | None = None
    thresholds: tuple[float, ...] | None = None
    unread: tuple[tuple[str, str], ...] = ()
    unlabelled: pd.DataFrame = field(default_factory=pd.DataFrame)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def clips(self) -> Clips:
        """The features of items of a single modality."""
        (clips,) = self.inputs.values()
        return clips


def gather(recipe: Recipe, *, quiet: bool = False) -> Gathered:
    """Open the corpora, make targets and features.

    Items at fault (a broken file, a duplicate id) are quarantined with their reason, items without a
    target are left out and counted, or kept apart where the recipe trains on them; all of it is told in ``about``. An
    item of several modalities may lack any of them, but not all.

    Raises:
        InputError: nothing usable, labels outside the space, or too many items at fault.
    """
    views = recipe.per_modality()
    frontends = {name: make_frontend(view) for name, view in views.items()}
    digests = digests_below(recipe)  # before anything is made by these files, so that a change meanwhile is noticed
    corpora: list[Corpus] = []
    for entry in recipe.corpora:
        corpus = open_corpus(Path(recipe.data) / entry.path, entry.adapter)
        if any(corpus.name == other.name for other in corpora):
            raise InputError(f"two corpora are named {corpus.name!r}; give one of them another name in its corpus.toml")
        if not len(corpus):
            raise InputError(f"corpus {corpus.name} has no items: its table is empty")
        corpora.append(corpus)
    spaces = label_spaces(recipe, corpora)
    parts = [_gather_one(recipe, corpus, space, views, frontends, quiet) for corpus, space in zip(corpora, spaces)]
    if not any(len(part.items) for part in parts):
        raise InputError("no corpus has an item with a label; a net learns classes of labelled items alone")
    about, unread = [part.about for part in parts], [pair for part in parts for pair in part.unread]
    parts = [part for part in parts if len(part.items) + len(part.unlabelled)]  # of others there are no features
    inputs = {name: _clips([(part.found[name], part.rows[name], len(part.items)) for part in parts]) for name in views}
    for name, frontend in frontends.items():
        if isinstance(frontend, VectorTable):
            _refuse_shared_vectors(parts, name)
        widths = {str(part.about["name"]): part.found[name].dimensions for part in parts if len(part.found[name])}
        if len(set(widths.values())) > 1:
            raise InputError(f"the corpora's {name} differ in size: {widths}; a run needs one")
    numbers = [part.numbers for part in parts if part.numbers is not None]
    sounds = [(sound, np.arange(len(sound)), len(part.items)) for part in parts if (sound := part.sound) is not None]
    return Gathered(
        pd.concat([part.items for part in parts], ignore_index=True),
        torch.from_numpy(np.concatenate([part.targets for part in parts])).float(),
        parts[0].names,
        inputs,
        about,
        joined_fingerprint(recipe, frontends),
        _clips(sounds) if sounds else None,
        np.concatenate(numbers) if numbers else None,
        getattr(recipe.labels, "thresholds", None),
        tuple(unread),
        pd.concat([part.unlabelled for part in parts], ignore_index=True) if recipe.semi_supervised else pd.DataFrame(),
        digests,
    )


@dataclass(frozen=True)
class _Part:
    """What one corpus gives; ``rows`` are those of ``items``, and behind them of ``unlabelled``, in ``found``."""

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


def _gather_one(
    recipe: Recipe, corpus: Corpus, space: LabelSpace | NoLabels, views: dict[str, Recipe], frontends: dict[str, Any],
    quiet: bool,
) -> _Part:  # fmt: skip
    faults = check(corpus, read_media=False)
    several = bool(recipe.modalities)
    # of one modality an item without its medium is at fault; of several it only lacks that one
    column = None if several or isinstance(recipe.features, VectorFeatures) else medium(recipe)
    everything, made, ratings, quarantine = _labelled(corpus, faults, space, recipe, column)
    labelled = np.flatnonzero(made.usable)
    others = np.flatnonzero(~made.usable) if recipe.semi_supervised else np.empty(0, np.int64)
    if not len(made.values if recipe.unlabelled else labelled):
        why = "; ".join(f"{count} x {reason}" for reason, count in made.left_out.items()) or "all are at fault"
        raise InputError(
            f"corpus {corpus.name} has no item to use ({why}); see labels in the recipe, and affectspace check"
        )
    asked = everything.iloc[np.concatenate([labelled, others])].reset_index(drop=True)
    read = {
        name: read_modality(corpus, faults, asked, view, frontends[name], quiet, name if several else None)
        for name, view in views.items()
    }
    quarantine += [{"id": item, "reason": reason} for each in read.values() for item, reason in each.quarantine.items()]
    if not several:
        refuse_too_many(corpus, quarantine, recipe.features.max_bad_share)
    kept: np.ndarray = np.logical_or.reduce([each.rows >= 0 for each in read.values()])
    if several:
        quarantine += [{"id": item, "reason": NO_MODALITY} for item in asked["id"][~kept]]
    values = made.values[labelled]
    unread = [
        (space.names[best], next((each.why(item) for each in read.values() if each.why(item)), NO_MODALITY))
        for best, item, there in zip(values.argmax(1), asked["id"], kept) if not there
    ]  # fmt: skip
    # who says the same words is no copy, and shares a script, which is looked at by itself
    media = [each for name, each in read.items() if not reads_text(frontends[name])]
    asked = asked.assign(key=corpus.name + "/" + asked["id"], audio_sha=_hashes(media, len(asked)))
    first = np.arange(len(asked)) < len(labelled)
    usable, unlabelled = asked[kept & first].reset_index(drop=True), asked[kept & ~first].reset_index(drop=True)
    if len(asked) and not len(usable) and not len(unlabelled) and several:
        raise InputError(f"no item of corpus {corpus.name} has any of the modalities {', '.join(views)}")
    values, rows = values[kept[: len(labelled)]], {name: each.rows[kept] for name, each in read.items()}
    sound = None
    if recipe.augment.reads_samples and len(usable) + len(unlabelled):
        sound, _ = extract(corpus, pd.concat([usable, unlabelled], ignore_index=True), Waveform(), quiet)
    ids = asked["id"][kept].tolist()
    digests = [items_digest(ids, each.features, rows[name], frontends[name]) for name, each in read.items()]
    digest = digests[0] if not several else hashlib.sha256(" ".join(digests).encode()).hexdigest()
    about = _about(corpus, usable, values, ratings, space, made.left_out, quarantine, digest)
    if recipe.semi_supervised:
        about["unlabelled"] = len(unlabelled)
    if several:
        about["modalities"] = {name: int((each >= 0).sum()) for name, each in rows.items()}
    numbers = None if made.numbers is None else made.numbers[labelled][kept[: len(labelled)]]
    return _Part(
        usable, values, space.names, unlabelled, {name: each.features for name, each in read.items()}, rows, numbers,
        sound, about, unread,
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


def _clips(parts: list[tuple[Features, np.ndarray, int]]) -> Clips:
    """Features of corpora as one sequence: the first so many rows of each, and behind them all others of each."""
    places = [
        np.stack([np.full(len(rows), number), rows], 1).astype(np.int64) for number, (_, rows, _) in enumerate(parts)
    ]
    first = [place[:count] for place, (_, _, count) in zip(places, parts)]
    behind = [place[count:] for place, (_, _, count) in zip(places, parts)]
    return Clips([features for features, _, _ in parts], np.concatenate(first + behind))


def _labelled(
    corpus: Corpus, faults: list[Fault], space: LabelSpace | NoLabels, recipe: Recipe, column: str | None
) -> tuple[pd.DataFrame, Targets, pd.DataFrame, list[dict[str, str]]]:
    """Items, the targets of all, the ratings, and what is at fault; ``column``: the medium that an item must have."""
    bad_ratings = {}
    for fault in faults:
        if fault.column.startswith("ratings."):
            bad_ratings.setdefault(fault.row - 1, {"id": fault.item, "reason": f"{RATING_FAULT}: {fault.message}"})
    names = corpus.items["id"].fillna("")
    reasons = mislabelled(corpus, faults, recipe.labels) | unusable(corpus, faults, column)
    bad_items = {row: {"id": names.iloc[row], "reason": reason} for row, reason in reasons.items()}
    items = corpus.items.drop(index=corpus.items.index[list(bad_items)]).reset_index(drop=True)
    ratings = corpus.ratings.drop(index=corpus.ratings.index[list(bad_ratings)])
    ratings = ratings[ratings["item"].isin(items["id"])].reset_index(drop=True)
    label_map = {**corpus.card.label_map, **getattr(recipe.labels, "map", {})}
    made = space.targets(items, ratings, recipe.labels.dimension, label_map)
    return items, made, ratings, [*bad_items.values(), *bad_ratings.values()]


def _refuse_shared_vectors(parts: Sequence[_Part], name: str) -> None:
    """Two corpora may use one id, and then their items must not be given one vector."""
    owner: dict[str, str] = {}
    for part in parts:
        keys = [*part.items["key"], *part.unlabelled["key"]]
        for key, row in zip(keys, part.rows[name]):
            if row < 0:
                continue
            asked = str(part.found[name].ids[row])
            if owner.setdefault(asked, key) != key:
                raise InputError(
                    f"items {owner[asked]} and {key} would share the vector {asked!r}; "
                    "name the vectors of several corpora corpus/id"
                )


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
