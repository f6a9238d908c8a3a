"""What an encoder gives back."""

from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["Outputs"]


@dataclass
class Outputs:
    """The learned vectors of a batch.

    Args:
        embedding: ``(items, dimensions)``, the space that losses shape and people search.
        logits: ``(items, classes)``, before the softmax.
        layers: other layers by name, for a term that reads one; the latents ``(items, latent)`` of modalities are.
        reconstructions: what was made of the latents again, by modality, in the shape of what is to be reconstructed.
    """

    embedding: Tensor
    logits: Tensor
    layers: dict[str, Tensor] = field(default_factory=dict)
    reconstructions: dict[str, Tensor] = field(default_factory=dict)

    def rows(self, start: int, end: int) -> "Outputs":
        """Those of the items from ``start`` to before ``end``."""
        layers, made = (
            {name: value[start:end] for name, value in named.items()} for named in (self.layers, self.reconstructions)
        )
        return Outputs(self.embedding[start:end], self.logits[start:end], layers, made)
