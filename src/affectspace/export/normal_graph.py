"""z-normalisation of a batch, as a new item is given it."""

import torch
from torch import Tensor, nn

from affectspace.features import Normaliser
from affectspace.features.normalise import CONSTANT

__all__ = ["NormalGraph"]


class NormalGraph(nn.Module):
    """What :meth:`Normaliser.apply_new` gives of an item of no group, of many side by side.

    Args:
        normaliser: of a model. Of scope ``"item"`` each item is given its own statistics; of ``"speaker"``,
            ``"corpus"`` and ``"train"`` those of all training items.

    Shape:
        values ``(items, frames, dimensions)``, lengths ``(items,)``, to float32 of the values' shape. What lies behind
        the end of an item has no part in the others.

    Example:
        >>> import numpy as np
        >>> train = Normaliser.fit([np.array([[0.0], [2.0]]), np.array([[4.0]])], "item", [0, 1])
        >>> NormalGraph(train)(torch.tensor([[[0.0], [2.0], [9.0]]]), torch.tensor([2]))[0, :2, 0]
        tensor([-1.,  1.])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, normaliser: Normaliser):
        super().__init__()
        self.by_item = normaliser.scope == "item"
        pooled = normaliser.pooled
        self.register_buffer("mean", torch.zeros(1) if pooled is None else torch.from_numpy(pooled.mean.copy()))
        self.register_buffer("scale", torch.ones(1) if pooled is None else torch.from_numpy(pooled.scale.copy()))

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        if not self.by_item:
            return (values - self.mean) / self.scale
        inside = torch.arange(values.shape[1], device=values.device)[:, None] < lengths[:, None, None]
        wide, count = values.double(), lengths[:, None, None]
        mean = wide.masked_fill(~inside, 0).sum(1, keepdim=True) / count
        squares = (wide - mean).square().masked_fill(~inside, 0)
        spread = (squares.sum(1, keepdim=True) / count).sqrt()
        scale = torch.where(spread > CONSTANT * mean.abs(), spread, 1.0)
        return (values - mean.float()) / scale.float()
