"""From a recipe to items that can be trained on: corpora, targets, features, a split without leaks."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.corpora import Corpus, check, open_corpus
from affectspace.encoders import Batch
from affectspace.errors import InputError
from affectspace.features import Features, FeatureStore, LogMel, Normaliser, VectorTable
from affectspace.labels import Classes, LabelSpace, Levels, Poles, agreement
from affectspace.protocols import Split, cross_corpus, grouped_k_fold, kept_apart, leave_one_group_out, refuse_leaks
from affectspace.samplers import TripletIndices
from affectspace.training.recipe import (
    ClassLabels,
    CrossCorpus,
    FSimilarityEntry,
    GroupedFolds,
    LeaveOneOut,
    LevelLabels,
    LogMelFeatures,
    PoleLabels,
    Recipe,
    VectorFeatures,
)

__all__ = [
    "Data",
    "Gathered",
    "cache_folder",
    "gather",
    "make_frontend",
    "make_label_space",
    "make_split",
    "normalised_groups",
    "prepare",
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
class Data:
    """The items of one run, by row.

    Args:
        items: the usable items of all corpora; ``key`` is corpus/id, ``audio_sha`` what is heard.
        targets: ``(items, classes)`` probabilities.
        classes: the classes' names.
        split: rows to train on, validate on and test on.
        clips: each item's features ``(frames, dimensions)``.
        normaliser: the mean and scale for each item.
        protocol: what the split keeps apart and allows, for the records.
        geometry: the geometry in which similarity is reported.
        about: the content of ``data.json``.
        scales: mean and scale of the items met so far.
    """

    items: pd.DataFrame
    targets: Tensor
    classes: tuple[str, ...]
    split: Split
    clips: Clips
    normaliser: Normaliser
    protocol: dict[str, Any]
    geometry: str
    about: dict[str, Any]
    scales: dict[int, tuple[Any, Any]] = field(default_factory=dict, repr=False)

    @property
    def dimensions(self) -> int:
        """Numbers in a frame."""
        return self.clips.sources[0].dimensions

    def batch(self, rows: np.ndarray) -> Batch:
        """The items of ``rows``, normalised and padded."""
        lengths = self.clips.lengths[rows]
        values = np.zeros((len(rows), lengths.max(), self.dimensions), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            if row not in self.scales:  # an item's own mean and variance cost more than a step's share of it
                self.scales[row] = self.normaliser(row)
            mean, scale = self.scales[row]
            values[place, : lengths[place]] = (self.clips[row] - mean) / scale
        return Batch(torch.from_numpy(values), torch.from_numpy(lengths), self.targets[torch.tensor(rows)])

    def training_batch(self, indices: np.ndarray | TripletIndices) -> Batch:
        """What a sampler over the training items asks for: anchors first, then their partners."""
        if not isinstance(indices, TripletIndices):
            return self.batch(self.split.train[indices])
        anchor, similar, dissimilar = indices
        count = len(anchor)
        whole = np.flatnonzero(similar >= 0)
        batch = self.batch(self.split.train[np.concatenate([anchor, similar[whole], dissimilar[whole]])])
        partner = count + np.arange(len(whole))
        batch.anchors = count
        batch.triplets = torch.from_numpy(np.stack([whole, partner, partner + len(whole)], 1))
        return batch

    def training_ids(self, indices: np.ndarray | TripletIndices) -> list[str]:
        """The items of a training batch by key, in its order."""
        if isinstance(indices, TripletIndices):
            whole = indices.similar >= 0
            indices = np.concatenate([indices.anchor, indices.similar[whole], indices.dissimilar[whole]])
        return self.items["key"].iloc[self.split.train[indices]].tolist()

    def split_table(self) -> pd.DataFrame:
        """One row an item: its part, and its groups, by which a later test proves that it knows none of them."""
        columns = ["key", "id", "corpus", "language", "speaker", "session", "script", "text", "audio_sha"]
        parts = {part: getattr(self.split, part) for part in ("train", "validate", "test")}
        tables = [self.items.iloc[rows][columns].assign(part=part) for part, rows in parts.items()]
        return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Gathered:
    """The usable items of a recipe's corpora, before they are split; folds of one protocol share it."""

    items: pd.DataFrame
    targets: Tensor
    names: tuple[str, ...]
    clips: Clips
    about: list[dict[str, Any]]
    fingerprint: str


