"""Cross-entropy with soft labels against torch's own, which does not look at what it is given."""

from collections.abc import Callable

import torch

PEER = "torch.nn.CrossEntropyLoss"
SIZES = ("128 x 10", "512 x 10", "2048 x 10", "8192 x 10")


def make(who: str, size: str) -> Callable[[], None]:
    items, classes = (int(number) for number in size.split(" x "))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(items, classes, generator=generator).requires_grad_()
    targets = torch.randn(items, classes, generator=generator).softmax(-1)
    if who == "ours":
        from affectspace.losses import SoftCrossEntropyLoss

        loss = SoftCrossEntropyLoss()
    else:
        loss = torch.nn.CrossEntropyLoss()

    def step() -> None:
        logits.grad = None
        loss(logits, targets).backward()

    return step
