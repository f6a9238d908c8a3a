"""What an encoder is given: padded values with their true lengths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = ["Batch", "Modality", "pad"]


@dataclass
class Modality:
    """One of the modalities of a batch's items, such as their words.

    Args:
        values: ``(items, frames, dimensions)`` padded sequences, or ``(items, dimensions)`` vectors. What lies in
            padding, and in the row of an item that lacks the modality, is never looked at.
        lengths: ``(items,)`` true numbers of frames, 1 for a vector; 0 where the item lacks the modality.

    Example:
        >>> Modality(torch.randn(2, 5, 3), torch.tensor([4, 0])).present
        tensor([ True, False])
    """

    values: Tensor
    lengths: Tensor

    @property
    def present(self) -> Tensor:
        """``(items,)`` bool: which items have it."""
        return self.lengths > 0

    def to(self, device: torch.device | str) -> "Modality":
        """The same on a device."""
        return Modality(self.values.to(device, non_blocking=True), self.lengths.to(device, non_blocking=True))


@dataclass
class Batch:
    """Items side by side, and what a term may need to know of them.

    Args:
        values: ``(items, frames, bands)`` padded sequences, or ``(items, features)`` vectors; ``(items, 0)`` where
            the items are of several modalities, which lie in ``modalities``.
        lengths: ``(items,)`` true numbers of frames; 1 for vectors, and for items of several modalities.
        targets: ``(items, classes)`` probabilities, where they are known.
        anchors: how many leading items the classification terms look at; the others are there only
            to be compared with. None: all.
        triplets: ``(triplets, 3)`` rows of anchor, similar and dissimilar item within this batch.
        groups: ``(items,)`` number of each item's corpus, language and speaker, by those names; -1 unknown.
        progress: share of the training that is done, in ``[0, 1]``.
        modalities: those of the items by name, each with a row for every item; None where there is but ``values``.
        unlabelled: how many items without a label there are, behind the anchors, which classification terms do not see.
    """

    values: Tensor
    lengths: Tensor
    targets: Tensor | None = None
    anchors: int | None = None
    triplets: Tensor | None = None
    groups: dict[str, Tensor] | None = None
    progress: float = 0.0
    modalities: dict[str, Modality] | None = None
    unlabelled: int = 0

    def rows(self, start: int, end: int) -> "Batch":
        """The items from ``start`` to before ``end``, as a batch of their own, all of whose items are anchors."""
        tensors = {name: value[start:end] for name, value in vars(self).items() if isinstance(value, Tensor)}
        groups = self.groups and {name: codes[start:end] for name, codes in self.groups.items()}
        modalities = self.modalities and {
            name: Modality(modality.values[start:end], modality.lengths[start:end])
            for name, modality in self.modalities.items()
        }
        own = tensors | {"triplets": None, "groups": groups, "modalities": modalities}
        return replace(self, **own, anchors=None, unlabelled=0)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device; this very one where it is there already."""
        if self.values.device == torch.device(device):
            return self
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        groups = self.groups and {name: codes.to(device, non_blocking=True) for name, codes in self.groups.items()}
        moved = {name: value.to(device, non_blocking=True) for name, value in tensors.items()}
        modalities = self.modalities and {name: modality.to(device) for name, modality in self.modalities.items()}
        return replace(self, **moved, groups=groups, modalities=modalities)


def pad(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sequences ``(frames, bands)`` as ``(items, longest, bands)`` padded with zeros, and their lengths.

    Example:
        >>> values, lengths = pad([torch.ones(2, 3), torch.ones(4, 3)])
        >>> values.shape, lengths
        (torch.Size([2, 4, 3]), tensor([2, 4]))
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True), lengths
