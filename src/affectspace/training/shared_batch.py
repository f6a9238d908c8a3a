"""A batch that several processes encode together."""

from dataclasses import dataclass, replace

import torch

from affectspace.encoders import Batch

__all__ = ["SharedBatch"]


@dataclass
class SharedBatch(Batch):
    """What is known of all items of a batch without looking at them, and those items that this process looks at.

    ``values`` are ``(items, 0)``, as the items' are with whoever encodes them; ``lengths`` are 1.

    Args:
        own: the items of this process's share, with their values.

    Example:
        >>> own = Batch(torch.randn(2, 9), torch.ones(2))
        >>> batch = SharedBatch(torch.empty(5, 0), torch.ones(5), own=own)
        >>> len(batch.lengths), batch.to("cpu").own.values.shape
        (5, torch.Size([2, 9]))
    """

    own: Batch | None = None

    def to(self, device: torch.device | str) -> "SharedBatch":
        """The same on a device, its own share too."""
        moved, own = super().to(device), self.own
        assert isinstance(moved, SharedBatch), "it is of its own kind"
        return replace(moved, own=own and own.to(device))
