"""The Gaussian manifold loss against the plain form: a mean of each class in turn, and ``torch.cdist`` to them."""

from collections.abc import Callable

import torch

from affectspace.losses.gaussian_manifold import GaussianManifoldLoss

PEER = "plain torch"
SIZES = ("N=128 c8", "N=512 c8", "N=2048 c8", "N=8192 c8")
DIMENSIONS, SIGMA, NORM_WEIGHT = 64, 0.5, 1e-4


def make(who: str, size: str) -> Callable[[], None]:
    """One forward and backward pass of ``who`` ("ours" or "peer")."""
    items, classes = (int(part.lstrip("N=c")) for part in size.split())
    torch.manual_seed(0)
    z = torch.randn(items, DIMENSIONS, requires_grad=True)
    targets = torch.arange(items) % classes

    loss = GaussianManifoldLoss(SIGMA, NORM_WEIGHT)

    def ours() -> torch.Tensor:
        return loss(z, targets)

    def plain() -> torch.Tensor:
        means = torch.stack([z[targets == j].mean(0) for j in range(classes)])
        posterior = (-torch.cdist(z, means).square() / (2 * SIGMA**2)).softmax(-1)
        goal = torch.nn.functional.one_hot(targets, classes)
        return (posterior - goal).square().sum(-1).mean() + NORM_WEIGHT * z.norm()

    def step() -> None:
        z.grad = None
        (ours() if who == "ours" else plain()).backward()

    return step