def gather(recipe: Recipe, *, quiet: bool = False) -> Gathered:
    """Open the corpora, make targets and features.

    Items at fault (a broken file, a duplicate id) are quarantined with their reason, items without a
    target are left out and counted; all of it is told in ``about``.

    Raises:
        InputError: nothing usable, labels outside the space, or too many items at fault.
    """
    space = make_label_space(recipe)
    frontend = make_frontend(recipe)
    tables, targets, features, places, about = [], [], [], [], []
    for entry in recipe.corpora:
        corpus = open_corpus(Path(recipe.data) / entry.path, entry.adapter)
        if any(corpus.name == other["name"] for other in about):
            raise InputError(f"two corpora are named {corpus.name!r}; give one of them another name in its corpus.toml")
        usable, values, ratings, left_out, quarantine = _labelled(corpus, space, recipe)
        if not len(usable):
            why = "; ".join(f"{count} x {reason}" for reason, count in left_out.items()) or "all are at fault"
            raise InputError(
                f"corpus {corpus.name} has no item to use ({why}); see labels in the recipe, and affectspace check"
            )
        found, asked = _extract(corpus, usable, frontend, quiet)
        set_aside = dict(found.quarantine[["id", "reason"]].itertuples(index=False))
        quarantine += [
            {"id": i, "reason": str(set_aside[ask])} for i, ask in zip(usable["id"], asked) if ask in set_aside
        ]
        _refuse_too_many(corpus, quarantine, recipe.features.max_bad_share)
        held = {item: row for row, item in enumerate(found.ids)}
        rows = np.array([held.get(ask, -1) for ask in asked], dtype=np.int64)
        usable, values, rows = usable[rows >= 0], values[rows >= 0], rows[rows >= 0]
        usable = usable.assign(key=corpus.name + "/" + usable["id"], audio_sha=np.asarray(found.audio_sha)[rows])
        places.append(np.stack([np.full(len(rows), len(features)), rows], 1))
        tables.append(usable)
        targets.append(values)
        features.append(found)
        about.append(_about(corpus, usable, values, ratings, space, left_out, quarantine))
    if isinstance(frontend, VectorTable):
        _refuse_shared_vectors(tables, features, places)
    items = pd.concat(tables, ignore_index=True)
    soft = torch.from_numpy(np.concatenate(targets)).float()
    clips = Clips(features, np.concatenate(places))
    widths = {str(entry["name"]): found.dimensions for entry, found in zip(about, features)}
    if len(set(widths.values())) > 1:
        raise InputError(f"the corpora's features differ in size: {widths}; a run needs one")
    return Gathered(items, soft, space.names, clips, about, frontend.fingerprint)


def prepare(recipe: Recipe, gathered: Gathered | None = None, *, quiet: bool = False) -> Data:
    """Split the recipe's items, and prove that nothing leaks.

    Raises:
        InputError: a class without training items, a protocol that these corpora cannot fill, or
            what :func:`gather` raises.
        LeakError: a group that must stay apart crosses over.
    """
    gathered = gathered or gather(recipe, quiet=quiet)
    items, soft = gathered.items, gathered.targets
    split = make_split(recipe, items, soft.argmax(1).numpy())
    refuse_leaks(items, split, recipe.protocol.allow)
    empty = [name for name, mass in zip(gathered.names, soft[torch.tensor(split.train)].sum(0)) if mass == 0]
    if empty:
        raise InputError(
            f"class {', '.join(empty)} has no training item in the split {split.name!r}; leave it out of labels.names, "
            "or choose a protocol and corpora that leave some to train on"
        )
    normalise = recipe.features.normalise
    groups = normalised_groups(items, normalise.scope)
    normaliser = Normaliser.fit(gathered.clips, normalise.scope, split.train, groups, normalise.transductive)
    protocol = {
        "protocol": split.name,
        "keeps_apart": list(kept_apart(items, split)),
        "allowed": list(recipe.protocol.allow),
        "transductive": normalise.transductive and not set(groups or ()) <= set(np.array(groups)[split.train]),
    }
    geometries = [term.geometry for term in recipe.terms if isinstance(term, FSimilarityEntry)]
    about = {
        "corpora": gathered.about,
        "features": gathered.fingerprint,
        "normalise": normalise.model_dump(),
        **protocol,
    }
    return Data(
        items, soft, gathered.names, split, gathered.clips, normaliser, protocol,
        (geometries or ["fisher_rao"])[0], about,
    )  # fmt: skip


# What keeps an item from being used; other faults that check finds, such as clipping, do not.
TABLE_FAULTS = {"missing-id", "duplicate-id"}
RATING_FAULT = "rating left out"
MEDIA_FAULTS = {"no-media", "outside-root", "missing-file", "empty-file", "bad-times"}


def normalised_groups(items: pd.DataFrame, scope: str) -> list[str] | None:
    """Whose statistics each item is given, by the scope of normalisation; None where it has no groups."""
    corpora = items["corpus"].astype(str)
    match scope:
        case "corpus":
            return corpora.tolist()
        case "speaker":
            return (corpora + "/" + items["speaker"].fillna("").astype(str)).tolist()
    return None


