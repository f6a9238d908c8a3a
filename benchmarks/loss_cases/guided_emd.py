"""Self-guided EMD in training, where it gathers the features of the classes, against cross-entropy alone."""

from collections.abc import Callable

import torch

PEER = "SoftCrossEntropyLoss of our own: what the relations of the classes cost"
SIZES = ("128 x 10", "512 x 10", "2048 x 10", "8192 x 10")


def make(who: str, size: str) -> Callable[[], None]:
    from affectspace.losses import GuidedEMDLoss, SoftCrossEntropyLoss

    items, classes = (int(number) for number in size.split(" x "))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(items, classes, generator=generator).requires_grad_()
    features = torch.rand(items, 128, generator=generator)
    targets = torch.arange(items) % classes
    guided, plain = GuidedEMDLoss(classes, 128), SoftCrossEntropyLoss()

    def step() -> None:
        logits.grad = None
        (guided(logits, targets, features) if who == "ours" else plain(logits, targets)).backward()

    return step
