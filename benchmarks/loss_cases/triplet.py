"""Triplet losses over all triplets of a batch: forward and backward."""

from collections.abc import Callable

import torch

PEER = "pytorch-metric-learning"
SIZES = (
    "all N=128 c8", "all N=512 c8", "all N=2048 c8", "all N=8192 c8", "all N=8192 pk4",
    "soft N=128 c8", "soft N=512 c8", "soft N=2048 c8", "soft N=8192 c8",
)  # fmt: skip


def make(who: str, size: str) -> Callable[[], None]:
    """One step of ``"ours"`` or ``"peer"`` at a size: kind, items, and 8 classes (c8) or 4 items a class (pk4)."""
    kind, items, layout = size.split()
    count = int(items.removeprefix("N="))
    torch.manual_seed(0)
    embeddings = torch.randn(count, 128, requires_grad=True)
    targets = torch.arange(count) % 8 if layout == "c8" else torch.arange(count) // 4
    if who == "ours":
        from affectspace.losses.triplet import TripletLoss

        loss = TripletLoss(0.2, kind="soft_margin" if kind == "soft" else "hinge", average="active")
    else:
        from pytorch_metric_learning.losses import TripletMarginLoss

        loss = TripletMarginLoss(0.2, smooth_loss=kind == "soft")

    def step() -> None:
        embeddings.grad = None
        loss(embeddings, targets).backward()

    return step
