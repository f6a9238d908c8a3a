"""An autoencoder of vectors: linear layers down to a latent, and back."""

from collections.abc import Sequence

from torch import Tensor, nn

from affectspace.encoders.frames import present_vectors
from affectspace.encoders.layers import check_sizes, connected

__all__ = ["LinearAutoencoder"]


class LinearAutoencoder(nn.Module):
    """Vectors to a latent, and the latent to the vectors.

    ReLU follows each layer but the latent and the reconstruction, which may be anything; the paper names no activation.

    Args:
        dimensions: of a vector.
        latent: dimensions of the latent.
        hidden: units of the layers between, from the vector down; the way back is the same from below.

    Shape:
        ``encode``: values ``(items, dimensions)``, lengths ``(items,)``, 0 where an item has no vector, to
        ``(items, latent)``; ``decode``: back to ``(items, dimensions)``; ``target``: of values and lengths, what is to
        be reconstructed ``(items, dimensions)`` and which items count ``(items,)``.

    Raises:
        ValueError: a size below 1; values of another shape.

    Source: Liang, Li & Jin, "Semi-supervised Multi-modal Emotion Recognition with Cross-Modal Distribution Matching",
    ACM Multimedia 2020, Figure 3 and Table 3.

    Example:
        >>> import torch
        >>> net = LinearAutoencoder.acoustic()
        >>> latent = net.encode(torch.randn(3, 1582), torch.tensor([1, 0, 1]))
        >>> latent.shape, net.decode(latent).shape
        (torch.Size([3, 128]), torch.Size([3, 1582]))
    """

    def __init__(self, dimensions: int, latent: int = 128, hidden: Sequence[int] = (512, 256)):
        super().__init__()
        check_sizes(dimensions=dimensions, latent=latent)
        self.dimensions, self.latent = dimensions, latent
        self.encoder = connected((dimensions, *hidden, latent))
        self.decoder = connected((latent, *reversed(hidden), dimensions))

    @classmethod
    def acoustic(cls) -> "LinearAutoencoder":
        """The paper's, of the 1,582 functionals of INTERSPEECH 2010."""
        return cls(1582)

    def encode(self, values: Tensor, lengths: Tensor) -> Tensor:
        return self.encoder(self.target(values, lengths)[0])

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent)

    def target(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if values.ndim != 2 or values.shape[1] != self.dimensions:
            expected = f"(items, {self.dimensions}), for which this autoencoder was made"
            raise ValueError(f"values have shape {tuple(values.shape)}; expected {expected}; make one for these")
        return present_vectors(values, lengths)
