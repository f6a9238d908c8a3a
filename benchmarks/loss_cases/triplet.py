"""Triplet losses over all triplets of a batch: forward and backward."""

from collections.abc import Callable

import torch

PEER = "pytorch-metric-learning"
SIZES = (
    "all N=128 c8", "all N=512 c8", "all N=2048 c8", "all N=8192 c8", "all N=8192 pk4",
    "all N=128 tight", "all N=512 tight", "all N=2048 tight", "all N=8192 tight",
    "soft N=128 c8", "soft N=512 c8", "soft N=2048 c8", "soft N=8192 c8", "soft N=512 tight",
)  # fmt: skip


def make(who: str, size: str) -> Callable[[], None]:
    """One step of ``"ours"`` or ``"peer"`` at a size: form, items, and layout.

    Random points in 8 classes (c8) or of 4 items a class (pk4); 8 classes of unit vectors, each
    some 0.02 from its class's centre, as training leaves them (tight).
    """
    form, items, layout = size.split()
    count = int(items.removeprefix("N="))
    torch.manual_seed(0)
    targets = torch.arange(count) // 4 if layout == "pk4" else torch.arange(count) % 8
    embeddings = torch.randn(count, 128)
    if layout == "tight":
        centres = torch.nn.functional.normalize(torch.randn(8, 128), dim=1)
        embeddings = centres[targets] + 0.02 / 128**0.5 * embeddings
    embeddings.requires_grad_()
    if who == "ours":
        from affectspace.losses.triplet import TripletLoss

        loss = TripletLoss(0.2, "soft_margin" if form == "soft" else "hinge", average="active")
    else:
        from pytorch_metric_learning.losses import TripletMarginLoss

        loss = TripletMarginLoss(0.2, smooth_loss=form == "soft")

    def step() -> None:
        embeddings.grad = None
        loss(embeddings, targets).backward()

    return step
