"""FMPNet: five convolutions and fractional maxima, made for faces of 48 x 48."""

import torch
from torch import Tensor, nn

from affectspace.encoders.image_layers import begin, flat_features, side_after, two_connected, widened

__all__ = ["FMPNet"]


class FMPNet(nn.Module):
    """Five convolutions, three random pools and two layers of 1,024, for small grey faces.

    A convolution of 64 (5 x 5), a pool, two of 64 (3 x 3), a pool, two of 128 (3 x 3), a pool; ReLU after each
    convolution, batch normalisation after the first two pools; then two fully connected layers with dropout 0.5.

    What the sources leave open, and how it is filled here:

    - The paper of the Gaussian manifold names FMPNet and cites Yu & Zhang, whose net has five convolutions, three
      stochastic pools and three connected layers (the last one is the output, which is not part of a trunk). The
      name stands for *fractional max-pooling* (Graham 2014), which is what pools in the nets that the authors have
      made public: the maximum over 3 x 3, at half the places, which lie at random while training. That too perturbs
      what is pooled, as stochastic pooling does. The sizes of the layers are those of these nets.
    - Pooling at random would answer twice differently about one face. Outside training the places are
      the evenly spread ones, in the middle of what can be drawn.
    - It is no net that attends to faces or crops them; that is another one of the same authors (FERAtt).

    Args:
        channels: of the images.
        side: of the images, which are square; 48 as published, at least 24. Larger ones are averaged to the 6 x 6
            places that are left of those.
        width: factor on all channels and units.

    Shape:
        ``(items, channels, side, side)`` to ``(items, features)``, ``features`` being 1,024 at width 1.

    Raises:
        ValueError: a width that is not above 0, or images that are too small.

    Source: Yu & Zhang, "Image based Static Facial Expression Recognition with Multiple Deep Network Learning",
    ICMI 2015; Marrero Fernandez et al., "Deep Metric Structured Learning For Facial Expression Recognition", 2020;
    Graham, "Fractional Max-Pooling", 2014.

    Example:
        >>> FMPNet(channels=1, side=48, width=0.125).eval()(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 128])
    """

    def __init__(self, channels: int = 1, side: int = 48, width: float = 1.0):
        super().__init__()
        one, two, self.features = (widened(size, width) for size in (64, 128, 1024))
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, one, 5, padding=2), nn.ReLU(inplace=True), FractionalMaximum(), nn.BatchNorm2d(one),
            nn.Conv2d(one, one, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(one, one, 3, padding=1), nn.ReLU(inplace=True), FractionalMaximum(), nn.BatchNorm2d(one),
            nn.Conv2d(one, two, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(two, two, 3, padding=1), nn.ReLU(inplace=True), FractionalMaximum(),
        )  # fmt: skip
        if side < 24:
            raise ValueError(f"images of side {side} are too small for FMPNet; use a side of at least 24")
        grid = min(6, side_after(self.convolutions, side, "FMPNet"))
        self.grid = nn.AdaptiveAvgPool2d(grid)
        self.connected = two_connected(two * grid**2, self.features)
        begin(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.connected(flat_features(self.grid(self.convolutions(images))))


class FractionalMaximum(nn.FractionalMaxPool2d):
    """The maximum over 3 x 3 at half the places of each side: drawn while training, evenly spread otherwise.

    Example:
        >>> pool, images = FractionalMaximum().eval(), torch.rand(2, 3, 12, 12)
        >>> bool((pool(images) == pool(images)).all()), pool(images).shape
        (True, torch.Size([2, 3, 6, 6]))
    """

    def __init__(self):
        super().__init__(3, output_ratio=0.5)

    def forward(self, input: Tensor) -> Tensor:
        # One draw a channel and axis is torch's own way; 0.5 is the middle of what it draws.
        shape = (len(input), input.shape[1], 2)
        if self.training:
            drawn = torch.rand(shape, dtype=input.dtype, device=input.device)
        else:
            drawn = input.new_full(shape, 0.5)
        return nn.functional.fractional_max_pool2d(input, 3, output_ratio=self.output_ratio, _random_samples=drawn)
