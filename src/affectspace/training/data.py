"""The items of a run, by row, and the batches made of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.encoders import Batch, Modality, pad
from affectspace.features import Hearing, Normaliser, Views
from affectspace.labels import Cut
from affectspace.protocols import PARTS, Split
from affectspace.samplers import MixedIndices, TripletIndices
from affectspace.training.inputs import Clips, Inputs
from affectspace.training.shared_batch import SharedBatch

__all__ = ["GROUPS", "Data", "Measured"]


Drawn = TypeVar("Drawn", bound=Batch)
Indices = np.ndarray | TripletIndices | MixedIndices
NO_ROWS = np.empty(0, np.int64)
GROUPS = ("corpus", "language", "speaker")  # what a term may know of a training item besides its label


@dataclass(frozen=True)
class Measured:
    """By which classes a net is measured: those that it learns, or those in which the sub-classes lie that it learns.

    Args:
        targets: ``(items, classes)`` probabilities.
        classes: the classes' names.
        parents: ``(sub-classes,)`` int64, the class of each sub-class that the net learns, of every class one or more;
            None: it learns the classes themselves.
    """

    targets: Tensor
    classes: tuple[str, ...]
    parents: Tensor | None = None


@dataclass(frozen=True)
class Data:
    """The items of one run, by row.

    Args:
        items: the usable items of all corpora; ``key`` is corpus/id, ``audio_sha`` what is heard or seen,
            parted by spaces where it is several media.
        targets: ``(items, classes)`` probabilities, from which a net learns; NaN of an item that has none.
        classes: the names of the classes that it learns.
        split: rows to train on, validate on and test on, of whole unseen corpora too.
        inputs: each item's features, normalised, by modality; of a single one by the name ``features``.
        several: whether the items are of several modalities.
        protocol: what the split keeps apart and allows, for the records.
        about: the content of ``data.json``.
        samples: each item's waveform, where training items are augmented by it.
        views: how training sees pictures; None: as they are, or there are none.
        whole: where ``targets`` and ``classes`` are those of sub-classes, the classes that they lie in.
        numbers: ``(items,)`` of which levels were made, None of other labels.
        cut: where they were cut, and what number each level stands for, by training items alone.
        unlabelled: rows that are trained on without a label.
    """

    items: pd.DataFrame
    targets: Tensor
    classes: tuple[str, ...]
    split: Split
    inputs: dict[str, Inputs]
    several: bool
    protocol: dict[str, Any]
    about: dict[str, Any]
    samples: Clips | None = None
    views: Views | None = None
    whole: Measured | None = None
    numbers: np.ndarray | None = None
    cut: Cut | None = None
    unlabelled: np.ndarray = field(default_factory=lambda: NO_ROWS)

    @property
    def measured(self) -> Measured:
        """By what a net is measured: the classes, whatever sub-classes of them it learns."""
        return self.whole or Measured(self.targets, self.classes)

    @property
    def clips(self) -> Clips:
        """The features of items of a single modality."""
        return self._only.clips

    @property
    def normaliser(self) -> Normaliser:
        """The mean and scale of each item of a single modality."""
        return self._only.normaliser

    @property
    def dimensions(self) -> int | dict[str, int]:
        """Numbers in a frame; of several modalities in one of each."""
        sizes = {name: each.clips.dimensions for name, each in self.inputs.items()}
        return sizes if self.several else self.clips.dimensions

    @cached_property
    def lengths(self) -> np.ndarray:
        """``(items,)`` frames of each item, of its longest modality."""
        return np.max([each.clips.lengths for each in self.inputs.values()], axis=0)

    @property
    def vectors(self) -> bool:
        """Whether every item is a single vector, or one of each modality."""
        return all(each.vectors for each in self.inputs.values())

    @property
    def _only(self) -> Inputs:
        assert not self.several, "these items are of several modalities"
        return self.inputs["features"]

    @cached_property
    def group_names(self) -> dict[str, list[str]]:
        """The corpora, languages and speakers of the training items, by name; a speaker is corpus/name."""
        training = self.items.iloc[self.split.train]
        return {column: sorted(_named(training, column).dropna().unique()) for column in GROUPS}

    @cached_property
    def _groups(self) -> dict[str, Tensor]:
        """The number of each item's corpus, language and speaker among those that train; -1 where it has none there."""
        codes = {
            column: pd.Index(names).get_indexer(pd.Index(_named(self.items, column))).astype(np.int64)
            for column, names in self.group_names.items()
        }
        return {column: torch.from_numpy(code) for column, code in codes.items()}

    def training_groups(self, column: str) -> np.ndarray:
        """``(training items,)`` the number of each one's corpus, language or speaker; -1 where it has none."""
        return self._groups[column].numpy()[self.split.train]

    def batch(self, rows: np.ndarray) -> Batch:
        """The items of ``rows``, normalised; sequences are padded."""
        targets = self.targets[torch.from_numpy(rows)]
        if not self.several:
            return Batch(*self._only.read(rows), targets)
        modalities = {name: Modality(*each.read(rows)) for name, each in self.inputs.items()}
        lengths = torch.ones(len(rows), dtype=torch.long)
        return Batch(torch.empty(len(rows), 0), lengths, targets, modalities=modalities)

    def showing(self, names: Collection[str]) -> "Data":
        """The same items as if they had no modalities but these."""
        inputs = {name: each if name in names else replace(each, shown=False) for name, each in self.inputs.items()}
        return replace(self, inputs=inputs)

    def heard(self, rows: np.ndarray, roles: Sequence[str], hear: Hearing, epoch: int) -> Batch:
        """The items of ``rows`` as augmentation makes them sound in an epoch, normalised and padded."""
        clips = [torch.from_numpy(hear(row, epoch, role)) for row, role in zip(rows.tolist(), roles)]
        return Batch(*pad(clips), self.targets[torch.from_numpy(rows)])

    def training_batch(self, indices: Indices, hear: Hearing | None = None, epoch: int = 0, seed: int = 0) -> Batch:
        """What a sampler over the training items asks for: anchors first, then their partners, or unlabelled items.

        Args:
            indices: rows among the training items, and among the unlabelled ones.
            hear: augments them, where they are augmented.
            epoch: from 0; an item sounds, or looks, otherwise in each.
            seed: of the run, from which views of pictures follow.
        """
        return self._told_of(self._looked_at(indices, slice(None), hear, epoch, seed), indices)

    def shared_batch(
        self, indices: Indices, share: tuple[int, int], hear: Hearing | None = None, epoch: int = 0, seed: int = 0
    ) -> SharedBatch:
        """The same batch where others encode all of its rows but those from ``share[0]`` to before ``share[1]``.

        None but these is read, and each is what it is in :meth:`training_batch`, to its padding.
        """
        rows = self._drawn_rows(indices)[0]
        own = self._looked_at(indices, slice(*share), hear, epoch, seed)
        batch = SharedBatch(torch.empty(len(rows), 0), torch.ones(len(rows), dtype=torch.long), own=own)
        batch.targets = self.targets[torch.from_numpy(rows)]
        return self._told_of(batch, indices)

    def _looked_at(self, indices: Indices, part: slice, hear: Hearing | None, epoch: int, seed: int) -> Batch:
        """Some items of what is drawn, with their values."""
        rows, roles = self._drawn_rows(indices)
        rows, roles = rows[part], roles[part]
        batch = self.batch(rows) if hear is None else self.heard(rows, roles, hear, epoch)
        if self.views is not None:
            batch.values = self.views.training(batch.values, self._seen_as(indices)[part], seed, epoch)
        return batch

    def _told_of(self, batch: Drawn, indices: Indices) -> Drawn:
        """The batch with what is known of its items beside their targets."""
        batch.groups = self._groups_of(self._drawn_rows(indices)[0])
        match indices:
            case TripletIndices(anchor, similar, _):
                whole = np.flatnonzero(similar >= 0)
                partner = len(anchor) + np.arange(len(whole))
                batch.anchors = len(anchor)
                batch.triplets = torch.from_numpy(np.stack([whole, partner, partner + len(whole)], 1))
            case MixedIndices(labelled, unlabelled):
                batch.anchors, batch.unlabelled = len(labelled), len(unlabelled)
        return batch

    def _drawn_rows(self, indices: Indices) -> tuple[np.ndarray, list[str]]:
        """The rows of a batch, and why each is there: an item sounds, and looks, otherwise for another reason."""
        match indices:
            case TripletIndices(anchor, similar, dissimilar):
                whole = similar >= 0
                roles = ["anchor"] * len(anchor) + ["similar"] * whole.sum() + ["dissimilar"] * whole.sum()
                return self.split.train[np.concatenate([anchor, similar[whole], dissimilar[whole]])], roles
            case MixedIndices(labelled, unlabelled):
                rows = np.concatenate([self.split.train[labelled], self.unlabelled[unlabelled]])
                return rows, ["anchor"] * len(labelled) + ["unlabelled"] * len(unlabelled)
        return self.split.train[indices], ["anchor"] * len(indices)

    def drawn_items(self, indices: Indices) -> int:
        """How many items a training batch has, with partners and unlabelled ones."""
        return len(self._drawn_rows(indices)[0])

    def _groups_of(self, rows: np.ndarray) -> dict[str, Tensor]:
        return {column: codes[torch.from_numpy(rows)] for column, codes in self._groups.items()}

    def _seen_as(self, indices: Indices) -> list[str]:
        """What names each view of a batch: the item, and why it is there where batches hold others than anchors."""
        keys, roles = self.training_ids(indices), self._drawn_rows(indices)[1]
        return keys if isinstance(indices, np.ndarray) else [f"{key} {role}" for key, role in zip(keys, roles)]

    def training_ids(self, indices: Indices) -> list[str]:
        """The items of a training batch by key, in its order."""
        return self.items["key"].iloc[self._drawn_rows(indices)[0]].tolist()

    @cached_property
    def split_table(self) -> pd.DataFrame:
        """One row an item: its part, and its groups, by which a later test proves that it knows none of them."""
        columns = ["key", "id", "corpus", "language", "speaker", "session", "script", "text", "audio_sha"]
        parts = {part: getattr(self.split, part) for part in PARTS} | {"unlabelled": self.unlabelled}
        tables = [self.items.iloc[rows][columns].assign(part=part) for part, rows in parts.items()]
        return pd.concat(tables, ignore_index=True)


def _named(items: pd.DataFrame, column: str) -> pd.Series:
    names = items[column].astype("string")
    names = names.mask(names.str.strip() == "")
    return items["corpus"].astype("string") + "/" + names if column == "speaker" else names
