"""Maximum mean discrepancy of one Gaussian kernel of fixed width against geomloss, whose value is half of ours."""

from collections.abc import Callable

import torch

PEER = "geomloss"
SIZES = ("1 kernel N=128", "1 kernel N=512", "1 kernel N=2048", "1 kernel N=8192")
SIGMA = 8.0


def make(who: str, size: str) -> Callable[[], None]:
    items = int(size.rsplit("=")[1])
    torch.manual_seed(0)
    x = torch.randn(items, 128, requires_grad=True)
    y = (torch.randn(items, 128) + 0.1).requires_grad_()
    if who == "ours":
        from affectspace.losses.mmd import MMDLoss

        discrepancy = MMDLoss(kernels=1, sigma=SIGMA, unbiased=False)
    else:
        from geomloss import SamplesLoss

        discrepancy = SamplesLoss("gaussian", blur=SIGMA)

    def step() -> None:
        x.grad = y.grad = None
        discrepancy(x, y).backward()

    return step
