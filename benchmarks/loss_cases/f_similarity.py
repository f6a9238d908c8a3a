"""f-Similarity Preservation over all pairs of a batch, against all pairs at once in plain tensor operations.

Four classes, soft labels, KL with the Fisher-Rao geometry; the weights balance the two sides of neutral.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

PEER = "all pairs at once"
SIZES = ("N=128 soft4", "N=512 soft4", "N=2048 soft4", "N=8192 soft4")


def make(who: str, size: str) -> Callable[[], None]:
    """One forward and backward pass of ``who`` ("ours" or "peer")."""
    items = int(size.split()[0].removeprefix("N="))
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(items, 128, generator=generator).requires_grad_()
    targets = torch.rand(items, 4, generator=generator) ** 2
    targets /= targets.sum(-1, keepdim=True)

    if who == "ours":
        from affectspace.losses import InBatchFSimilarityLoss

        loss = InBatchFSimilarityLoss("kl", "fisher_rao")
        value = lambda: loss(z, targets)  # noqa: E731
    else:
        value = lambda: at_once(z, targets)  # noqa: E731

    def run() -> None:
        z.grad = None
        value().backward()

    return run


def at_once(z: Tensor, targets: Tensor) -> Tensor:
    def similarity(points: Tensor) -> Tensor:
        quarter_turns = torch.asin((torch.pdist(points) / 2).clamp(max=1)) * (4 / math.pi)
        return (2 - 2 * quarter_turns).clamp(min=0)

    c = similarity(targets.sqrt())
    s = similarity(z / z.norm(dim=-1, keepdim=True))
    above, below = c > 1, c < 1
    a, b = ((c - 1) * above).sum(), ((1 - c) * below).sum()
    scale = (above.sum() + below.sum()) / (above.sum() * b + below.sum() * a)
    weights = (above * b + below * a) * scale / len(c)
    s, c = s + 1e-12, c + 1e-12
    return 2 * (weights * (s - c - c * torch.log(s / c))).sum()
