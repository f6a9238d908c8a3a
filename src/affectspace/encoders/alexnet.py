"""AlexNet, and the small one with which ages of faces are told."""

from torch import Tensor, nn

from affectspace.encoders.image_layers import LARGE, begin, flat_features, side_after, two_connected, widened

__all__ = ["AlexNet", "SmallAlexNet"]


class AlexNet(nn.Module):
    """Five convolutions and two layers of 4,096, as trained on one GPU.

    Convolutions of 64 (11 x 11), 192 (5 x 5), 384, 256 and 256 (3 x 3), a maximum over 3 x 3 with stride 2 after the
    first, second and fifth, then two fully connected layers with dropout 0.5 before each. The first convolution has
    stride 4; below a side of 112 it has stride 2 and looks at the border too, so that a face of 48 keeps 2 x 2
    places (64: 3 x 3) where a photograph of 224 keeps 6 x 6. The grid is averaged down to 6 x 6 where it is larger.

    Args:
        channels: of the images.
        side: of the images, which are square; 224 or 227 as published.
        width: factor on all channels and units.

    Shape:
        ``(items, channels, side, side)`` to ``(items, features)``, ``features`` being 4,096 at width 1.

    Raises:
        ValueError: a width that is not above 0, or images that are too small.

    Source: Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS
    2012, with the channels of Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014,
    which the paper of the Gaussian manifold names.

    Example:
        >>> import torch
        >>> AlexNet(channels=1, side=48, width=0.125).eval()(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 512])
    """

    def __init__(self, channels: int = 3, side: int = 224, width: float = 1.0):
        super().__init__()
        one, two, three, four, units = (widened(size, width) for size in (64, 192, 384, 256, 4096))
        stride, padding = (4, 2) if side >= LARGE else (2, 5)
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, one, 11, stride, padding), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(one, two, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(two, three, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(three, four, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(four, four, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        grid = min(6, side_after(self.convolutions, side, "AlexNet"))
        self.grid = nn.AdaptiveAvgPool2d(grid)
        self.connected = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(four * grid**2, units), nn.ReLU(inplace=True),
            nn.Dropout(0.5), nn.Linear(units, units), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.features = units
        begin(self, "fan_in")

    def forward(self, images: Tensor) -> Tensor:
        return self.connected(flat_features(self.grid(self.convolutions(images))))


class SmallAlexNet(nn.Module):
    """Three convolutions and two layers of 512: the small AlexNet of the squared earth mover's distance on faces.

    Convolutions of 96 (7 x 7, stride 4), 256 (5 x 5) and 384 (3 x 3), each with ReLU, a maximum over 3 x 3 with stride
    2 and, but for the last, local response normalisation; two fully connected layers, each with dropout 0.5. Crops
    are of 227 there. Below a side of 112 the first stride is 2 and the border is looked at, so that a face of 64
    keeps 4 x 4 places where one of 227 keeps 7 x 7.

    Args:
        channels: of the images.
        side: of the images, which are square; 227 as published.
        width: factor on all channels and units.

    Shape:
        ``(items, channels, side, side)`` to ``(items, features)``, ``features`` being 512 at width 1.

    Raises:
        ValueError: a width that is not above 0, or images that are too small.

    Source: Levi & Hassner, "Age and Gender Classification using Convolutional Neural Networks", CVPR workshops 2015;
    "ALXs" of Hou, Yu & Samaras 2016. They give the layers; that pools round up (which the 7 x 7 places need) and the
    constants of the normalisation (5 channels, alpha 1e-4, beta 0.75) are those of AlexNet in Caffe, which they use.

    Example:
        >>> import torch
        >>> SmallAlexNet(channels=3, side=64, width=0.25).eval()(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 128])
    """

    def __init__(self, channels: int = 3, side: int = 227, width: float = 1.0):
        super().__init__()
        one, two, three, units = (widened(size, width) for size in (96, 256, 384, 512))
        stride, padding = (4, 0) if side >= LARGE else (2, 3)
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, one, 7, stride, padding), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.LocalResponseNorm(5),
            nn.Conv2d(one, two, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.LocalResponseNorm(5),
            nn.Conv2d(two, three, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True),
        )  # fmt: skip
        grid = min(7, side_after(self.convolutions, side, "the small AlexNet"))
        self.grid = nn.AdaptiveAvgPool2d(grid)
        self.connected = two_connected(three * grid**2, units)
        self.features = units
        begin(self, "fan_in")

    def forward(self, images: Tensor) -> Tensor:
        return self.connected(flat_features(self.grid(self.convolutions(images))))
