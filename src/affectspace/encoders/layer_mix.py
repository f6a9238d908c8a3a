"""Hidden states of a speech model to an embedding: layers weighed by what is learned, then frames pooled."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectspace.encoders.attentive_pooling import AttentiveStatistics
from affectspace.encoders.batch import Batch
from affectspace.encoders.head import EmbeddingHead
from affectspace.encoders.outputs import Outputs

__all__ = ["POOLINGS", "LayerMix", "MixedLayers"]

POOLINGS = ("mean", "attentive")


class LayerMix(nn.Module):
    """Hidden states that were made before to an embedding and class logits.

    :class:`MixedLayers`, then the head of :class:`ImageEncoder`.

    Args:
        width: numbers in a hidden state.
        layers: hidden states that there are.
        classes: number of classes.
        dimensions: of the embedding.
        frames: whether items have frames, each with all layers side by side; else an item's frames are its layers, the
            means over its time.
        pooling: over frames: ``"mean"``, or ``"attentive"`` statistics.
        layer_norm: whether each state is brought to mean 0 and variance 1 first.
        non_negative: whether a ReLU follows the embedding, as f-similarity needs.
        dropout: share of the pooled features left out while training, in ``[0, 1)``.
        probe: whether the output layer only reads the embedding, and sends no gradient into it.

    Shape:
        batch values ``(items, layers, width)``, or with frames ``(items, frames, layers * width)``; embedding
        ``(items, dimensions)``; logits ``(items, classes)``; layers ``features``, what was pooled.

    Raises:
        ValueError: dropout outside ``[0, 1)``, a pooling that there is not, attention to frames where there are none,
            or items of another number of layers.

    Example:
        >>> net = LayerMix(width=768, layers=13, classes=4)
        >>> net(Batch(torch.randn(3, 13, 768), torch.full((3,), 13))).embedding.shape
        torch.Size([3, 64])
        >>> [round(weight, 3) for weight in net.mixed.weights.tolist()[:2]]
        [0.077, 0.077]
    """

    def __init__(
        self,
        width: int,
        layers: int,
        classes: int,
        dimensions: int = 64,
        frames: bool = False,
        pooling: str = "mean",
        layer_norm: bool = True,
        non_negative: bool = False,
        dropout: float = 0.0,
        probe: bool = False,
    ):
        super().__init__()
        if pooling == "attentive" and not frames:
            raise ValueError("attentive pooling needs frames, and these states are means over time; keep their frames")
        self.width, self.frames = width, frames
        self.mixed = MixedLayers(width, layers, pooling, layer_norm)
        self.head = EmbeddingHead(self.mixed.features, classes, dimensions, non_negative, dropout, probe)

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return self.head.sizes

    def forward(self, batch: Batch) -> Outputs:
        if self.frames:
            states, lengths = batch.values.unflatten(-1, (-1, self.width)), batch.lengths
        else:
            states, lengths = batch.values[:, None], torch.ones_like(batch.lengths)
        return self.head(self.mixed(states, lengths))


class MixedLayers(nn.Module):
    r"""Hidden states :math:`h_{tl}` of frames and layers to one vector an item.

    .. math:: x_t = \sum_l \mathrm{softmax}(w)_l \; \mathrm{LN}(h_{tl})

    and the mean, or :class:`AttentiveStatistics`, of :math:`x_t` over the frames of the item. Weights begin equal.
    Without normalisation a state weighs by its size too, which differs from layer to layer by orders of magnitude.

    Args:
        width: numbers in a hidden state.
        layers: how many states there are.
        pooling: ``"mean"`` or ``"attentive"``.
        layer_norm: whether each state is brought to mean 0 and variance 1 first, nothing of which is learned.

    Shape:
        states ``(items, frames, layers, width)``, lengths ``(items,)`` true numbers of frames, to
        ``(items, features)``: ``width``, twice that of statistics. What lies behind the end of an item has no part.

    Raises:
        ValueError: a pooling that there is not, or states of another number of layers.

    Source: Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark", Interspeech 2021.

    Example:
        Two layers of equal weight, of a single frame:

        >>> mixed = MixedLayers(width=2, layers=2, layer_norm=False)
        >>> mixed(torch.tensor([[[[1.0, 3.0], [3.0, 5.0]]]]), torch.tensor([1])).detach()
        tensor([[2., 4.]])
    """

    def __init__(self, width: int, layers: int, pooling: str = "mean", layer_norm: bool = True):
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is {pooling!r}; legal: {', '.join(POOLINGS)}")
        self.layer_norm = layer_norm
        self.scores = nn.Parameter(torch.zeros(layers))
        self.statistics = AttentiveStatistics(width) if pooling == "attentive" else None
        self.features = width if self.statistics is None else 2 * width

    @property
    def weights(self) -> Tensor:
        """``(layers,)`` of how much part each layer has, 1 in all."""
        return self.scores.detach().float().softmax(0)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        if states.shape[2] != len(self.scores):
            raise ValueError(f"items have {states.shape[2]} layers, and this net weighs {len(self.scores)}")
        # Sums over layers and frames are a thousandth of a model's work: low precision would only cost digits.
        with torch.autocast(states.device.type, enabled=False):
            inside = torch.arange(states.shape[1], device=states.device) < lengths.to(states.device)[:, None]
            states = states.to(self.scores.dtype).masked_fill(~inside[..., None, None], 0)
            if self.layer_norm:
                states = functional.layer_norm(states, states.shape[-1:])
            frames = torch.einsum("l,ntlw->ntw", self.scores.softmax(0), states)
            if self.statistics is not None:
                return self.statistics(frames, inside)
            return frames.masked_fill(~inside[..., None], 0).sum(1) / inside.sum(1, keepdim=True)
