"""Residual nets: ResNet18, ResNet18 with activations first, and wide nets of forty layers."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from affectspace.encoders.image_layers import LARGE, begin, widened

__all__ = ["PreActResNet18", "QuickResNet18", "ResNet18", "Stem", "WideResNet40"]

Stem = Literal["small", "half", "large"]


class ResNet18(nn.Module):
    """Four stages of two blocks of two convolutions, each block added to what it was given.

    Stages of 64, 128, 256 and 512 channels, each but the first at half the side of the one before; then the mean over
    all places.

    Args:
        channels: of the images.
        side: of the images, which chooses the stem where none is given: ``"large"`` from 112 on, else ``"small"``.
        width: factor on all channels.
        stem: ``"large"`` is 7 x 7 with stride 2 and a maximum over 3 x 3 with stride 2, as on ImageNet; ``"small"`` is
            3 x 3 with stride 1, as on CIFAR; ``"half"`` is 3 x 3 with stride 2, a quarter of the work of ``"small"``.

    Shape:
        ``(items, channels, height, width)`` to ``(items, features)``, ``features`` being 512 at width 1.

    Raises:
        ValueError: a width that is not above 0, or an unknown stem.

    Source: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", CVPR 2016; the start of weights is
    that of He et al. 2015.

    Example:
        >>> import torch
        >>> ResNet18(channels=1, side=48, width=0.25)(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 128])
    """

    def __init__(self, channels: int = 3, side: int = 224, width: float = 1.0, stem: Stem | None = None):
        super().__init__()
        sizes = [widened(size, width) for size in (64, 128, 256, 512)]
        self.stem = _stem(channels, sizes[0], _chosen(stem, side), normalised=True)
        self.stages = _stages(Block, [sizes[0], *sizes], blocks=2)
        self.features = sizes[-1]
        begin(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.stages(self.stem(images)).mean((2, 3))


class QuickResNet18(ResNet18):
    """A ResNet18 of a quarter of the channels behind the ``"half"`` stem, to be trained on a CPU.

    A sixty-fourth of the work of ResNet18 with the small stem; eight epochs on 12,000 grey faces of 48 x 48 take a
    minute or so of one thread in bfloat16, and tell eight emotions right for 69 % of others (docs/nets.md).

    Args:
        channels: of the images.
        side: of the images; any from 16 on.
        width: factor on all channels, of those of a quarter.

    Shape:
        ``(items, channels, height, width)`` to ``(items, features)``, ``features`` being 128 at width 1.

    Example:
        >>> import torch
        >>> QuickResNet18(channels=1, side=48)(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 128])
    """

    def __init__(self, channels: int = 1, side: int = 48, width: float = 1.0):
        super().__init__(channels, side, width / 4, "half")


class PreActResNet18(nn.Module):
    """ResNet18 with batch normalisation and ReLU before each convolution, so that what is added stays untouched.

    The arguments, shapes and errors are those of :class:`ResNet18`. One more normalisation and ReLU stand before the
    mean over all places.

    Source: He, Zhang, Ren & Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016.

    Example:
        >>> import torch
        >>> PreActResNet18(channels=3, side=64, width=0.125)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 64])
    """

    def __init__(self, channels: int = 3, side: int = 224, width: float = 1.0, stem: Stem | None = None):
        super().__init__()
        sizes = [widened(size, width) for size in (64, 128, 256, 512)]
        self.stem = _stem(channels, sizes[0], _chosen(stem, side), normalised=False)
        self.stages = _stages(PreActBlock, [sizes[0], *sizes], blocks=2)
        self.last = nn.Sequential(nn.BatchNorm2d(sizes[-1]), nn.ReLU(inplace=True))
        self.features = sizes[-1]
        begin(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.stages(self.stem(images))).mean((2, 3))


class WideResNet40(nn.Module):
    """Forty layers in three stages of six blocks, ``widening`` times as wide as the thin net of the same depth.

    A convolution of 16, stages of 16, 32 and 64 channels times ``widening`` with activations first, batch
    normalisation and ReLU, the mean over all places. The paper of the squared earth mover's distance has a "40-layer
    residual network with identity mapping and bottleneck design that is the same as" this paper's, which has
    blocks of two 3 x 3 convolutions at forty layers; it is these that are built here.

    Args:
        channels: of the images.
        side: of the images, which chooses the stem where none is given: ``"large"`` from 112 on, else ``"small"``.
        width: factor on all channels, that of the first convolution too.
        stem: as for :class:`ResNet18`.
        widening: *k* of WRN-40-*k*.

    Shape:
        ``(items, channels, height, width)`` to ``(items, features)``, ``features`` being ``64 * widening`` at width 1.

    Raises:
        ValueError: a width that is not above 0, or an unknown stem.

    Source: Zagoruyko & Komodakis, "Wide Residual Networks", BMVC 2016.

    Example:
        >>> import torch
        >>> WideResNet40(channels=1, side=48, widening=1)(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 64])
    """

    def __init__(
        self, channels: int = 3, side: int = 32, width: float = 1.0, stem: Stem | None = None, widening: int = 4
    ):
        super().__init__()
        first, *sizes = (widened(size, width) for size in (16, 16 * widening, 32 * widening, 64 * widening))
        self.stem = _stem(channels, first, _chosen(stem, side), normalised=False)
        self.stages = _stages(PreActBlock, [first, *sizes], blocks=6)
        self.last = nn.Sequential(nn.BatchNorm2d(sizes[-1]), nn.ReLU(inplace=True))
        self.features = sizes[-1]
        begin(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.stages(self.stem(images))).mean((2, 3))


class Block(nn.Module):
    """Convolution, normalisation, ReLU, convolution, normalisation; added to the input; ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )  # fmt: skip
        self.relu = nn.ReLU(inplace=True)

    def forward(self, values: Tensor) -> Tensor:
        return self.relu(self.inner(values) + self.shortcut(values))


class PreActBlock(nn.Module):
    """Normalisation, ReLU, convolution, twice; added to the input, or to its projection once it is activated."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.activation = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        )  # fmt: skip
        same = stride == 1 and inputs == outputs
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        active = self.activation(values)
        return self.inner(active) + (values if self.shortcut is None else self.shortcut(active))


def _chosen(stem: str | None, side: int) -> str:
    if stem is not None and stem not in ("small", "half", "large"):
        raise ValueError(f"stem is {stem!r}; choose 'small', 'half' or 'large', or None to choose by the side")
    return stem or ("large" if side >= LARGE else "small")


def _stem(channels: int, outputs: int, stem: str, normalised: bool) -> nn.Sequential:
    """The first convolution; what follows it but for the pool is the blocks' own where activations come first."""
    kernel, stride = {"small": (3, 1), "half": (3, 2), "large": (7, 2)}[stem]
    layers: list[nn.Module] = [nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, bias=False)]
    if normalised:
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    if stem == "large":
        layers.append(nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*layers)


def _stages(block: Callable[[int, int, int], nn.Module], sizes: list[int], blocks: int) -> nn.Sequential:
    """Stages from ``sizes[0]`` channels on; every stage but the first halves the side in its first block."""
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers.append(block(inputs, outputs, 1 if number == 0 else 2))
        layers += [block(outputs, outputs, 1) for _ in range(blocks - 1)]
    return nn.Sequential(*layers)
