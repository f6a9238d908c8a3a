"""The blocks of a Transformer, on sequences of a fixed number of frames."""

from torch import Tensor, nn
from torch.nn import functional

from affectspace.encoders.layers import check_sizes, connected

__all__ = ["Attention", "DecoderBlock", "EncoderBlock"]


class Attention(nn.Module):
    """Attention of one sequence to another, or to itself, by several heads.

    Heads are as wide as the dimensions divided by their number, rounded up, so that any number of heads will do: the
    four of 342 dimensions, as published, are 86 wide each.

    Args:
        dimensions: of a frame.
        heads: how many.

    Shape:
        queries ``(items, frames, dimensions)``, others ``(items, other frames, dimensions)``, seen
        ``(items, other frames)`` bool, of which each item must have one: to the queries' shape.

    Raises:
        ValueError: heads that are not from 1 to ``dimensions``.

    Source: Vaswani et al., "Attention Is All You Need", NIPS 2017.

    Example:
        >>> import torch
        >>> Attention(dimensions=6, heads=4)(torch.randn(2, 3, 6), torch.randn(2, 5, 6)).shape
        torch.Size([2, 3, 6])
    """

    def __init__(self, dimensions: int, heads: int):
        super().__init__()
        check_sizes(dimensions=dimensions)
        if not 1 <= heads <= dimensions:
            raise ValueError(f"heads is {heads}; frames of {dimensions} dimensions allow 1 to {dimensions} of them")
        self.heads = heads
        together = heads * -(-dimensions // heads)
        self.query = nn.Linear(dimensions, together)
        self.key = nn.Linear(dimensions, together)
        self.value = nn.Linear(dimensions, together)
        self.output = nn.Linear(together, dimensions)

    def forward(self, queries: Tensor, others: Tensor, seen: Tensor | None = None) -> Tensor:
        query, key, value = (
            layer(frames).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, frames in ((self.query, queries), (self.key, others), (self.value, others))
        )
        mask = None if seen is None else seen[:, None, None]
        heads = functional.scaled_dot_product_attention(query, key, value, mask)
        return self.output(heads.transpose(1, 2).flatten(2))


class EncoderBlock(nn.Module):
    """Attention of a sequence to itself, and two layers on each frame; each is added to what it sees and normalised.

    The two layers are as wide as a frame: that is the one width that Liang et al. give (Vaswani et al. have four times
    as much), and no dropout is told.

    Shape:
        frames ``(items, frames, dimensions)``, seen ``(items, frames)`` bool, to the frames' shape. Frames that are not
        seen have no part in the others; what comes out of them is meaningless.

    Example:
        >>> import torch
        >>> EncoderBlock(6, heads=2)(torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)).shape
        torch.Size([2, 3, 6])
    """

    def __init__(self, dimensions: int, heads: int):
        super().__init__()
        self.attention, self.after_attention = Attention(dimensions, heads), nn.LayerNorm(dimensions)
        self.layers, self.after_layers = connected([dimensions] * 3), nn.LayerNorm(dimensions)

    def forward(self, frames: Tensor, seen: Tensor) -> Tensor:
        frames = self.after_attention(frames + self.attention(frames, frames, seen))
        return self.after_layers(frames + self.layers(frames))


class DecoderBlock(nn.Module):
    """Attention of a sequence to itself, then to another, and two layers on each frame, as in :class:`EncoderBlock`.

    Shape:
        frames ``(items, frames, dimensions)`` and memory ``(items, other frames, dimensions)`` to the frames' shape.

    Example:
        >>> import torch
        >>> DecoderBlock(6, heads=2)(torch.randn(2, 3, 6), torch.randn(2, 5, 6)).shape
        torch.Size([2, 3, 6])
    """

    def __init__(self, dimensions: int, heads: int):
        super().__init__()
        self.attention, self.after_attention = Attention(dimensions, heads), nn.LayerNorm(dimensions)
        self.to_memory, self.after_memory = Attention(dimensions, heads), nn.LayerNorm(dimensions)
        self.layers, self.after_layers = connected([dimensions] * 3), nn.LayerNorm(dimensions)

    def forward(self, frames: Tensor, memory: Tensor) -> Tensor:
        frames = self.after_attention(frames + self.attention(frames, frames))
        frames = self.after_memory(frames + self.to_memory(frames, memory))
        return self.after_layers(frames + self.layers(frames))
