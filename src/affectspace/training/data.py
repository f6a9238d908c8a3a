"""The items of a run, by row, and the batches made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.encoders import Batch, pad
from affectspace.features import Normaliser, Views
from affectspace.labels import Cut
from affectspace.protocols import PARTS, Split
from affectspace.samplers import TripletIndices
from affectspace.training.gather import Clips, Hearing

__all__ = ["GROUPS", "Data", "Measured"]


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
        items: the usable items of all corpora; ``key`` is corpus/id, ``audio_sha`` what is heard.
        targets: ``(items, classes)`` probabilities, from which a net learns.
        classes: the names of the classes that it learns.
        split: rows to train on, validate on and test on, of whole unseen corpora too.
        clips: each item's features ``(frames, dimensions)``.
        normaliser: the mean and scale for each item.
        protocol: what the split keeps apart and allows, for the records.
        about: the content of ``data.json``.
        samples: each item's waveform, where training items are augmented by it.
        views: how training sees pictures; None: as they are, or there are none.
        whole: where ``targets`` and ``classes`` are those of sub-classes, the classes that they lie in.
        numbers: ``(items,)`` of which levels were made, None of other labels.
        cut: where they were cut, and what number each level stands for, by training items alone.
        scales: mean and scale of the items met so far.
    """

    items: pd.DataFrame
    targets: Tensor
    classes: tuple[str, ...]
    split: Split
    clips: Clips
    normaliser: Normaliser
    protocol: dict[str, Any]
    about: dict[str, Any]
    samples: Clips | None = None
    views: Views | None = None
    whole: Measured | None = None
    numbers: np.ndarray | None = None
    cut: Cut | None = None
    scales: dict[int, tuple[Any, Any]] = field(default_factory=dict, repr=False)

    @property
    def measured(self) -> Measured:
        """By what a net is measured: the classes, whatever sub-classes of them it learns."""
        return self.whole or Measured(self.targets, self.classes)

    @property
    def dimensions(self) -> int:
        """Numbers in a frame."""
        return self.clips.sources[0].dimensions

    @cached_property
    def vectors(self) -> bool:
        """Whether every item is a single vector."""
        return bool((self.clips.lengths == 1).all())

    @cached_property
    def _normalised(self) -> Tensor:
        """All vectors ``(items, dimensions)``, normalised: few enough to stay in memory."""
        values = np.concatenate([self.clips[row] for row in range(len(self.clips))], dtype=np.float32)
        for row in range(len(values)):
            mean, scale = self.normaliser(row)
            values[row] = (values[row] - mean) / scale
        return torch.from_numpy(values)

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

    def batch(self, rows: np.ndarray) -> Batch:
        """The items of ``rows``, normalised; sequences are padded."""
        lengths, chosen = self.clips.lengths[rows], torch.from_numpy(rows)
        if self.vectors:
            return Batch(self._normalised[chosen], torch.from_numpy(lengths), self.targets[chosen])
        values = np.zeros((len(rows), lengths.max(), self.dimensions), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            if row not in self.scales:  # an item's own mean and variance cost more than a step's share of it
                self.scales[row] = self.normaliser(row)
            mean, scale = self.scales[row]
            values[place, : lengths[place]] = (self.clips[row] - mean) / scale
        return Batch(torch.from_numpy(values), torch.from_numpy(lengths), self.targets[chosen])

    def heard(self, rows: np.ndarray, roles: Sequence[str], hear: Hearing, epoch: int) -> Batch:
        """The items of ``rows`` as augmentation makes them sound in an epoch, normalised and padded."""
        clips = [torch.from_numpy(hear(row, epoch, role)) for row, role in zip(rows.tolist(), roles)]
        return Batch(*pad(clips), self.targets[torch.from_numpy(rows)])

    def training_batch(
        self, indices: np.ndarray | TripletIndices, hear: Hearing | None = None, epoch: int = 0, seed: int = 0
    ) -> Batch:
        """What a sampler over the training items asks for: anchors first, then their partners.

        Args:
            indices: rows among the training items.
            hear: augments them, where they are augmented.
            epoch: from 0; an item sounds, or looks, otherwise in each.
            seed: of the run, from which views of pictures follow.
        """
        batch = self._drawn(indices, hear, epoch)
        if self.views is not None:
            batch.values = self.views.training(batch.values, self._seen_as(indices), seed, epoch)
        return batch

    def _drawn(self, indices: np.ndarray | TripletIndices, hear: Hearing | None, epoch: int) -> Batch:
        if not isinstance(indices, TripletIndices):
            rows = self.split.train[indices]
            batch = self.batch(rows) if hear is None else self.heard(rows, ["anchor"] * len(rows), hear, epoch)
            batch.groups = self._groups_of(rows)
            return batch
        anchor, similar, dissimilar = indices
        count = len(anchor)
        whole = np.flatnonzero(similar >= 0)
        rows = self.split.train[np.concatenate([anchor, similar[whole], dissimilar[whole]])]
        if hear is None:
            batch = self.batch(rows)
        else:
            roles = ["anchor"] * count + ["similar"] * len(whole) + ["dissimilar"] * len(whole)
            batch = self.heard(rows, roles, hear, epoch)
        partner = count + np.arange(len(whole))
        batch.groups = self._groups_of(rows)
        batch.anchors = count
        batch.triplets = torch.from_numpy(np.stack([whole, partner, partner + len(whole)], 1))
        return batch

    def _groups_of(self, rows: np.ndarray) -> dict[str, Tensor]:
        return {column: codes[torch.from_numpy(rows)] for column, codes in self._groups.items()}

    def _seen_as(self, indices: np.ndarray | TripletIndices) -> list[str]:
        """What names each view of a batch: the item, and why it is there, since a partner is seen in another way."""
        keys = self.training_ids(indices)
        if not isinstance(indices, TripletIndices):
            return keys
        whole = (len(keys) - len(indices.anchor)) // 2
        roles = ["anchor"] * len(indices.anchor) + ["similar"] * whole + ["dissimilar"] * whole
        return [f"{key} {role}" for key, role in zip(keys, roles)]

    def training_ids(self, indices: np.ndarray | TripletIndices) -> list[str]:
        """The items of a training batch by key, in its order."""
        if isinstance(indices, TripletIndices):
            whole = indices.similar >= 0
            indices = np.concatenate([indices.anchor, indices.similar[whole], indices.dissimilar[whole]])
        return self.items["key"].iloc[self.split.train[indices]].tolist()

    @cached_property
    def split_table(self) -> pd.DataFrame:
        """One row an item: its part, and its groups, by which a later test proves that it knows none of them."""
        columns = ["key", "id", "corpus", "language", "speaker", "session", "script", "text", "audio_sha"]
        parts = {part: getattr(self.split, part) for part in PARTS}
        tables = [self.items.iloc[rows][columns].assign(part=part) for part, rows in parts.items()]
        return pd.concat(tables, ignore_index=True)


def _named(items: pd.DataFrame, column: str) -> pd.Series:
    names = items[column].astype("string")
    names = names.mask(names.str.strip() == "")
    return items["corpus"].astype("string") + "/" + names if column == "speaker" else names
