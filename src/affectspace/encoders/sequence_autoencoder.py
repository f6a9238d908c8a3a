"""An autoencoder of sequences: a Transformer, convolutions down to a latent, and back."""

from collections.abc import Sequence

from torch import Tensor, nn

from affectspace.encoders.convolutions import convolutions_of, down, grids, up
from affectspace.encoders.frames import fit_frames, reversed_frames
from affectspace.encoders.layers import check_sizes, connected
from affectspace.encoders.transformer import DecoderBlock, EncoderBlock

__all__ = ["SequenceAutoencoder"]


class SequenceAutoencoder(nn.Module):
    """Sequences to a latent, and the latent to the reversed sequences.

    Transformer encoder -> convolutions over frames and dimensions -> linear layers -> latent, and back: linear layers
    -> transposed convolutions -> Transformer decoder -> a linear layer on each frame. Sequences are cut or padded to
    ``frames``; what is padded is never attended to and is 0 before the convolutions, so that no result depends on how a
    batch is padded.

    What the paper leaves open, and how it is filled here:

    - **What the Transformer decoder attends to.** There is no encoded sequence at that point but the one that the
      transposed convolutions make of the latent. It is both what the decoder begins with and what it looks back at:
      each block attends to itself and then to that sequence. All frames are made at once, not one by one of the last.
    - **Heads** of 342 dimensions, which 4 does not divide, see :class:`Attention`; the width of the layers on each
      frame and dropout, see :class:`EncoderBlock`.
    - **The order of frames** is not told to the Transformers: the input embedding, to which codes of places are added,
      is dropped. The convolutions over time see it, and the decoder gets frames that differ by it.
    - **The last linear layer** has as many outputs as a frame has dimensions. Printed is one hidden unit, with which
      it could not give a frame; without the layer all frames would have the mean and spread of the last normalisation.
    - **ReLU** follows each convolution and linear layer but the latent and the ends of the way back.

    Args:
        dimensions: of a frame.
        frames: that are looked at; what is longer is cut.
        latent: dimensions of the latent.
        heads: of each attention, 1 to ``dimensions``.
        blocks: of the Transformer encoder, and of the decoder.
        convolutions: (kernel, stride, padding, channels) of each.
        hidden: units of linear layers between the convolutions and the latent.

    Shape:
        ``encode``: values ``(items, any frames, dimensions)``, lengths ``(items,)`` from 0, to ``(items, latent)``;
        ``decode``: to ``(items, frames, dimensions)``; ``target``: of values and lengths, what is to be reconstructed
        ``(items, frames, dimensions)`` and which frames count ``(items, frames)``.

    Raises:
        ValueError: a size below 1, heads that are not from 1 to ``dimensions``, a convolution that is none or leaves
            nothing; values of another shape.

    Source: Liang, Li & Jin, "Semi-supervised Multi-modal Emotion Recognition with Cross-Modal Distribution Matching",
    ACM Multimedia 2020, Section 3.1 and Table 3.

    Example:
        >>> import torch
        >>> net = SequenceAutoencoder(dimensions=100, frames=22, latent=32)
        >>> latent = net.encode(torch.randn(3, 40, 100), torch.tensor([40, 9, 0]))
        >>> latent.shape, net.decode(latent).shape
        (torch.Size([3, 32]), torch.Size([3, 22, 100]))
    """

    def __init__(
        self,
        dimensions: int,
        frames: int,
        latent: int = 128,
        heads: int = 4,
        blocks: int = 2,
        convolutions: Sequence[Sequence[int]] = ((4, 2, 1, 16), (5, 2, 1, 64), (3, 3, 1, 32)),
        hidden: Sequence[int] = (),
    ):
        super().__init__()
        check_sizes(dimensions=dimensions, frames=frames, latent=latent, blocks=blocks)
        self.dimensions, self.frames, self.latent = dimensions, frames, latent
        layers = convolutions_of(convolutions)
        sizes = grids(frames, dimensions, layers)
        self.grid = (layers[-1].channels if layers else 1, *sizes[-1])
        channels, rows, columns = self.grid
        self.flat = channels * rows * columns
        self.attending = nn.ModuleList(EncoderBlock(dimensions, heads) for _ in range(blocks))
        self.down = down(layers)
        self.encoder = connected((self.flat, *hidden, latent))
        self.decoder = connected((latent, *reversed(hidden), self.flat))
        self.up = up(layers, sizes)
        self.unfolding = nn.ModuleList(DecoderBlock(dimensions, heads) for _ in range(blocks))
        self.output = nn.Linear(dimensions, dimensions)

    @classmethod
    def visual(cls) -> "SequenceAutoencoder":
        """The paper's, of 18 faces with the 342 numbers of a DenseNet."""
        return cls(342, 18)

    @classmethod
    def lexical(cls, frames: int = 22) -> "SequenceAutoencoder":
        """The paper's, of words with the 1,024 numbers of BERT: 22 in IEMOCAP, 12 in MELD."""
        return cls(1024, frames, convolutions=((4, 2, 1, 64), (4, 3, 1, 4)), hidden=(512,))

    def encode(self, values: Tensor, lengths: Tensor) -> Tensor:
        self._check(values)
        frames, inside = fit_frames(values, lengths, self.frames)
        # An item without a frame looks at its zeros: a softmax over nothing is NaN.
        seen = inside | ~inside.any(-1, keepdim=True)
        for block in self.attending:
            frames = block(frames, seen)
        image = frames.masked_fill(~inside[..., None], 0)[:, None]
        return self.encoder(self.down(image).flatten(1))

    def decode(self, latent: Tensor) -> Tensor:
        image = self.up(self.decoder(latent).unflatten(1, self.grid))
        frames = memory = image[:, 0]
        for block in self.unfolding:
            frames = block(frames, memory)
        return self.output(frames)

    def target(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        self._check(values)
        return reversed_frames(values, lengths, self.frames)

    def _check(self, values: Tensor) -> None:
        if values.ndim != 3 or values.shape[2] != self.dimensions:
            expected = f"(items, frames, {self.dimensions}), for which this autoencoder was made"
            raise ValueError(f"values have shape {tuple(values.shape)}; expected {expected}; make one for these")