def _labelled(
    corpus: Corpus, space: LabelSpace, recipe: Recipe
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, dict[str, int], list[dict[str, str]]]:
    """Items with a target, their targets, the ratings, why others have no target, and what is at fault."""
    fatal = TABLE_FAULTS | (MEDIA_FAULTS if isinstance(recipe.features, LogMelFeatures) else set())
    bad_items, bad_ratings = {}, {}
    for fault in check(corpus, read_media=False):
        if fault.column.startswith("ratings."):
            bad_ratings.setdefault(fault.row - 1, {"id": fault.item, "reason": f"{RATING_FAULT}: {fault.message}"})
        elif fault.problem in fatal:
            bad_items.setdefault(fault.row - 1, {"id": fault.item, "reason": fault.message})
    items = corpus.items.drop(index=corpus.items.index[list(bad_items)]).reset_index(drop=True)
    ratings = corpus.ratings.drop(index=corpus.ratings.index[list(bad_ratings)])
    ratings = ratings[ratings["item"].isin(items["id"])].reset_index(drop=True)
    label_map = {**corpus.card.label_map, **getattr(recipe.labels, "map", {})}
    made = space.targets(items, ratings, recipe.labels.dimension, label_map)
    has = np.isfinite(made.values).all(1)
    left_out = Counter(str(reason) for reason in np.asarray(made.reasons, dtype=object)[~has])
    quarantine = [*bad_items.values(), *bad_ratings.values()]
    return items.iloc[np.flatnonzero(has)].reset_index(drop=True), made.values[has], ratings, dict(left_out), quarantine


def _refuse_too_many(corpus: Corpus, quarantine: list[dict[str, str]], share: float) -> None:
    bad = [row for row in quarantine if not row["reason"].startswith(RATING_FAULT)]
    if len(bad) > share * len(corpus):
        first = "; ".join(f"{row['id']}: {row['reason']}" for row in bad[:3])
        raise InputError(
            f"{len(bad)} of {len(corpus)} items of corpus {corpus.name} are at fault, and a share of {share:g} is "
            f"allowed (features.max_bad_share): {first}; see all by: affectspace check {corpus.root}"
        )


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


def _extract(corpus: Corpus, items: pd.DataFrame, frontend: Any, quiet: bool) -> tuple[Features, list[str]]:
    """The features of a corpus, and the id under which each of ``items`` is to be found in them."""
    ids = items["id"].tolist()
    if isinstance(frontend, VectorTable):
        named = {*(everything := frontend.read(None, max_bad_share=1.0)).ids, *everything.quarantine["id"]}
        qualified = [f"{corpus.name}/{item}" for item in ids]
        asked = qualified if any(name in named for name in qualified) else ids
        return frontend.read(asked, max_bad_share=1.0), asked
    media = items[["id", "start", "end"]].assign(path=[str(corpus.root / path) for path in items["audio"]])
    return FeatureStore(cache_folder()).extract(media, frontend, max_bad_share=1.0, progress=not quiet), ids


def _about(corpus, items, values, ratings, space, left_out, quarantine) -> dict[str, Any]:
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
    }


def _digest(corpus: Corpus) -> str:
    """SHA-256 of both tables, so that a reader can tell whether the corpus has changed."""
    text = corpus.items.to_csv(index=False) + corpus.ratings.to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


def make_label_space(recipe: Recipe) -> LabelSpace:
    """The label space that the recipe names."""
    match recipe.labels:
        case ClassLabels() as labels:
            return Classes(labels.names, soft=labels.soft, others=labels.others)
        case PoleLabels() as labels:
            return Poles(labels.names, low=labels.low, high=labels.high)
        case LevelLabels() as labels:
            return Levels(labels.names, thresholds=labels.thresholds)


def make_frontend(recipe: Recipe) -> LogMel | VectorTable:
    """The front end that the recipe names."""
    match recipe.features:
        case LogMelFeatures() as features:
            return LogMel(bands=features.bands, level=features.level)
        case VectorFeatures() as features:
            paths = [features.path] if isinstance(features.path, str) else features.path
            return VectorTable(
                [str(Path(recipe.data) / path) for path in paths],
                id_column=features.id_column,
                columns=features.columns,
            )


def make_split(recipe: Recipe, items: pd.DataFrame, labels: np.ndarray) -> Split:
    """The recipe's protocol on these items; ``labels`` ``(items,)`` help to keep classes in validation."""
    match recipe.protocol:
        case CrossCorpus() as p:
            return cross_corpus(
                items, train=p.train, test=p.test, validate_share=p.validate_share, validate_by=p.validate_by,
                seed=p.seed, labels=labels,
            )  # fmt: skip
        case LeaveOneOut() as p:
            return leave_one_group_out(items, by=p.by, fold=_one_fold(p.fold))
        case GroupedFolds() as p:
            return grouped_k_fold(items, by=p.by, folds=p.folds, fold=_one_fold(p.fold), seed=p.seed, labels=labels)


def _one_fold(fold: int | str) -> int:
    if not isinstance(fold, int):
        raise InputError('protocol.fold is "all", and one run trains one fold; name one, or train all with train_folds')
    return fold


def cache_folder() -> Path:
    """Where extracted features are kept: ``$AFFECTSPACE_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("AFFECTSPACE_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else home / "affectspace"
