"""From a recipe's corpora to usable items: targets, features, and the reasons why other items have none."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.corpora import Corpus, check, open_corpus
from affectspace.errors import InputError
from affectspace.features import (
    Augmentation,
    Faces,
    Features,
    FeatureStore,
    Functionals,
    Hearing,
    LogMel,
    Masks,
    Normaliser,
    VectorTable,
    Views,
    Waveform,
)
from affectspace.labels import Classes, LabelSpace, Levels, Poles, Targets, Uncut, agreement
from affectspace.training.finder_file import finder_file
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_data import (
    ClassLabels,
    FaceFeatures,
    FunctionalsFeatures,
    LevelLabels,
    LogMelFeatures,
    PoleLabels,
    VectorFeatures,
)
from affectspace.training.set_aside import mislabelled, refuse_too_many, unusable
from affectspace.training.unused import RATING_FAULT

__all__ = [
    "Clips",
    "Gathered",
    "cache_folder",
    "gather",
    "make_frontend",
    "make_hearing",
    "make_label_space",
    "make_views",
    "medium",
]


class Clips(Sequence[np.ndarray]):
    """The features of several corpora as one sequence; each stays where it is, mapped from its file."""

    def __init__(self, sources: Sequence[Features], places: np.ndarray):
        self.sources = list(sources)
        self.places = places  # (items, 2): which source, and which row in it
        self.lengths = np.array([self.sources[source].lengths[row] for source, row in places], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, row):
        source, place = self.places[row]
        return np.asarray(self.sources[source][int(place)])


@dataclass(frozen=True)
class Gathered:
    """The usable items of a recipe's corpora, before they are split; folds of one protocol share it.

    ``samples`` are what the items sound like, where the recipe changes that in training. ``numbers`` ``(items,)`` are
    those of which levels are made, None of other labels; where ``thresholds`` are None too, as they are to be learned,
    all lie in a single level so far. ``unread`` are the class and the reason of every item with a target that was set
    aside, as no features can be made of it.
    """

    items: pd.DataFrame
    targets: Tensor
    names: tuple[str, ...]
    clips: Clips
    about: list[dict[str, Any]]
    fingerprint: str
    samples: Clips | None = None
    numbers: np.ndarray | None = None
    thresholds: tuple[float, ...] | None = None
    unread: tuple[tuple[str, str], ...] = ()


def gather(recipe: Recipe, *, quiet: bool = False) -> Gathered:
    """Open the corpora, make targets and features.

    Items at fault (a broken file, a duplicate id) are quarantined with their reason, items without a
    target are left out and counted; all of it is told in ``about``.

    Raises:
        InputError: nothing usable, labels outside the space, or too many items at fault.
    """
    frontend = make_frontend(recipe)
    tables, targets, numbers, features, places, about, unread = [], [], [], [], [], [], []
    sounds, sound_places = [], []
    names: tuple[str, ...] = ()
    for entry in recipe.corpora:
        corpus = open_corpus(Path(recipe.data) / entry.path, entry.adapter)
        if any(corpus.name == other["name"] for other in about):
            raise InputError(f"two corpora are named {corpus.name!r}; give one of them another name in its corpus.toml")
        if not len(corpus):
            raise InputError(f"corpus {corpus.name} has no items: its table is empty")
        space = make_label_space(recipe, corpus)
        names = space.names
        usable, made, ratings, left_out, quarantine = _labelled(corpus, space, recipe)
        values = made.values[made.usable]
        if not len(usable):
            why = "; ".join(f"{count} x {reason}" for reason, count in left_out.items()) or "all are at fault"
            raise InputError(
                f"corpus {corpus.name} has no item to use ({why}); see labels in the recipe, and affectspace check"
            )
        found, asked = _extract(corpus, usable, frontend, quiet, medium(recipe))
        set_aside = dict(found.quarantine[["id", "reason"]].itertuples(index=False))
        quarantine += [
            {"id": i, "reason": str(set_aside[ask])} for i, ask in zip(usable["id"], asked) if ask in set_aside
        ]
        refuse_too_many(corpus, quarantine, recipe.features.max_bad_share)
        held = {item: row for row, item in enumerate(found.ids)}
        rows = np.array([held.get(ask, -1) for ask in asked], dtype=np.int64)
        unread += [
            (names[best], str(set_aside.get(ask, "it has no features")))
            for best, ask, row in zip(values.argmax(1), asked, rows) if row < 0
        ]  # fmt: skip
        if made.numbers is not None:
            numbers.append(made.numbers[made.usable][rows >= 0])
        usable, values, rows = usable[rows >= 0], values[rows >= 0], rows[rows >= 0]
        usable = usable.assign(key=corpus.name + "/" + usable["id"], audio_sha=np.asarray(found.audio_sha)[rows])
        if recipe.augment.reads_samples:
            sound, asked = _extract(corpus, usable, Waveform(), quiet)
            sound_places.append(np.array([(len(sounds), sound.row_of(ask)) for ask in asked]))
            sounds.append(sound)
        places.append(np.stack([np.full(len(rows), len(features)), rows], 1))
        tables.append(usable)
        targets.append(values)
        features.append(found)
        digest = _items_digest(usable, found, rows, frontend)
        about.append(_about(corpus, usable, values, ratings, space, left_out, quarantine, digest))
    if isinstance(frontend, VectorTable):
        _refuse_shared_vectors(tables, features, places)
    items = pd.concat(tables, ignore_index=True)
    soft = torch.from_numpy(np.concatenate(targets)).float()
    clips = Clips(features, np.concatenate(places))
    widths = {str(entry["name"]): found.dimensions for entry, found in zip(about, features)}
    if len(set(widths.values())) > 1:
        raise InputError(f"the corpora's features differ in size: {widths}; a run needs one")
    samples = Clips(sounds, np.concatenate(sound_places)) if sounds else None
    thresholds = getattr(recipe.labels, "thresholds", None)
    return Gathered(
        items, soft, names, clips, about, frontend.fingerprint, samples,
        np.concatenate(numbers) if numbers else None, thresholds, tuple(unread),
    )  # fmt: skip


def _labelled(
    corpus: Corpus, space: LabelSpace, recipe: Recipe
) -> tuple[pd.DataFrame, Targets, pd.DataFrame, dict[str, int], list[dict[str, str]]]:
    """Items with a target, the targets of all, the ratings, why some have no target, and what is at fault."""
    column = None if isinstance(recipe.features, VectorFeatures) else medium(recipe)
    faults = check(corpus, read_media=False)
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
    quarantine = [*bad_items.values(), *bad_ratings.values()]
    return items.iloc[np.flatnonzero(made.usable)].reset_index(drop=True), made, ratings, made.left_out, quarantine


def _refuse_shared_vectors(tables: list[pd.DataFrame], features: list[Features], places: list[np.ndarray]) -> None:
    """Two corpora may use one id, and then their items must not be given one vector."""
    owner: dict[str, str] = {}
    for table, found, place in zip(tables, features, places):
        for key, asked in zip(table["key"], found.ids[place[:, 1]]):
            if owner.setdefault(asked, key) != key:
                raise InputError(
                    f"items {owner[asked]} and {key} would share the vector {asked!r}; "
                    "name the vectors of several corpora corpus/id"
                )


def medium(recipe: Recipe) -> str:
    """The column of the items' media that the recipe's features are made of."""
    return "image" if isinstance(recipe.features, FaceFeatures) else "audio"


def _extract(
    corpus: Corpus, items: pd.DataFrame, frontend: Any, quiet: bool, column: str = "audio"
) -> tuple[Features, list[str]]:
    """The features of a corpus, and the id under which each of ``items`` is to be found in them."""
    ids = items["id"].tolist()
    if isinstance(frontend, VectorTable):
        named = {*(everything := frontend.read(None, max_bad_share=1.0)).ids, *everything.quarantine["id"]}
        qualified = [f"{corpus.name}/{item}" for item in ids]
        asked = qualified if any(name in named for name in qualified) else ids
        return frontend.read(asked, max_bad_share=1.0), asked
    part = ["box"] if column == "image" and "box" in items else []
    media = items[["id", "start", "end", *part]].assign(path=[str(corpus.root / path) for path in items[column]])
    return FeatureStore(cache_folder()).extract(media, frontend, max_bad_share=1.0, progress=not quiet), ids


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
        "sha256": _digest(corpus),
        "items_sha256": digest,
    }


def _digest(corpus: Corpus) -> str:
    """SHA-256 of both tables, so that a reader can tell whether the corpus has changed."""
    text = corpus.items.to_csv(index=False) + corpus.ratings.to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _items_digest(items: pd.DataFrame, features: Features, rows: np.ndarray, frontend: Any) -> str:
    """SHA-256 of what a run hears or reads of the items: their samples and the front end, or the vectors themselves."""
    if isinstance(frontend, VectorTable):  # whose fingerprint would change with vectors of which nobody asks
        digest = hashlib.sha256()
        parts = (np.ascontiguousarray(features[int(row)]).tobytes() for row in rows)
    else:
        digest = hashlib.sha256(frontend.fingerprint.encode())
        parts = (str(sha).encode() for sha in items["audio_sha"])
    for item, part in zip(items["id"], parts, strict=True):
        digest.update(f"\0{item}\0".encode() + part)
    return digest.hexdigest()


def make_label_space(recipe: Recipe, corpus: Corpus) -> LabelSpace:
    """The label space that the recipe names, on the scale that the corpus declares.

    Raises:
        InputError: poles of a dimension whose scale nobody states.
    """
    match recipe.labels:
        case ClassLabels() as labels:
            return Classes(labels.names, soft=labels.soft, others=labels.others)
        case PoleLabels() as labels:
            if labels.low is not None and labels.high is not None:
                return Poles(labels.names, low=labels.low, high=labels.high)
            scale = corpus.card.scales.get(labels.dimension)
            if scale is None:
                raise InputError(
                    f"corpus {corpus.name} declares no scale for {labels.dimension!r}; add [scales.{labels.dimension}] "
                    "with low and high to its corpus.toml, or set labels.low and labels.high in the recipe"
                )
            return Poles(labels.names, low=scale.low, high=scale.high)
        case LevelLabels() as labels:
            return Uncut() if labels.bins else Levels(labels.names, thresholds=labels.thresholds)


def make_frontend(recipe: Recipe) -> LogMel | Functionals | VectorTable | Faces:
    """The front end that the recipe names.

    Raises:
        InputError: functionals, where openSMILE is not installed.
    """
    match recipe.features:
        case LogMelFeatures() as features:
            return LogMel(bands=features.bands, level=features.level)
        case FunctionalsFeatures() as features:
            return Functionals(features.set, level=features.level)
        case VectorFeatures() as features:
            paths = [features.path] if isinstance(features.path, str) else features.path
            return VectorTable(
                [str(Path(recipe.data) / path) for path in paths],
                id_column=features.id_column,
                columns=features.columns,
            )
        case FaceFeatures() as features:
            file = finder_file(recipe)
            return Faces(features.side, features.colour, features.finder if file is None else str(file))


def make_hearing(
    recipe: Recipe, clips: Sequence[np.ndarray], samples: Sequence[np.ndarray] | None, normaliser: Normaliser,
    keys: Iterable[str],
) -> Hearing | None:  # fmt: skip
    """How the recipe's training sounds: None where nothing is augmented.

    Args:
        recipe: its section ``augment`` and its seed.
        clips: each item's features.
        samples: each item's samples, :attr:`Gathered.samples`.
        normaliser: the mean and scale of each item.
        keys: each item's name, corpus/id.
    """
    augment, frontend = recipe.augment, make_frontend(recipe)
    if not augment.on or not isinstance(frontend, LogMel):
        return None
    shortest = int(frontend.sample_rate * frontend.frame_ms / 1000)
    augmentation = (
        Augmentation(augment.speed, augment.level, augment.noise, shortest) if augment.reads_samples else None
    )
    masks = Masks(augment.time_masks, augment.time_width or 0, augment.band_masks, augment.band_width or 0)
    return Hearing(
        recipe.seed, augment.share, augmentation, masks if augment.masks else None,
        frontend, clips, samples, normaliser, keys,
    )  # fmt: skip


def make_views(recipe: Recipe) -> Views | None:
    """How the recipe's training sees pictures; None where it reads none, or sees them as they are."""
    views = recipe.views
    if not isinstance(recipe.features, FaceFeatures) or not views.on:
        return None
    return Views(views.crop, views.flip, views.rotation, views.aspect, views.colour)


def cache_folder() -> Path:
    """Where extracted features are kept: ``$AFFECTSPACE_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("AFFECTSPACE_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else home / "affectspace"
