"""Squared maximum mean discrepancy: how far apart the distributions of two sets of embeddings are."""

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.gaussian_kernels import KernelBlocks, check_kernels, on_diagonal, triangle
from affectspace.losses.gradients import needs_gradient, with_gradients
from affectspace.losses.inputs import check_embeddings, wide

__all__ = ["MMDLoss", "mmd2"]


def mmd2(
    x: Tensor,
    y: Tensor,
    *,
    kernels: int = 5,
    bandwidth: float | None = None,
    unbiased: bool = True,
    sigma: float | None = None,
) -> Tensor:
    r"""Squared maximum mean discrepancy of two sets of points, with Gaussian kernels.

    .. math:: \frac{1}{m(m-1)} \sum_{i \ne j} k(x_i, x_j) + \frac{1}{n(n-1)} \sum_{i \ne j} k(y_i, y_j)
              - \frac{2}{mn} \sum_{i,j} k(x_i, y_j)

    The biased form counts i = j as well and divides by m² and n². The kernel is a mean of K
    Gaussians with bandwidths that double,

    .. math:: k(a, b) = \frac1K \sum_{j=0}^{K-1} \exp\!\left(-\frac{\lVert a - b\rVert^2}{b_j}\right),
              \qquad b_j = b\, 2^{\,j - \lfloor K/2 \rfloor}

    so for five b/4, b/2, b, 2b and 4b. A Gaussian of standard deviation sigma has :math:`b = 2\sigma^2`.

    It does not depend on the order of either set: shuffling one changes nothing, so it cannot tell
    paired items from unpaired ones (see :class:`affectspace.losses.matching.CrossModalMatchingLoss`).

    Args:
        x: ``(m, dimensions)``.
        y: ``(n, dimensions)``; receives a gradient too, unless detached.
        kernels: K, 1 to 10.
        bandwidth: the middle one, b, in units of squared distance; None: the mean squared distance
            of the pairs of x and y together, through which no gradient flows.
        unbiased: leave out i = j.
        sigma: the middle one as a standard deviation instead; ``kernels=1`` is the plain Gaussian kernel.

    Returns:
        A scalar, float32 or better. Biased it lies in ``[0, 2]`` (to rounding) and is 0 for equal sets;
        unbiased it averages 0 over samples of one distribution, and so may lie a little below 0.

    Raises:
        ValueError: shapes that do not match, kernels that are no number of them, a bandwidth that is not above
            0, or both it and sigma.

    Warns:
        DegenerateBatchWarning: a side has fewer than two items (biased: none); the value is then 0,
            with a graph.

    Costs O((m + n)² dimensions) time, one exponential a pair of different items, and memory of a few
    blocks of 2^18 pairs beside the gradient, which is computed in the same pass (so it is differentiable
    once). ``torch.compile`` traces it without a graph break. Clusters further apart than some ten
    roots of the bandwidth take some 1.6 times as long, since their products are made in float64; compiled, or
    on devices other than CPU and CUDA, they stay in float32 and lose digits there.

    Source: Gretton, Borgwardt, Rasch, Schölkopf & Smola, "A Kernel Two-Sample Test", 2012, Eq. 3 and 5.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> mmd2(x, x + 100, sigma=1.0, kernels=1)  # exp(-1/2) twice, and nothing across
        tensor(1.2131)
        >>> mmd2(x, x + 100, sigma=1.0, kernels=1, unbiased=False)
        tensor(1.6065)
    """
    middle = _middle_bandwidth(bandwidth, sigma)
    check_kernels(kernels, middle)
    check_embeddings("x", x)
    check_embeddings("y", y)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"x has {x.shape[-1]} dimensions and y {y.shape[-1]}; expected one space for both")
    m, n = len(x), len(y)
    points = torch.cat([wide(x), wide(y)])
    if min(m, n) < (least := 2 if unbiased else 1):
        return nothing_to_learn(points, f"a side of {min(m, n)} items; a discrepancy needs at least {least}")
    with torch.autocast(points.device.type, enabled=False):
        with_gradient = needs_gradient(points)
        value, gradient = _mmd2(points.detach(), m, middle, kernels, unbiased, with_gradient)
        return value if gradient is None else with_gradients(value, [gradient], [points])


class MMDLoss(nn.Module):
    """Squared maximum mean discrepancy as a loss that draws two distributions together.

    Between two modalities, corpora or domains whose embeddings should be distributed alike; the
    sides need not hold the same items, nor as many. Not for telling which item belongs to which: see
    :class:`affectspace.losses.hsic.HSICLoss`.

    Args:
        kernels: how many Gaussians are averaged, 1 to 10, see :func:`mmd2`.
        bandwidth: the middle one, in units of squared distance; None: that of each batch.
        unbiased: leave out the kernel of an item with itself; the loss may then dip below 0.
        sigma: the middle one as a standard deviation instead.

    Shape:
        x ``(m, dimensions)`` and y ``(n, dimensions)``; the loss is a scalar, see :func:`mmd2` for its
        range, what it raises, when it warns and what it costs.

    Example:
        >>> loss, side = MMDLoss(), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> loss(side, side + 1) > loss(side, side)
        tensor(True)
    """

    def __init__(
        self,
        kernels: int = 5,
        *,
        bandwidth: float | None = None,
        unbiased: bool = True,
        sigma: float | None = None,
    ):
        super().__init__()
        check_kernels(kernels, _middle_bandwidth(bandwidth, sigma))
        self.kernels = kernels
        self.bandwidth = bandwidth
        self.unbiased = unbiased
        self.sigma = sigma

    def extra_repr(self) -> str:
        return f"kernels={self.kernels}, bandwidth={self.bandwidth}, unbiased={self.unbiased}, sigma={self.sigma}"

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return mmd2(x, y, kernels=self.kernels, bandwidth=self.bandwidth, unbiased=self.unbiased, sigma=self.sigma)


def _middle_bandwidth(bandwidth: float | None, sigma: float | None) -> float | None:
    if sigma is None:
        return bandwidth
    if bandwidth is not None:
        raise ValueError(f"bandwidth {bandwidth} and sigma {sigma} say the same (2 sigma^2 = bandwidth); give one")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}; expected a number above 0, or None for the bandwidth of the batch")
    return 2 * sigma**2


@torch.no_grad()
def _mmd2(
    points: Tensor, m: int, bandwidth: float | None, kernels: int, unbiased: bool, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    kernel = KernelBlocks(points, bandwidth, kernels)
    n, device = len(points) - m, points.device
    within_x, within_y = (points.new_full((k,), 1 / (k * (k - 1) if unbiased else k * k)) for k in (m, n))
    # of the pairs with each column; the rows of y only need the columns of y
    shares_x = torch.cat([within_x, points.new_full((n,), -1 / (m * n))])
    shares_y = torch.cat([within_x, within_y])
    value = points.new_zeros(())
    for shares, blocks in [
        (shares_x, triangle(0, m, m + n, device)),
        (shares_y, triangle(m, m + n, m + n, device)),
    ]:
        for rows, columns in blocks:
            block, slope = kernel.block(rows, columns, with_gradient)
            weights = shares[columns.start : columns.stop]
            sums = block.sum(0) * weights
            value += 2 * sums.sum() - sums[: on_diagonal(rows, columns)].sum()
            if slope is not None:
                kernel.add(slope, rows, columns, weights)
    value /= kernels
    if not unbiased:  # of an item with itself the kernel is 1
        value += 1 / m + 1 / n
    return value, kernel.gradient() / kernels if with_gradient else None
