"""Maximum mean discrepancy of five kernels against plain torch: distances from one product, gradients by autograd."""

from collections.abc import Callable

import torch
from loss_cases.hsic import gaussian

PEER = "torch, product form"
SIZES = ("5 kernels N=128", "5 kernels N=512", "5 kernels N=2048", "5 kernels N=8192")


def product_form(x: torch.Tensor, y: torch.Tensor, kernels: int = 5) -> torch.Tensor:
    kernel = gaussian(torch.cat([x, y]), kernels)
    m, n = len(x), len(y)
    xx, yy, xy = kernel[:m, :m], kernel[m:, m:], kernel[:m, m:]
    return (xx.sum() - m) / (m * (m - 1)) + (yy.sum() - n) / (n * (n - 1)) - 2 * xy.mean()


def make(who: str, size: str) -> Callable[[], None]:
    items = int(size.rsplit("=")[1])
    torch.manual_seed(0)
    x = torch.randn(items, 128, requires_grad=True)
    y = (torch.randn(items, 128) + 0.1).requires_grad_()
    if who == "ours":
        from affectspace.losses.mmd import mmd2 as discrepancy
    else:
        discrepancy = product_form

    def step() -> None:
        x.grad = y.grad = None
        discrepancy(x, y).backward()

    return step
