"""Supervised contrastive loss of hard labels, eight balanced classes."""

from collections.abc import Callable

import torch

PEER = "pytorch-metric-learning"
SIZES = ("N=128 c8", "N=512 c8", "N=2048 c8", "N=8192 c8")


def make(who: str, size: str) -> Callable[[], None]:
    items = int(size.split()[0].removeprefix("N="))
    embeddings = torch.randn(items, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    classes = torch.arange(items) % 8
    if who == "ours":
        from affectspace.losses.contrastive import SupervisedContrastiveLoss

        loss = SupervisedContrastiveLoss(temperature=0.1)
    else:
        from pytorch_metric_learning.losses import SupConLoss

        loss = SupConLoss(temperature=0.1)

    def step() -> None:
        embeddings.grad = None
        loss(embeddings, classes).backward()

    return step
