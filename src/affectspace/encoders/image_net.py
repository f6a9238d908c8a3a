"""The encoder of images: a net by its name, an embedding, logits."""

import difflib
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from affectspace.encoders.alexnet import AlexNet, SmallAlexNet
from affectspace.encoders.batch import Batch
from affectspace.encoders.fmpnet import FMPNet
from affectspace.encoders.head import EmbeddingHead
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.resnet import PreActResNet18, QuickResNet18, ResNet18, WideResNet40
from affectspace.encoders.vgg import CVGG13, VGG16

__all__ = ["IMAGE_NETS", "ImageEncoder", "as_images", "make_trunk"]

# Each takes (channels, side, width) and has an attribute ``features``.
IMAGE_NETS: dict[str, Callable[..., nn.Module]] = {
    "alexnet": AlexNet,
    "small_alexnet": SmallAlexNet,
    "vgg16": VGG16,
    "cvgg13": CVGG13,
    "resnet18": ResNet18,
    "quick_resnet18": QuickResNet18,
    "preact_resnet18": PreActResNet18,
    "wrn_40_2": partial(WideResNet40, widening=2),
    "wrn_40_4": partial(WideResNet40, widening=4),
    "fmpnet": FMPNet,
}


class ImageEncoder(nn.Module):
    """Square images to an embedding and class logits, through one of the nets of the papers.

    Trunk -> embedding, a plain linear output -> logits. Under autocast the trunk runs in low precision, the head in
    float32. Equal seeds give equal weights of the trunk and the embedding to begin with, whatever ``classes`` is.

    Args:
        net: one of :data:`IMAGE_NETS`; :doc:`docs/nets.md` has what each needs and costs.
        channels: of the images, 1 or 3.
        classes: number of classes.
        dimensions: of the embedding.
        width: factor on all channels and units of the net: a quarter is a sixteenth of its work and weights.
        non_negative: whether a ReLU follows the embedding, as f-similarity needs.
        dropout: share of the trunk's features left out while training, in ``[0, 1)``, beside the net's own.
        probe: whether the output layer only reads the embedding, and has no part in shaping it.
        side: of the images. From 112 on, nets reduce images as fast as on ImageNet; the fully connected layers of
            AlexNet, VGG and FMPNet are as large as the images leave them.

    Shape:
        batch values ``(items, side * side, channels)``, pixels row by row; embedding ``(items, dimensions)``; logits
        ``(items, classes)``; layers ``features`` ``(items, features of the net)``.

    Raises:
        ValueError: an unknown net, a width that is not above 0, dropout outside ``[0, 1)``, images too small for the
            net or not square.

    Source: of each net in its own docstring; 64 dimensions and the plain linear output as in the Gaussian manifold.

    Example:
        >>> net = ImageEncoder("resnet18", channels=1, classes=8, width=0.25, side=48)
        >>> outputs = net(Batch(torch.randn(2, 48 * 48, 1), torch.tensor([48 * 48] * 2)))
        >>> outputs.embedding.shape, outputs.logits.shape, net.sizes
        (torch.Size([2, 64]), torch.Size([2, 8]), {'embedding': 64, 'features': 128})
    """

    def __init__(
        self,
        net: str,
        channels: int,
        classes: int,
        dimensions: int = 64,
        width: float = 1.0,
        non_negative: bool = False,
        dropout: float = 0.0,
        probe: bool = False,
        side: int = 48,
    ):
        super().__init__()
        self.trunk = make_trunk(net, channels, side, width)
        self.head = EmbeddingHead(self.trunk.features, classes, dimensions, non_negative, dropout, probe)  # pyright: ignore[reportArgumentType]

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return self.head.sizes

    def forward(self, batch: Batch) -> Outputs:
        return self.head(self.trunk(as_images(batch.values)))


def make_trunk(net: str, channels: int, side: int, width: float = 1.0) -> nn.Module:
    """A net of :data:`IMAGE_NETS` by its name, without its output layer.

    Raises:
        ValueError: an unknown name, or what the net itself cannot be built for.

    Example:
        >>> make_trunk("cvgg13", channels=1, side=64, width=0.25).features
        256
        >>> make_trunk("resnet", channels=1, side=64)
        Traceback (most recent call last):
        ValueError: there is no image net 'resnet'; did you mean 'resnet18'? Legal: alexnet, small_alexnet, ...
    """
    if net not in IMAGE_NETS:
        near = difflib.get_close_matches(net, IMAGE_NETS, 1, 0.5)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no image net {net!r}; {meant}Legal: {', '.join(IMAGE_NETS)}")
    # Kernels that lie as the images do, channels last, need not be put into another order at every step.
    return IMAGE_NETS[net](channels=channels, side=side, width=width).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def as_images(values: Tensor) -> Tensor:
    """Rows of pixels ``(items, side * side, channels)`` as images ``(items, channels, side, side)``, nothing moved.

    The images lie in memory with their channels last, which is how convolutions on a CPU like them.

    Raises:
        ValueError: rows that make no square.

    Example:
        >>> images = as_images(torch.arange(8.0).view(1, 4, 2))
        >>> images[0, 0].tolist()
        [[0.0, 2.0], [4.0, 6.0]]
    """
    side = math.isqrt(values.shape[1]) if values.ndim == 3 else 0
    if values.ndim != 3 or side * side != values.shape[1] or not side:
        raise ValueError(
            f"images have shape {tuple(values.shape)}; expected (items, side * side, channels), the pixels of squares"
        )
    return values.unflatten(1, (side, side)).permute(0, 3, 1, 2)
