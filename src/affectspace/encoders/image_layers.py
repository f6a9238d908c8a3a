"""What the image nets share: how wide and how large their layers are, and how weights begin."""

import math

from torch import Tensor, nn

__all__ = ["LARGE", "begin", "flat_features", "side_after", "two_connected", "widened"]

LARGE = 112  # from this side on an image is large: nets reduce it fast, as they do on ImageNet


def widened(channels: int, width: float) -> int:
    """``channels`` times ``width``, in whole eights, which vector units like, and at least 8.

    Raises:
        ValueError: a width that is not above 0.

    Example:
        >>> widened(64, 0.25), widened(96, 0.5), widened(64, 0.01)
        (16, 48, 8)
    """
    if not width > 0 or math.isinf(width):
        raise ValueError(f"width is {width}; it multiplies channels, so give a number above 0, such as 1 or 0.25")
    return channels if width == 1 else max(8, round(channels * width / 8) * 8)


def side_after(layers: nn.Module, side: int, net: str) -> int:
    """The side of square images after the convolutions and pools of ``layers``, one after the other.

    Raises:
        ValueError: an image that is used up before the last of them; the message names ``net``.

    Example:
        >>> side_after(nn.Sequential(nn.Conv2d(3, 8, 11, stride=4, padding=2), nn.MaxPool2d(3, 2)), 224, "a net")
        27
    """
    left = side
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            kernel, stride, padding = (_first(value) for value in (layer.kernel_size, layer.stride, layer.padding))
            steps = (left + 2 * padding - kernel) / stride
            left = (math.ceil(steps) if getattr(layer, "ceil_mode", False) else math.floor(steps)) + 1
        elif isinstance(layer, nn.FractionalMaxPool2d):
            left = int(left * layer.output_ratio[0])  # pyright: ignore[reportIndexIssue]
        if left < 1:
            raise ValueError(f"images of side {side} are too small for {net}: nothing is left of them; use larger ones")
    return left


def two_connected(inputs: int, units: int) -> nn.Sequential:
    """Two fully connected layers of ``units``, with ReLU and dropout 0.5 after each.

    Example:
        >>> import torch
        >>> two_connected(18, 8)(torch.zeros(2, 18)).shape
        torch.Size([2, 8])
    """
    return nn.Sequential(
        nn.Linear(inputs, units), nn.ReLU(inplace=True), nn.Dropout(0.5),
        nn.Linear(units, units), nn.ReLU(inplace=True), nn.Dropout(0.5),
    )  # fmt: skip


def flat_features(values: Tensor) -> Tensor:
    """``(items, channels, height, width)`` as ``(items, channels * height * width)``, in any memory format alike."""
    return values.contiguous().flatten(1)


def begin(net: nn.Module, mode: str = "fan_out") -> None:
    """Draws the weights of all convolutions as He et al. (2015) do for ReLU, and sets their biases to 0.

    Linear layers that a ReLU follows get the same by their inputs. What is drawn follows from torch's random state
    and the shapes alone.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")  # pyright: ignore[reportArgumentType]
        elif isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _first(value) -> int:
    return value[0] if isinstance(value, tuple) else value
