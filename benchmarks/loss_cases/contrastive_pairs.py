"""Contrastive loss of all pairs, distances as they are (the peer has no squares), eight balanced classes."""

from collections.abc import Callable

import torch

PEER = "pytorch-metric-learning"
SIZES = ("N=128 c8", "N=512 c8", "N=2048 c8", "N=8192 c8")


def make(who: str, size: str) -> Callable[[], None]:
    items = int(size.split()[0].removeprefix("N="))
    embeddings = torch.randn(items, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    classes = torch.arange(items) % 8
    if who == "ours":
        from affectspace.losses.contrastive_pairs import ContrastivePairsLoss

        loss = ContrastivePairsLoss(margin=1.0, squared=False)
    else:
        from pytorch_metric_learning.losses import ContrastiveLoss
        from pytorch_metric_learning.reducers import MeanReducer

        loss = ContrastiveLoss(neg_margin=1.0, reducer=MeanReducer())  # the default's mean is over non-zero pairs

    def step() -> None:
        embeddings.grad = None
        loss(embeddings, classes).backward()

    return step
