"""Items split into those to train on and those to test on: batches of them, and the proof that nothing leaks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.encoders import Batch
from affectspace.errors import InputError
from affectspace.features import Normaliser
from affectspace.protocols import Split, cross_corpus, grouped_k_fold, kept_apart, leave_one_group_out, refuse_leaks
from affectspace.samplers import TripletIndices
from affectspace.training.gather import Clips, Gathered, gather
from affectspace.training.recipe import CrossCorpus, FSimilarityEntry, GroupedFolds, LeaveOneOut, Recipe

__all__ = ["Data", "make_split", "normalised_groups", "prepare"]


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


def normalised_groups(items: pd.DataFrame, scope: str) -> list[str] | None:
    """Whose statistics each item is given, by the scope of normalisation; None where it has no groups."""
    corpora = items["corpus"].astype(str)
    match scope:
        case "corpus":
            return corpora.tolist()
        case "speaker":
            return (corpora + "/" + items["speaker"].fillna("").astype(str)).tolist()
    return None


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
