"""Unbiased Hilbert-Schmidt independence criterion of five kernels against plain torch with gradients by autograd."""

from collections.abc import Callable

import torch

PEER = "torch, product form"
SIZES = ("N=128", "N=512", "N=2048", "N=8192")


def gaussian(points: torch.Tensor, kernels: int = 5) -> torch.Tensor:
    squares = points.square().sum(1)
    squared = (squares[:, None] + squares[None] - 2 * points @ points.T).clamp(min=0)
    middle = squared.detach().sum() / (len(points) * (len(points) - 1))
    kernel = torch.exp(-squared / (middle * 2.0 ** -(kernels // 2)))
    for j in range(1, kernels):
        kernel = kernel + torch.exp(-squared / (middle * 2.0 ** (j - kernels // 2)))
    return kernel / kernels


def product_form(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    n = len(x)
    a, b = (kernel - torch.diag(kernel.diagonal()) for kernel in (gaussian(x), gaussian(y)))
    rows = a.sum(1) @ b.sum(1)
    return ((a * b).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * rows) / (n * (n - 3))


def make(who: str, size: str) -> Callable[[], None]:
    items = int(size.rsplit("=")[1])
    torch.manual_seed(0)
    x = torch.randn(items, 128, requires_grad=True)
    y = (x.detach() + torch.randn(items, 128)).requires_grad_()
    if who == "ours":
        from affectspace.losses.hsic import hsic as dependence
    else:
        dependence = product_form

    def step() -> None:
        x.grad = y.grad = None
        dependence(x, y).backward()

    return step
