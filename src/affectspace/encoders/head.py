"""What stands on every image trunk: the embedding, and the logits of it."""

import torch
from torch import Tensor, nn

from affectspace.encoders.outputs import Outputs

__all__ = ["EmbeddingHead"]


class EmbeddingHead(nn.Module):
    """Features -> dropout -> embedding -> logits, in float32 whatever the trunk computed in.

    The embedding is a plain linear output, as the Gaussian manifold wants it; ``non_negative`` puts it into the
    non-negative orthant, which f-similarity needs. The output layer is made last, so that equal seeds give equal
    embeddings to begin with, however many classes there are.

    Args:
        features: of the trunk.
        classes: number of classes.
        dimensions: of the embedding.
        non_negative: whether a ReLU follows the embedding.
        dropout: share of features left out while training, in ``[0, 1)``.
        probe: whether the output layer only reads the embedding, and sends no gradient into it.

    Shape:
        ``(items, features)`` to embedding ``(items, dimensions)``, logits ``(items, classes)`` and layers
        ``features`` ``(items, features)``.

    Raises:
        ValueError: dropout outside ``[0, 1)``.

    Example:
        >>> outputs = EmbeddingHead(512, classes=8)(torch.randn(3, 512))
        >>> outputs.embedding.shape, outputs.logits.shape
        (torch.Size([3, 64]), torch.Size([3, 8]))
    """

    def __init__(
        self,
        features: int,
        classes: int,
        dimensions: int = 64,
        non_negative: bool = False,
        dropout: float = 0.0,
        probe: bool = False,
    ):
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; it is a share in [0, 1)")
        self.probe = probe
        self.dropout = nn.Dropout(dropout)
        self.embedding = nn.Linear(features, dimensions)
        self.activation = nn.ReLU() if non_negative else nn.Identity()
        self.output = nn.Linear(dimensions, classes)

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return {"embedding": self.embedding.out_features, "features": self.embedding.in_features}

    def forward(self, features: Tensor) -> Outputs:
        # A thousandth of a trunk's work: low precision would cost digits and gain no time.
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            embedding = self.activation(self.embedding(self.dropout(features)))
            logits = self.output(embedding.detach() if self.probe else embedding)
            return Outputs(embedding, logits, {"features": features})
