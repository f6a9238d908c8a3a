"""Convolutions over frames and dimensions, as over an image, and those that undo their sizes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import nn

__all__ = ["Convolution", "convolutions_of", "down", "grids", "shrunk", "up"]


class Convolution(NamedTuple):
    """A square convolution: the side of its kernel, the step, the border of zeros, and how many it answers with."""

    kernel: int
    stride: int
    padding: int
    channels: int


def convolutions_of(given: Sequence[Sequence[int]]) -> list[Convolution]:
    """Numbers as convolutions.

    Raises:
        ValueError: not four numbers each, a kernel, stride or channels below 1, or padding below 0.

    Example:
        >>> convolutions_of([[4, 2, 1, 16]])
        [Convolution(kernel=4, stride=2, padding=1, channels=16)]
    """
    for number, one in enumerate(given, 1):
        if len(one) != 4 or min(one) < 0 or not (one[0] and one[1] and one[3]):
            legal = "(kernel, stride, padding, channels), each at least 1 but for the padding, which is at least 0"
            raise ValueError(f"convolution {number} is {tuple(one)}; give four whole numbers {legal}")
    return [Convolution(*one) for one in given]


def grids(frames: int, dimensions: int, convolutions: Sequence[Convolution]) -> list[tuple[int, int]]:
    """What ``frames x dimensions`` are before the first convolution and after each.

    Raises:
        ValueError: a convolution leaves nothing.

    Example:
        >>> grids(22, 1024, convolutions_of([(4, 2, 1, 64), (4, 3, 1, 4)]))
        [(22, 1024), (11, 512), (4, 171)]
    """
    found = shrunk({"frames": frames, "dimensions": dimensions}, convolutions)
    return [(rows, columns) for rows, columns in found]


def shrunk(sizes: Mapping[str, int], convolutions: Sequence[Convolution]) -> list[tuple[int, ...]]:
    """What sides of an image are before the first convolution and after each, by what they are called.

    Raises:
        ValueError: a convolution leaves nothing.

    Example:
        >>> shrunk({"frames": 22}, convolutions_of([(4, 2, 1, 64), (4, 3, 1, 4)]))
        [(22,), (11,), (4,)]
    """
    found = [tuple(sizes.values())]
    for number, (kernel, stride, padding, _) in enumerate(convolutions, 1):
        before = found[-1]
        largest = min(before) + 2 * padding
        if kernel > largest:
            told = " x ".join(f"{size} {name}" for name, size in zip(sizes, before))
            raise ValueError(
                f"convolution {number} has a kernel of {kernel}, which leaves nothing of {told} padded by {padding}; "
                f"its kernel may be at most {largest}: make it smaller, pad more, or leave this convolution out"
            )
        found.append(tuple((size + 2 * padding - kernel) // stride + 1 for size in before))
    return found


def down(convolutions: Sequence[Convolution]) -> nn.Sequential:
    """The convolutions of images with one channel, ReLU after each.

    Example:
        >>> len(down(convolutions_of([(4, 2, 1, 16), (5, 2, 1, 64)])))
        4
    """
    layers, channels = [], 1
    for one in convolutions:
        layers += [nn.Conv2d(channels, one.channels, one.kernel, one.stride, one.padding), nn.ReLU()]
        channels = one.channels
    return nn.Sequential(*layers)


def up(convolutions: Sequence[Convolution], grids: Sequence[tuple[int, int]]) -> nn.Sequential:
    """Transposed convolutions, the last first, back to images with one channel; ReLU before each.

    A step may pass over the last rows or columns. As many are added to what comes out, so that all sizes are again
    those of ``grids``.

    Example:
        >>> import torch
        >>> one = convolutions_of([(3, 3, 1, 8)])
        >>> up(one, grids(4, 85, one))(torch.zeros(2, 8, 2, 29)).shape
        torch.Size([2, 1, 4, 85])
    """
    layers = []
    channels = [1, *(one.channels for one in convolutions)]
    for number, (kernel, stride, padding, _) in reversed(list(enumerate(convolutions))):
        rows, columns = ((size + 2 * padding - kernel) % stride for size in grids[number])
        sizes = (channels[number + 1], channels[number], kernel, stride, padding, (rows, columns))
        layers += [nn.ReLU(), nn.ConvTranspose2d(*sizes)]
    return nn.Sequential(*layers)
