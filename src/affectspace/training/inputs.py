"""The features of a run's items, as batches read them: where they lie, and normalised."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affectspace.features import Features, Normaliser

__all__ = ["Clips", "Inputs"]


class Clips(Sequence[np.ndarray]):
    """The features of several corpora as one sequence; each stays where it is, mapped from its file.

    Args:
        sources: features of one size.
        places: ``(items, 2)`` which source, and which row in it; -1 for an item that has none, whose length is 0.
    """

    def __init__(self, sources: Sequence[Features], places: np.ndarray):
        self.sources = list(sources)
        self.places = places
        self.lengths = np.array(
            [self.sources[source].lengths[row] if row >= 0 else 0 for source, row in places], dtype=np.int64
        )

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, row):
        source, place = self.places[row]
        if place < 0:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return np.asarray(self.sources[source][int(place)])

    @property
    def dimensions(self) -> int:
        """Numbers in a frame."""
        return self.sources[0].dimensions


@dataclass(frozen=True)
class Inputs:
    """The features of every item, and how each is normalised.

    Args:
        clips: each item's features ``(frames, dimensions)``.
        normaliser: the mean and scale for each item.
        sequences: whether the net reads sequences, even where each of them has a single frame.
        shown: whether they are; if not, no item has any.
        scales: mean and scale of the items met so far.
    """

    clips: Clips
    normaliser: Normaliser
    sequences: bool = False
    shown: bool = True
    scales: dict[int, tuple[Any, Any]] = field(default_factory=dict, repr=False)

    @cached_property
    def vectors(self) -> bool:
        """Whether every item that has any is a single vector, and read as one."""
        return not self.sequences and bool((self.clips.lengths <= 1).all())

    def read(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """The items of ``rows``, normalised: vectors, or sequences padded with zeros; and their lengths."""
        if not self.shown:
            frames = () if self.vectors else (1,)
            values = torch.zeros(len(rows), *frames, self.clips.dimensions)
            return values, torch.zeros(len(rows), dtype=torch.long)
        lengths = self.clips.lengths[rows]
        if self.vectors:
            return self._normalised[torch.from_numpy(rows)], torch.from_numpy(lengths)
        values = np.zeros((len(rows), lengths.max(), self.clips.dimensions), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            if not lengths[place]:
                continue
            if row not in self.scales:  # an item's own mean and variance cost more than a step's share of it
                self.scales[row] = self.normaliser(row)
            mean, scale = self.scales[row]
            values[place, : lengths[place]] = (self.clips[row] - mean) / scale
        return torch.from_numpy(values), torch.from_numpy(lengths)

    @cached_property
    def _normalised(self) -> Tensor:
        """All vectors ``(items, dimensions)``, normalised: few enough to stay in memory."""
        values = np.zeros((len(self.clips), self.clips.dimensions), dtype=np.float32)
        for row in np.flatnonzero(self.clips.lengths).tolist():
            mean, scale = self.normaliser(row)
            values[row] = (self.clips[row][0] - mean) / scale
        return torch.from_numpy(values)
