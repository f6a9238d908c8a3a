r"""Sums of Gaussian kernels over all pairs of points, block by block: what MMD and HSIC are made of.

The kernel is a mean of K Gaussians whose bandwidths are powers of two apart,

.. math:: k(a, b) = \frac1K \sum_{j=0}^{K-1} \exp\!\left(-\frac{\lVert a - b\rVert^2}{b_j}\right),
          \qquad b_j = b\, 2^{\,j - \lfloor K/2 \rfloor}

around a middle *b*: for five, b/4, b/2, b, 2b, 4b. In points divided by the root of the widest
bandwidth, the widest kernel is :math:`e = \exp(-\lVert u - v\rVert^2)` and the others are
:math:`e^2, e^4, e^8, \dots`, so that a pair costs one exponential and a few products.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["KernelBlocks", "add_mirrored", "check_kernels", "on_diagonal", "rectangle", "triangle"]

# Small enough for a processor's cache; other devices rather want few large operations.
PAIRS_PER_BLOCK_ON_CPU = 2**18
PAIRS_PER_BLOCK_ELSEWHERE = 2**24


# A kernel is off by some float32 rounding of this, and so by 1e-4 at worst.
LARGEST_POWER_IN_FLOAT32 = 1e3


def check_kernels(kernels: int, *bandwidths: float | None) -> None:
    """Refuse numbers of kernels and bandwidths that make no kernel.

    Raises:
        ValueError: not a whole number of 1 to 10 kernels, or a bandwidth that is not above 0.
    """
    if isinstance(kernels, bool) or not isinstance(kernels, int):
        raise ValueError(f"kernels is {kernels!r}; expected a whole number, 1 to 10 (widths are given by their names)")
    if not 1 <= kernels <= 10:
        raise ValueError(f"kernels is {kernels}; expected 1 to 10, of which the widest is 2**9 times the narrowest")
    for bandwidth in bandwidths:
        if bandwidth is not None and not 0 < bandwidth < float("inf"):
            raise ValueError(f"a bandwidth is {bandwidth}; expected a number above 0, or None for that of the batch")


class KernelBlocks:
    r"""The kernels of every pair of some points, a block of rows at a time, and the gradient of a sum of them.

    The middle bandwidth, where none is given, is the mean squared distance of the pairs. It needs no
    pairs: :math:`\frac{2}{N - 1} \sum_i \lVert z_i - \bar z\rVert^2`. No gradient flows through it.

    Squared distances come from products of points less their mean, so that a large offset common to
    all of them costs no digits, and never fall below 0. Where points lie many bandwidths from their mean (a
    fixed bandwidth and clusters far apart), near ones would lose theirs: on CPU and CUDA products are then
    made in float64, unless ``torch.compile`` traces them. Of points that are all equal every kernel is 1 and
    every gradient 0.

    Blocks hold **sums** of the K kernels, not means: divide by ``kernels`` at the end. A point's kernel
    with itself is left out (0), since it is K whatever the point.

    Args:
        points: ``(N, dimensions)``, N at least 2, float32 or float64, without a graph.
        bandwidth: the middle one, in units of squared distance; None: that of the points.
        kernels: how many.

    Example:
        >>> points = KernelBlocks(torch.tensor([[0.0], [1.0], [3.0]]), bandwidth=1.0, kernels=1)
        >>> block, _ = points.block(range(0, 1), range(0, 3))
        >>> block  # 0 for itself, exp(-1), exp(-9)
        tensor([[0.0000e+00, 3.6788e-01, 1.2341e-04]])
    """

    def __init__(self, points: Tensor, bandwidth: float | None, kernels: int):
        self.kernels = kernels
        widest = 2.0 ** (kernels - 1 - kernels // 2)
        at, self.length = _in_bandwidths(points, bandwidth, widest)
        squares = at.square().sum(1, keepdim=True)
        # the narrowest kernel multiplies exponents, and their errors, by so much
        if _can_be_exact(points) and squares.amax() * 2 ** (kernels - 1) > LARGEST_POWER_IN_FLOAT32:
            at, length = _in_bandwidths(points.double(), bandwidth, widest)
            squares, self.length = at.square().sum(1, keepdim=True), length.to(points.dtype)
        ones = torch.ones_like(squares)
        # One product gives -|u - v|^2 = 2 u.v - |u|^2 - |v|^2.
        self.rows = torch.cat([2 * at, -squares, -ones], 1)
        self.columns = torch.cat([at, ones, squares], 1)
        self.points = at.to(points.dtype)
        self.points_and_one = self.columns[:, :-1]
        self.own = points.new_full((len(points),), float(kernels))
        self.summed: Tensor | None = None

    def block(self, rows: range, columns: range, slopes: bool = False) -> tuple[Tensor, Tensor | None]:
        """Sum of the kernels of points ``rows`` with points ``columns``, and how fast it falls with squared distance.

        The columns either start with the rows or hold none of them.
        """
        power = self.rows[rows.start : rows.stop] @ self.columns[columns.start : columns.stop].T
        power = power.clamp_(max=0).to(self.points.dtype).exp_()
        if on_diagonal(rows, columns):
            power.diagonal().zero_()
        if self.kernels == 1:
            return power, power if slopes else None
        total, power = power, power * power
        slope = torch.add(total, power, alpha=2) if slopes else None
        total.add_(power)
        for j in range(2, self.kernels):
            power.mul_(power)
            total.add_(power)
            if slope is not None:
                slope.add_(power, alpha=2**j)
        return total, slope

    def row_sums(self) -> Tensor:
        """Of each point, the sum of its kernels with all other points, shape ``(N,)``."""
        sums = self.points.new_zeros(len(self.points))
        for rows, columns in triangle(0, len(self.points), len(self.points), self.points.device):
            total, _ = self.block(rows, columns)
            sums[rows.start : rows.stop] += total.sum(1)
            both = on_diagonal(rows, columns)
            sums[columns.start + both : columns.stop] += total[:, both:].sum(0)
        return sums

    def add(self, slope: Tensor, rows: range, columns: range, weights: Tensor | None = None) -> None:
        """Add to the gradient a block of slopes times weights.

        Args:
            slope: ``(rows, columns)``, of :meth:`block`; weights of single pairs are multiplied into it.
            rows: rows of the block.
            columns: columns of the block; those that are not rows too stand for (row, column) and (column, row).
            weights: ``(columns,)``, of all pairs in a column; None: one.
        """
        if self.summed is None:
            self.summed = torch.zeros_like(self.points_and_one)
        add_mirrored(self.summed, slope.to(self.summed.dtype), self.points_and_one, rows, columns, weights)

    def add_pairs(self, total: Tensor, slope: Tensor | None, weights: Tensor, rows: range, columns: range) -> Tensor:
        """The sum of a block times ``(rows, columns)`` weights; with slopes, its share of the gradient is added too.

        Columns that are not rows too stand for (row, column) and (column, row).
        """
        weighted = total * weights
        if slope is not None:
            self.add(weighted if slope is total else slope.mul_(weights), rows, columns)
        sums = weighted.sum(0)
        return 2 * sums.sum() - sums[: on_diagonal(rows, columns)].sum()

    def gradient(self) -> Tensor:
        """Gradient with respect to the points of the weighted sum over ordered pairs of all that was added."""
        assert self.summed is not None
        # d/du_i of sum_ij w_ij k_ij is -4 sum_j w_ij slope_ij (u_i - u_j)
        differences = self.summed[:, :-1] - self.summed[:, -1:] * self.points_and_one[:, :-1]
        return differences.to(self.points.dtype).mul_(4 / self.length)


def _can_be_exact(points: Tensor) -> bool:
    # float64 is slow or missing on other devices, and a compiled graph does not look at values
    return points.dtype == torch.float32 and points.device.type in ("cpu", "cuda") and not torch.compiler.is_compiling()


def _in_bandwidths(points: Tensor, bandwidth: float | None, widest: float) -> tuple[Tensor, Tensor]:
    """Points around their mean in units of the root of the widest bandwidth, and that root."""
    # The first row may be an outlier and the mean of large numbers inexact; the two together are neither.
    points = points - points[:1]
    points = points - points.mean(0)
    if bandwidth is not None:
        length = points.new_tensor((widest * bandwidth) ** 0.5)
        return points / length, length
    # the largest entry first, or the squares of very small and large points leave their range
    peak = torch.linalg.vector_norm(points, ord=float("inf"))
    peak = torch.where(peak == 0, 1.0, peak)
    points = points / peak
    mean = points.square().sum() * (2 * widest / (len(points) - 1))
    root = torch.where(mean == 0, 1.0, mean).sqrt()
    return points / root, peak * root


def triangle(start: int, stop: int, end: int, device: torch.device) -> Iterator[tuple[range, range]]:
    """Blocks of rows ``start..stop`` with the columns from their first row on to ``end``.

    The first block of some rows starts on the diagonal and holds all of them as columns.
    """
    while start < stop:
        rows = range(start, min(stop, start + rows_of_a_block(device)))
        yield from rectangle(rows.start, rows.stop, range(start, end), device)
        start = rows.stop


def rectangle(start: int, stop: int, columns: range, device: torch.device) -> Iterator[tuple[range, range]]:
    """Blocks of rows ``start..stop`` with columns."""
    side = rows_of_a_block(device)
    while start < stop:
        rows = range(start, min(stop, start + side))
        wide = 4 * side * side // len(rows)
        for first in range(columns.start, columns.stop, wide):
            yield rows, range(first, min(columns.stop, first + wide))
        start = rows.stop


def rows_of_a_block(device: torch.device) -> int:
    """How many rows a block has at most; it has four times as many columns, or more if it has fewer rows."""
    pairs = PAIRS_PER_BLOCK_ON_CPU if device.type == "cpu" else PAIRS_PER_BLOCK_ELSEWHERE
    return max(8, math.isqrt(pairs // 4))


def on_diagonal(rows: range, columns: range) -> int:
    """How many of the first columns of a block are its rows."""
    return len(rows) if columns.start == rows.start else 0


def add_mirrored(
    sums: Tensor, block: Tensor, points: Tensor, rows: range, columns: range, weights: Tensor | None = None
) -> None:
    """Add to ``sums`` a block of a symmetric matrix times ``points``, and its mirror image times those of the rows.

    Args:
        sums: shape of ``points``, changed in place.
        block: ``(rows, columns)``; where the columns start with the rows, those are not mirrored.
        points: ``(N, ...)``.
        rows: rows of the block.
        columns: columns of the block.
        weights: ``(columns,)``, by which the columns of the block are multiplied; None: one.
    """
    others = points[columns.start : columns.stop]
    sums[rows.start : rows.stop] += block @ (others if weights is None else weights[:, None] * others)
    both = on_diagonal(rows, columns)
    if both < len(columns):
        mirrored = block[:, both:].T @ points[rows.start : rows.stop]
        if weights is not None:
            mirrored *= weights[both:, None]
        sums[columns.start + both : columns.stop] += mirrored
