"""Class-conditional matching of two modalities against plain torch: one matrix of all pairs, gradients by autograd."""

from collections.abc import Callable

import torch
from loss_cases.hsic import gaussian
from torch import Tensor

PEER = "torch, product form"
SIZES = ("N=128 c8", "N=512 c8", "N=2048 c8", "N=8192 c8")


def product_form(a: Tensor, b: Tensor, groups: Tensor) -> Tensor:
    """Each class's discrepancy between the modalities less that from the other classes, weighted by its share."""
    items = len(a)
    kernel = gaussian(torch.cat([a, b]))
    across, within = kernel[:items, items:], kernel[items:, items:]
    total = kernel.new_zeros(())
    for group in groups.unique():
        inside = groups == group
        n, rest = int(inside.sum()), int((~inside).sum())
        own = (within[inside][:, inside].sum() - n) / (n * (n - 1)) - 2 * across[inside][:, inside].mean()
        other = (within[~inside][:, ~inside].sum() - rest) / (rest * (rest - 1)) - 2 * across[inside][:, ~inside].mean()
        total = total + n / items * (own - other)
    return total


def make(who: str, size: str) -> Callable[[], None]:
    items = int(size.split()[0].removeprefix("N="))
    torch.manual_seed(0)
    a = torch.randn(items, 128, requires_grad=True)
    b = (torch.randn(items, 128) + 0.1).requires_grad_()
    groups = torch.arange(items) % 8
    if who == "ours":
        from affectspace.losses import CrossModalMatchingLoss

        loss = CrossModalMatchingLoss()
    else:
        loss = product_form

    def step() -> None:
        a.grad = b.grad = None
        loss(a, b, groups).backward()

    return step
