"""A residual net over log-Mel energies that trains on a processor."""

import torch
from torch import Tensor, nn

from affectspace.encoders.attentive_pooling import AttentiveStatistics
from affectspace.encoders.batch import Batch
from affectspace.encoders.head import EmbeddingHead
from affectspace.encoders.layers import check_sizes
from affectspace.encoders.outputs import Outputs

__all__ = ["SpeechNet"]

STEM = (8, 16)  # channels of the two convolutions over time and bands
KERNEL = 7  # frames of the stem, each of four of the clip, that a block looks at
SQUEEZE = 4  # a block's gates are found by so many times fewer units than it is wide


class SpeechNet(nn.Module):
    """Clips of any length to an embedding and class logits.

    Two convolutions over time and bands, each at half the frames and bands of what it sees -> a linear layer to
    ``width`` -> ``depth`` residual blocks over time -> attentive statistics pooling -> embedding -> logits.

    What is padded never reaches a result: every frame is normalised by itself, over its own channels, so that no frame
    knows of another clip or of padding; before each convolution over time the frames behind the end are 0, as those
    before the beginning are; gates and statistics are of the frames inside. A single frame is enough.

    Args:
        bands: features per frame.
        classes: number of classes.
        width: channels of a block.
        depth: number of blocks; each sees 12 frames further to either side.
        dimensions: of the embedding.
        non_negative: whether a ReLU follows the embedding, as f-similarity needs.
        dropout: share of the pooled features left out while training, in ``[0, 1)``.
        probe: whether the output layer only reads the embedding, and has no part in shaping it.

    Shape:
        batch values ``(items, frames, bands)``; embedding ``(items, dimensions)``; logits ``(items, classes)``; layers
        ``features`` ``(items, 2 * width)``.

    Raises:
        ValueError: a size below 1, dropout outside ``[0, 1)``.

    Source: ours, of known parts: blocks after Liu et al., "A ConvNet for the 2020s", CVPR 2022, with the gates of Hu,
    Shen & Sun, "Squeeze-and-Excitation Networks", CVPR 2018, which Desplanques, Thienpondt & Demuynck, "ECAPA-TDNN",
    Interspeech 2020, brought to speech, and the pooling of Okabe et al. 2018.

    Example:
        >>> net = SpeechNet(bands=40, classes=4)
        >>> outputs = net(Batch(torch.randn(3, 120, 40), torch.tensor([120, 80, 1])))
        >>> outputs.embedding.shape, outputs.logits.shape, net.sizes
        (torch.Size([3, 64]), torch.Size([3, 4]), {'embedding': 64, 'features': 192})
    """

    def __init__(
        self,
        bands: int,
        classes: int,
        width: int = 96,
        depth: int = 3,
        dimensions: int = 64,
        non_negative: bool = False,
        dropout: float = 0.0,
        probe: bool = False,
    ):
        super().__init__()
        check_sizes(bands=bands, width=width, depth=depth, dimensions=dimensions)
        self.stem = Stem(bands, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.normalised = nn.LayerNorm(width)
        self.pooling = AttentiveStatistics(width)
        self.head = EmbeddingHead(2 * width, classes, dimensions, non_negative, dropout, probe)

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return self.head.sizes

    def forward(self, batch: Batch) -> Outputs:
        frames, inside = self.stem(batch.values, batch.lengths.to(batch.values.device))
        for block in self.blocks:
            frames = block(frames, inside)
        return self.head(self.pooling(self.normalised(frames), inside))


class Stem(nn.Module):
    """Frames of bands to a quarter as many frames of channels.

    Shape:
        values ``(items, frames, bands)``, lengths ``(items,)``, to ``(items, frames / 4, width)``, 0 behind the end,
        and ``(items, frames / 4)`` bool, True inside the clip; quarters are rounded up.

    Example:
        >>> frames, inside = Stem(40, 8)(torch.randn(2, 9, 40), torch.tensor([9, 4]))
        >>> frames.shape, inside.sum(-1)
        (torch.Size([2, 3, 8]), tensor([3, 1]))
    """

    def __init__(self, bands: int, width: int):
        super().__init__()
        # Kernels that lie as what they convolve, channels last, need not be put into another order at every step.
        self.first, self.second = (
            nn.Conv2d(*channels, 3, stride=2, padding=1).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            for channels in ((1, STEM[0]), STEM)
        )
        halved = -(-bands // 2)
        quartered = -(-halved // 2)
        self.after_first = nn.LayerNorm(halved * STEM[0])
        self.after_second = nn.LayerNorm(quartered * STEM[1])
        self.output = nn.Linear(quartered * STEM[1], width)
        self.after_output = nn.LayerNorm(width)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        frames, inside = values, _inside(values, lengths)
        for convolution, normalised in ((self.first, self.after_first), (self.second, self.after_second)):
            frames = _zeros_behind(frames, inside)
            images = frames.unflatten(2, (-1, convolution.in_channels)).permute(0, 3, 1, 2)
            frames = normalised(convolution(images).permute(0, 2, 3, 1).flatten(2)).relu()
            lengths = (lengths + 1) // 2  # a window stands on every other frame, the first of all
            inside = _inside(frames, lengths)
        return _zeros_behind(self.after_output(self.output(frames)), inside), inside


class Block(nn.Module):
    """What seven frames say, channel by channel, then what all channels of a frame do, gated and added to the frame.

    Convolution over time of each channel -> normalisation -> linear, ReLU, linear -> gates of the whole clip (squeeze
    and excitation: the mean over the frames inside, two layers, a sigmoid for each channel) -> added to what came in.

    Shape:
        frames ``(items, frames, width)``, 0 behind the end, and inside ``(items, frames)`` bool, to the frames' shape,
        0 behind the end.

    Example:
        >>> frames, inside = torch.ones(1, 5, 8), torch.tensor([[True, True, True, False, False]])
        >>> Block(8)(frames * inside[..., None], inside)[0, 3:].abs().sum()
        tensor(0., grad_fn=<SumBackward0>)
    """

    def __init__(self, width: int):
        super().__init__()
        # One line of an image whose channels come last: oneDNN does it two to four times as fast as a conv1d.
        over_time = nn.Conv2d(width, width, (1, KERNEL), padding=(0, KERNEL // 2), groups=width)
        self.over_time = over_time.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.normalised = nn.LayerNorm(width)
        self.layers = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        squeezed = max(1, width // SQUEEZE)
        self.gates = nn.Sequential(nn.Linear(width, squeezed), nn.ReLU(), nn.Linear(squeezed, width), nn.Sigmoid())

    def forward(self, frames: Tensor, inside: Tensor) -> Tensor:
        line = frames.transpose(1, 2)[:, :, None]
        changes = self.over_time(line)[:, :, 0].transpose(1, 2)
        changes = _zeros_behind(self.layers(self.normalised(changes)), inside)
        mean = changes.sum(1, dtype=torch.promote_types(changes.dtype, torch.float32)) / inside.sum(1, keepdim=True)
        return frames + changes * self.gates(mean)[:, None]


def _inside(frames: Tensor, lengths: Tensor) -> Tensor:
    """``(items, frames)`` bool, which frames lie within their clip."""
    return torch.arange(frames.shape[1], device=frames.device) < lengths[:, None]


def _zeros_behind(frames: Tensor, inside: Tensor) -> Tensor:
    return frames.masked_fill(~inside[..., None], 0)
