"""Image nets are as large as published and do as much, counted on the nets; docs/nets.md tells what is counted."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

from affectspace.encoders import IMAGE_NETS
from affectspace.encoders.image_net import make_trunk
from affectspace.encoders.resnet import WideResNet40

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
    """What a net and a linear output on its features have and do; no memory is taken for weights."""
    with torch.device("meta"):
        trunk = make_trunk(net, channels, side, width).eval()
        output = nn.Linear(trunk.features, classes)
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
        total += layer.weight.numel() * places

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


# Counts of the papers, or of their released models where a paper rounds: 61.1 M, 138 M and 11.7 M with 1,000 classes;
# 8.76 M is the 34 MB of the FER+ model; 0.6, 2.2, 8.9 and 35.7 M are WRN-40-1, 2, 4 and 8 on CIFAR-10.
@pytest.mark.parametrize(
    ("net", "channels", "side", "classes", "count"),
    [
        ("alexnet", 3, 224, 1000, 61_100_840),
        ("alexnet", 3, 227, 1000, 61_100_840),
        ("small_alexnet", 3, 227, 8, 11_415_048),
        ("vgg16", 3, 224, 1000, 138_357_544),
        ("cvgg13", 1, 64, 8, 8_757_704),
        ("resnet18", 3, 224, 1000, 11_689_512),
        ("resnet18", 3, 32, 10, 11_173_962),
        ("preact_resnet18", 3, 32, 10, 11_172_170),
        ("wrn_40_2", 3, 32, 10, 2_243_546),
        ("wrn_40_4", 3, 32, 10, 8_949_210),
        ("fmpnet", 1, 48, 8, 6_074_632),
    ],
)
def test_nets_are_as_large_as_published(net, channels, side, classes, count):
    assert net_facts(net, channels, side, classes).parameters == count


@pytest.mark.parametrize(("widening", "millions"), [(1, 0.6), (8, 35.7)])
def test_other_wide_nets_are_as_large_as_published(widening, millions):
    with torch.device("meta"):
        trunk = WideResNet40(side=32, widening=widening)
    assert (parameters(trunk) + (trunk.features + 1) * 10) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize(
    ("net", "channels", "side", "millions"),
    [("alexnet", 3, 224, 714), ("vgg16", 3, 224, 15_470), ("resnet18", 3, 224, 1814), ("wrn_40_4", 3, 32, 1300)],
)
def test_nets_do_as_much_as_published(net, channels, side, millions):
    assert net_facts(net, channels, side, 1000).multiply_adds / 1e6 == pytest.approx(millions, rel=2e-3)


def test_multiply_adds_are_those_of_a_plain_count():
    net = nn.Sequential(nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, 5))
    one_by_one = sum(2 * 3 * 3 for _channel in range(3) for _row in range(4) for _column in range(4)) + 48 * 5
    assert multiply_adds(net, 2, 7) == one_by_one


def test_the_table_of_the_documentation_is_the_counted_one():
    assert list(PUBLISHED) == list(IMAGE_NETS)
    page = (Path(__file__).parents[2] / "docs/nets.md").read_text(encoding="utf-8")
    assert net_table() in page, f"docs/nets.md is to have\n{net_table()}"
