"""A multi-layer perceptron for vectors: functionals, word vectors, precomputed embeddings."""

import torch
from torch import nn

from affectspace.encoders.batch import Batch
from affectspace.encoders.outputs import Outputs

__all__ = ["MLP"]


class MLP(nn.Module):
    """Vectors to an embedding and class logits, through the same head as :class:`ConvPool`.

    Linear, ReLU, dropout -> FC1 (ReLU; the embedding, non-negative) -> FC2 (ReLU) -> logits.
    A sequence is averaged over its valid frames first; then inputs are cut at ``limit``.

    Args:
        bands: features per vector.
        classes: number of classes.
        hidden: units of every layer.
        dropout: share of inputs of FC1 left out while training, in ``[0, 1)``.
        limit: the largest magnitude of an input; what lies further out is moved there. None: no limit. For
            normalised features it counts standard deviations: statistics of a recording can lie thousands
            of them out, and one such number would drown all others.

    Shape:
        batch values ``(items, features)`` or ``(items, frames, features)``; embedding
        ``(items, hidden)``; logits ``(items, classes)``.

    Raises:
        ValueError: dropout outside ``[0, 1)``, or a limit that is not above 0.

    Example:
        >>> outputs = MLP(bands=88, classes=2)(Batch(torch.randn(3, 88), torch.ones(3)))
        >>> outputs.embedding.shape
        torch.Size([3, 128])
    """

    def __init__(self, bands: int, classes: int, hidden: int = 128, dropout: float = 0.0, limit: float | None = None):
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; it is a share in [0, 1)")
        if limit is not None and not limit > 0:
            raise ValueError(f"limit is {limit}; it is a magnitude above 0, such as 3, or None for no limit")
        self.limit = limit
        self.input = nn.Linear(bands, hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(hidden, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, classes)

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return {"embedding": self.fc1.out_features, "fc2": self.fc2.out_features}

    def forward(self, batch: Batch) -> Outputs:
        values = batch.values
        if values.ndim == 3:
            lengths = batch.lengths.to(values.device)
            inside = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
            values = values.masked_fill(~inside[..., None], 0).sum(1) / lengths[:, None]
        if self.limit is not None:
            values = values.clamp(-self.limit, self.limit)
        hidden = self.dropout(self.input(values).relu())
        embedding = self.fc1(hidden).relu()
        fc2 = self.fc2(embedding).relu()
        return Outputs(embedding, self.output(fc2), {"fc2": fc2})
