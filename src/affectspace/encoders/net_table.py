"""What each image net needs and costs, counted on the nets themselves."""

from typing import NamedTuple

import torch
from torch import nn

from affectspace.encoders.image_net import make_trunk

__all__ = ["NetFacts", "multiply_adds", "net_facts", "net_table", "parameters"]

SMALL = 48  # the side at which costs are compared, with one channel and eight classes


class Published(NamedTuple):
    """How a net was published: the images, the classes, and what it is."""

    channels: int
    side: int
    classes: int
    source: str


PUBLISHED = {
    "alexnet": Published(3, 224, 1000, "Krizhevsky 2014"),
    "small_alexnet": Published(3, 227, 8, "Levi & Hassner 2015"),
    "vgg16": Published(3, 224, 1000, "Simonyan & Zisserman 2015"),
    "cvgg13": Published(1, 64, 8, "Barsoum et al. 2016"),
    "resnet18": Published(3, 224, 1000, "He et al. 2016"),
    "quick_resnet18": Published(1, 48, 8, "ours"),
    "preact_resnet18": Published(3, 32, 10, "He et al. 2016"),
    "wrn_40_2": Published(3, 32, 10, "Zagoruyko & Komodakis 2016"),
    "wrn_40_4": Published(3, 32, 10, "Zagoruyko & Komodakis 2016"),
    "fmpnet": Published(1, 48, 8, "Yu & Zhang 2015"),
}


class NetFacts(NamedTuple):
    """Numbers of a trunk and a linear output on it: weights, and multiply-adds of one image."""

    features: int
    parameters: int
    multiply_adds: int


def net_facts(net: str, channels: int, side: int, classes: int, width: float = 1.0) -> NetFacts:
    """What a net and a linear output on its features have and do; no memory is taken for weights.

    Example:
        >>> net_facts("resnet18", channels=3, side=224, classes=1000)
        NetFacts(features=512, parameters=11689512, multiply_adds=1814073344)
    """
    with torch.device("meta"):
        trunk = make_trunk(net, channels, side, width).eval()
        output = nn.Linear(trunk.features, classes)  # pyright: ignore[reportArgumentType]
    work = multiply_adds(trunk, channels, side) + output.weight.numel()
    return NetFacts(output.in_features, parameters(trunk) + parameters(output), work)


def parameters(net: nn.Module) -> int:
    """How many numbers a net learns."""
    return sum(parameter.numel() for parameter in net.parameters())


def multiply_adds(net: nn.Module, channels: int, side: int) -> int:
    """Multiplications, each with its addition, of the convolutions and linear layers for one image."""
    total = 0

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        places = output.shape[2] * output.shape[3] if isinstance(layer, nn.Conv2d) else 1
        total += layer.weight.numel() * places  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue, reportOperatorIssue]

    hooks = [layer.register_forward_hook(count) for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    device = next(net.parameters()).device
    with torch.no_grad():
        net(torch.zeros(1, channels, side, side, device=device))
    for hook in hooks:
        hook.remove()
    return total


def net_table() -> str:
    """The table of ``docs/nets.md``: every net as published, and at 48 x 48 in grey."""
    lines = [
        "| net | source | published at | features | parameters | multiply-adds | at 48 x 48 grey: parameters | "
        "multiply-adds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, about in PUBLISHED.items():
        whole = net_facts(name, about.channels, about.side, about.classes)
        small = net_facts(name, 1, SMALL, 8)
        lines.append(
            f"| `{name}` | {about.source} | {about.side} x {about.side} x {about.channels}, {about.classes:,} classes "
            f"| {whole.features:,} | {whole.parameters / 1e6:.2f} M | {whole.multiply_adds / 1e6:,.0f} M | "
            f"{small.parameters / 1e6:.2f} M | {small.multiply_adds / 1e6:,.1f} M |"
        )
    return "\n".join(lines) + "\n"
