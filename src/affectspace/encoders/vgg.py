"""VGG nets: sixteen layers for photographs, thirteen for faces."""

from collections.abc import Sequence

from torch import Tensor, nn

from affectspace.encoders.image_layers import begin, flat_features, side_after, two_connected, widened

__all__ = ["CVGG13", "VGG16"]


class _VGG(nn.Module):
    """Blocks of convolutions with a maximum over 2 x 2 and dropout after each, a grid, two fully connected layers.

    Args:
        channels: of the images.
        side: of the images.
        width: factor on all channels and units.
        sizes: channels of the convolutions of each block.
        dropout: share left out after each block.
        grid: the side that what is left of an image is averaged down to, where it is larger.
        units: of each connected layer, at width 1.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        width: float,
        sizes: Sequence[Sequence[int]],
        dropout: float,
        grid: int,
        units: int,
    ):
        super().__init__()
        self.convolutions, last = _blocks(channels, sizes, width, dropout)
        grid = min(grid, side_after(self.convolutions, side, type(self).__name__))
        self.grid = nn.AdaptiveAvgPool2d(grid)
        self.features = widened(units, width)
        self.connected = two_connected(last * grid**2, self.features)
        begin(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.connected(flat_features(self.grid(self.convolutions(images))))


class VGG16(_VGG):
    """Thirteen convolutions of 3 x 3 in five blocks, and two layers of 4,096 with dropout 0.5 after each.

    Blocks of 2 x 64, 2 x 128, 3 x 256, 3 x 512 and 3 x 512 channels, each ended by a maximum over 2 x 2. Images of a
    side of at least 224 are averaged to a grid of 7 x 7 at the end; smaller ones keep what grid they have, so a face
    of 64 costs 2 x 2 x 512 inputs of the first layer instead of 25,088.

    Args:
        channels: of the images.
        side: of the images, which are square; 224 as published, at least 32.
        width: factor on all channels and units.

    Shape:
        ``(items, channels, side, side)`` to ``(items, features)``, ``features`` being 4,096 at width 1.

    Raises:
        ValueError: a width that is not above 0, or images that are too small.

    Source: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
    configuration D. They began with the weights of a shallower net; He et al. (2015) show a start that needs none.

    Example:
        >>> import torch
        >>> VGG16(channels=1, side=48, width=0.125).eval()(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 512])
    """

    def __init__(self, channels: int = 3, side: int = 224, width: float = 1.0):
        sizes = [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3]
        super().__init__(channels, side, width, sizes, dropout=0.0, grid=7, units=4096)


class CVGG13(_VGG):
    """The VGG net of thirteen layers that came with FER+, cut down for small grey faces.

    Ten convolutions of 3 x 3 in blocks of 2 x 64, 2 x 128, 3 x 256 and 3 x 256 channels, each block ended by a maximum
    over 2 x 2 and dropout 0.25; two layers of 1,024 with dropout 0.5 after each.

    Args:
        channels: of the images.
        side: of the images, which are square; 64 as published, at least 16. Larger ones are averaged to the
            4 x 4 places that are left of those.
        width: factor on all channels and units.

    Shape:
        ``(items, channels, side, side)`` to ``(items, features)``, ``features`` being 1,024 at width 1.

    Raises:
        ValueError: a width that is not above 0, or images that are too small.

    Source: Barsoum, Zhang, Canton Ferrer & Zhang, "Training Deep Networks for Facial Expression Recognition with
    Crowd-Sourced Label Distribution", ICMI 2016. They scale the faces of 48 to 64.

    Example:
        >>> import torch
        >>> CVGG13(channels=1, side=48, width=0.125).eval()(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 128])
    """

    def __init__(self, channels: int = 1, side: int = 64, width: float = 1.0):
        sizes = [[64] * 2, [128] * 2, [256] * 3, [256] * 3]
        super().__init__(channels, side, width, sizes, dropout=0.25, grid=4, units=1024)


def _blocks(channels: int, sizes: Sequence[Sequence[int]], width: float, dropout: float) -> tuple[nn.Sequential, int]:
    """Blocks of convolutions with a maximum after each, and how many channels come out."""
    layers: list[nn.Module] = []
    for block in sizes:
        for size in block:
            layers += [nn.Conv2d(channels, widened(size, width), 3, padding=1), nn.ReLU(inplace=True)]
            channels = widened(size, width)
        layers += [nn.MaxPool2d(2, 2), nn.Dropout(dropout)] if dropout else [nn.MaxPool2d(2, 2)]
    return nn.Sequential(*layers), channels
