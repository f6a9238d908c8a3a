"""Entropic earth mover's distance of classes on a line against geomloss, which is fast and whose gradient is not right.

The same ten classes and regulariser as beside POT. How far both gradients are from a converged one is measured in
tests/peers/test_entropic_emd_peers.py.
"""

from collections.abc import Callable

import torch
from loss_cases.entropic_emd import make as make_beside_pot

PEER = "geomloss, whose gradient is off by tens of percent"
SIZES = ("128 x 10", "256 x 10", "512 x 10", "2048 x 10", "8192 x 10")


def make(who: str, size: str) -> Callable[[], None]:
    if who == "ours":
        return make_beside_pot("ours", size)
    from geomloss import SamplesLoss

    rows, classes = (int(number) for number in size.split(" x "))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, classes, generator=generator).requires_grad_()
    target = torch.randn(rows, classes, generator=generator).softmax(-1)
    places = torch.linspace(0, 1, classes).expand(rows, classes)[..., None].contiguous()
    distance = SamplesLoss("sinkhorn", p=1, blur=0.1, debias=False)

    def step() -> None:
        logits.grad = None
        distance(logits.softmax(-1), places, target, places).mean().backward()

    return step
