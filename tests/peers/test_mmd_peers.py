"""MMD against geomloss, whose Gaussian "distance" is half of the biased square, and against differences written out."""

import pytest
import torch

from affectspace.losses.mmd import mmd2

geomloss = pytest.importorskip("geomloss")


def sides(m: int, n: int, dimensions: int = 8, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(m, dimensions, dtype=torch.double, generator=random)
    return x.requires_grad_(), (torch.randn(n, dimensions, dtype=torch.double, generator=random) + 0.3).requires_grad_()


def written_out(x: torch.Tensor, y: torch.Tensor, kernels: int, unbiased: bool) -> torch.Tensor:
    points, m, n = torch.cat([x, y]), len(x), len(y)
    squared = (points[:, None] - points[None]).square().sum(-1)
    middle = squared.detach().sum() / ((m + n) * (m + n - 1))
    kernel = sum((-squared / (middle * 2.0 ** (j - kernels // 2))).exp() for j in range(kernels)) / kernels
    xx, yy, xy = kernel[:m, :m], kernel[m:, m:], kernel[:m, m:]
    if unbiased:
        return (xx.sum() - m) / (m * (m - 1)) + (yy.sum() - n) / (n * (n - 1)) - 2 * xy.mean()
    return xx.mean() + yy.mean() - 2 * xy.mean()


@pytest.mark.parametrize("sigma", [0.5, 2.0, 10.0])
@pytest.mark.parametrize(("m", "n"), [(20, 20), (7, 31)])
def test_geomloss_gives_half_of_the_biased_square(m, n, sigma):
    x, y = sides(m, n)
    ours, theirs = (
        mmd2(x, y, sigma=sigma, kernels=1, unbiased=False),
        geomloss.SamplesLoss("gaussian", blur=sigma)(x, y),
    )
    assert ours.item() == pytest.approx(2 * theirs.item(), abs=1e-12)
    for a, b in zip(torch.autograd.grad(ours, [x, y]), torch.autograd.grad(theirs, [x, y])):
        assert torch.allclose(a, 2 * b, atol=1e-12)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("kernels", [1, 4, 5])
def test_differences_written_out_give_the_same_value_and_gradients(kernels, unbiased):
    x, y = sides(60, 50)
    ours, theirs = mmd2(x, y, kernels=kernels, unbiased=unbiased), written_out(x, y, kernels, unbiased)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-12)
    for a, b in zip(torch.autograd.grad(ours, [x, y]), torch.autograd.grad(theirs, [x, y])):
        assert torch.allclose(a, b, atol=1e-12)


def test_a_common_offset_costs_geomloss_its_digits_in_float32_and_us_none():
    x, y = (torch.randint(-8, 9, (30, 8), generator=torch.Generator().manual_seed(s)) / 8 for s in (0, 1))
    peer = geomloss.SamplesLoss("gaussian", blur=1.0)

    def ours(a, b):
        return mmd2(a, b, sigma=1.0, kernels=1, unbiased=False)

    offset = 2**12  # these numbers are exact in float32 beside it
    assert ours(x + offset, y + offset).item() == pytest.approx(ours(x, y).item(), abs=1e-6)
    assert abs(peer(x + offset, y + offset) - peer(x, y)) > 0.1
