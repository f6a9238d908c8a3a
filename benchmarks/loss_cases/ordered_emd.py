"""Squared earth mover's distance of ordered classes."""

from collections.abc import Callable

import torch

PEER = "dlordinal"
SIZES = ("128 x 10", "256 x 10", "512 x 10", "2048 x 10", "8192 x 10")


def make(who: str, size: str) -> Callable[[], None]:
    """Forward and backward of the loss of ``"ours"`` or ``"peer"`` at ``"batch x classes"``, hard labels."""
    items, classes = map(int, size.split(" x "))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(items, classes, generator=generator).requires_grad_()
    targets = torch.randint(classes, (items,), generator=generator)
    if who == "ours":
        from affectspace.losses.ordered_emd import OrderedEMDLoss

        loss = OrderedEMDLoss()
    else:
        from dlordinal.losses import EMDLoss  # pyright: ignore[reportMissingImports]

        loss = EMDLoss(classes)

    def step() -> None:
        logits.grad = None
        loss(logits, targets).backward()

    return step
