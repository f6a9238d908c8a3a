"""Hilbert-Schmidt independence criterion: how much two views of the same items tell of each other."""

from typing import Literal

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.gaussian_kernels import (
    KernelBlocks,
    add_mirrored,
    check_kernels,
    on_diagonal,
    triangle,
)
from affectspace.losses.gradients import needs_gradient, with_gradients
from affectspace.losses.inputs import beside, check_embeddings, hard_classes, label_rows, wide

__all__ = ["HSICLoss", "hsic"]

SecondKernel = Literal["gaussian", "labels"]


def hsic(
    x: Tensor,
    y: Tensor,
    *,
    kernel_y: SecondKernel = "gaussian",
    kernels: int = 5,
    bandwidth_x: float | None = None,
    bandwidth_y: float | None = None,
    unbiased: bool = True,
) -> Tensor:
    r"""Hilbert-Schmidt independence criterion of items seen from two sides.

    With :math:`K_{ij} = k(x_i, x_j)`, :math:`L_{ij} = l(y_i, y_j)`, :math:`H = I - \frac1n 1 1^\top`, and tildes
    for matrices whose diagonal is 0,

    .. math::
        \text{unbiased} &= \frac{1}{n(n-3)} \left[ \mathrm{tr}(\tilde K \tilde L)
            + \frac{1^\top \tilde K 1 \cdot 1^\top \tilde L 1}{(n-1)(n-2)}
            - \frac{2}{n-2} 1^\top \tilde K \tilde L 1 \right] \\
        \text{biased} &= \frac{1}{(n-1)^2} \mathrm{tr}(K H L H)

    Unlike the maximum mean discrepancy it sees which row of x belongs to which row of y. It does not see
    coordinates: rotating, moving or (without fixed bandwidths) scaling a side changes nothing.

    Args:
        x: ``(items, dimensions)``.
        y: ``(items, other dimensions)``, row i of the same item as row i of x; receives a gradient too,
            unless detached. With ``kernel_y="labels"`` class indices ``(items,)`` or probabilities
            ``(items, classes)``, of a speaker or a language for example.
        kernel_y: ``"gaussian"``, or ``"labels"``: the chance :math:`\langle y_i, y_j\rangle` that two
            items are of one class.
        kernels: how many Gaussians are averaged, 1 to 10, see :func:`affectspace.losses.mmd.mmd2`.
        bandwidth_x: the middle one of x, in units of squared distance (2 sigma²); None: the mean squared
            distance of the pairs of x, through which no gradient flows.
        bandwidth_y: the same of y, if its kernel is Gaussian.
        unbiased: as above.

    Returns:
        A scalar, float32 or better. Biased it is at least 0 (to rounding); unbiased it averages 0 over
        samples of independent sides, and so may lie a little below 0. It is at most about 1/4.

    Raises:
        ValueError: shapes that do not match, labels that are not probabilities, or a bandwidth that is
            not above 0 or belongs to no kernel.

    Warns:
        DegenerateBatchWarning: fewer than four items (biased: two), or all have the same label; the value
            is then 0, with a graph.

    Costs O(items² dimensions) time and memory of a few blocks of 2^18 pairs beside the gradients: one pass
    adds up the rows of the kernels, a second meets each block with the centred block of the other side
    and computes the gradients too (so it is differentiable once). Class indices are only compared, however
    large they are. ``torch.compile`` traces it without a graph break. Of fixed bandwidths much smaller than the
    distances see :func:`affectspace.losses.mmd.mmd2`.

    Source: Gretton, Bousquet, Smola & Schölkopf, "Measuring Statistical Dependence with Hilbert-Schmidt
    Norms", 2005, Definition 2 (biased); Song, Smola, Gretton, Bedo & Borgwardt, "Feature Selection via
    Dependence Maximization", 2012, Eq. 5 (unbiased).

    Example:
        >>> x = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
        >>> speaker, mixed = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
        >>> hsic(x, speaker, kernel_y="labels", unbiased=False) > 0.1
        tensor(True)
        >>> hsic(x, mixed, kernel_y="labels", unbiased=False).abs() < 1e-6
        tensor(True)
    """
    _check_options(kernel_y, kernels, bandwidth_x, bandwidth_y)
    y = beside(x, y, "y")
    check_embeddings("x", x)
    items, a = len(x), wide(x)
    if kernel_y == "labels" and y.ndim == 1 and not y.is_floating_point():
        b = hard_classes(y.long())
        if len(b) != items:
            raise ValueError(f"y: {len(b)} labels for {items} items; expected one for each")
    else:
        if kernel_y == "labels":
            y, _ = label_rows(y)
        elif y.ndim == 1:
            raise ValueError(
                f'y: {y.dtype} of shape {tuple(y.shape)}; labels need kernel_y="labels", embeddings two axes'
            )
        check_embeddings("y", y, items=items)
        dtype = torch.promote_types(a.dtype, wide(y).dtype)
        a, b = a.to(dtype), y.to(dtype)
    if items < (least := 4 if unbiased else 2):
        return nothing_to_learn(_both(a, b), f"it has {items} items; dependence needs at least {least}")
    if kernel_y == "labels" and not torch.compiler.is_compiling() and (b == b[:1]).all():
        return nothing_to_learn(_both(a, b), "all items have the same label; use batches that mix them")
    if b.ndim == 1 and unbiased and not torch.compiler.is_compiling() and len(b.unique()) == items:
        return nothing_to_learn(_both(a, b), "each item has a label of its own; use batches with several of each")
    with torch.autocast(a.device.type, enabled=False):
        wanted = [needs_gradient(side) for side in (a, b)]
        side_a = KernelBlocks(a.detach(), bandwidth_x, kernels)
        if kernel_y == "gaussian":
            side_b = KernelBlocks(b.detach(), bandwidth_y, kernels)
        else:
            side_b = _AgreementBlocks(b.detach()) if b.ndim == 2 else _SameClassBlocks(b, a.dtype)
        value = _hsic(side_a, side_b, wanted, unbiased)
        # a sum over kernels in each Gaussian side, and one over n(n - 3) or (n - 1)^2 pairs
        scale = 1 / (side_a.kernels * side_b.kernels * (items * (items - 3) if unbiased else (items - 1) ** 2))
        graph = [(side.gradient() * scale, tensor) for side, tensor, w in zip((side_a, side_b), (a, b), wanted) if w]
        value = value * scale
        return with_gradients(value, [g for g, _ in graph], [t for _, t in graph]) if graph else value


class HSICLoss(nn.Module):
    """Dependence of embeddings on something else, as a loss that makes them forget it.

    Of a nuisance such as the speaker or the language: ``HSICLoss("labels")(embeddings, speakers)``. Minus
    this loss binds two views together instead, as
    :class:`affectspace.losses.matching.CrossModalMatchingLoss` does with ``form="hsic"``.

    Args:
        kernel_y: of the second side, ``"gaussian"`` for embeddings or ``"labels"``.
        kernels: how many Gaussians are averaged, 1 to 10.
        bandwidth_x: the middle one of the first side; None: that of each batch.
        bandwidth_y: that of the second.
        unbiased: Song et al. (may dip below 0) or Gretton et al. (at least 0).

    Shape:
        x ``(items, dimensions)``; y ``(items, other dimensions)`` or labels ``(items,)`` or
        ``(items, classes)``; the loss is a scalar, see :func:`hsic` for its range, what it raises, when it
        warns and what it costs.

    Example:
        >>> embeddings = torch.eye(6, requires_grad=True)
        >>> HSICLoss("labels")(embeddings, torch.tensor([0, 0, 0, 1, 1, 1])).backward()
        >>> embeddings.grad.shape
        torch.Size([6, 6])
    """

    def __init__(
        self,
        kernel_y: SecondKernel = "gaussian",
        *,
        kernels: int = 5,
        bandwidth_x: float | None = None,
        bandwidth_y: float | None = None,
        unbiased: bool = True,
    ):
        super().__init__()
        _check_options(kernel_y, kernels, bandwidth_x, bandwidth_y)
        self.kernel_y: SecondKernel = kernel_y
        self.kernels = kernels
        self.bandwidth_x = bandwidth_x
        self.bandwidth_y = bandwidth_y
        self.unbiased = unbiased

    def extra_repr(self) -> str:
        widths = f"bandwidth_x={self.bandwidth_x}, bandwidth_y={self.bandwidth_y}"
        return f"kernel_y={self.kernel_y!r}, kernels={self.kernels}, {widths}, unbiased={self.unbiased}"

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return hsic(
            x,
            y,
            kernel_y=self.kernel_y,
            kernels=self.kernels,
            bandwidth_x=self.bandwidth_x,
            bandwidth_y=self.bandwidth_y,
            unbiased=self.unbiased,
        )


def _check_options(kernel_y: str, kernels: int, bandwidth_x: float | None, bandwidth_y: float | None) -> None:
    check_kernels(kernels, bandwidth_x, bandwidth_y)
    if kernel_y not in ("gaussian", "labels"):
        raise ValueError(f"kernel_y is {kernel_y!r}; choose 'gaussian' for embeddings or 'labels'")
    if kernel_y == "labels" and bandwidth_y is not None:
        raise ValueError(f"bandwidth_y is {bandwidth_y}, but the kernel of labels has none; leave it out")


def _both(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a.flatten(), b.flatten()]) if b.is_floating_point() else a


class _AgreementBlocks:
    """The chance that two items are of one class, in the blocks of :class:`KernelBlocks`."""

    kernels = 1

    def __init__(self, rows: Tensor):
        self.points, self.summed = rows, torch.zeros_like(rows)
        self.own = rows.square().sum(1)

    def block(self, rows: range, columns: range, slopes: bool = False) -> tuple[Tensor, None]:
        agreement = self.points[rows.start : rows.stop] @ self.points[columns.start : columns.stop].T
        if on_diagonal(rows, columns):
            agreement.diagonal().zero_()
        return agreement, None

    def row_sums(self) -> Tensor:
        return self.points @ self.points.sum(0) - self.own

    def add(self, weights: Tensor, rows: range, columns: range) -> None:
        add_mirrored(self.summed, weights, self.points, rows, columns)

    def gradient(self) -> Tensor:
        return 2 * self.summed


class _SameClassBlocks:
    """The same of class indices, without rows as long as the largest of them; they receive no gradient."""

    kernels = 1

    def __init__(self, classes: Tensor, dtype: torch.dtype):
        self.classes, self.dtype = classes, dtype
        self.own = torch.ones_like(classes, dtype=dtype)

    def block(self, rows: range, columns: range, slopes: bool = False) -> tuple[Tensor, None]:
        same = self.classes[rows.start : rows.stop, None] == self.classes[columns.start : columns.stop]
        same = same.to(self.dtype)
        if on_diagonal(rows, columns):
            same.diagonal().zero_()
        return same, None

    def row_sums(self) -> Tensor:
        ordered = self.classes.sort().values
        last, first = (torch.searchsorted(ordered, self.classes, right=right) for right in (True, False))
        return (last - first).to(self.dtype) - self.own

    def add(self, weights: Tensor, rows: range, columns: range) -> None:
        raise AssertionError("class indices have no gradient")

    def gradient(self) -> Tensor:
        raise AssertionError("class indices have no gradient")


@torch.no_grad()
def _hsic(
    a: KernelBlocks, b: KernelBlocks | _AgreementBlocks | _SameClassBlocks, wanted: list[bool], unbiased: bool
) -> Tensor:
    n = len(a.points)
    schedule = list(triangle(0, n, n, a.points.device))
    # A batch of a single block keeps it for the second pass.
    kept = [side.block(*schedule[0], slopes=w) for side, w in zip((a, b), wanted)] if len(schedule) == 1 else None

    def centre_of(side: KernelBlocks | _AgreementBlocks | _SameClassBlocks, index: int) -> Tensor:
        sums = kept[index][0].sum(1) if kept and isinstance(side, KernelBlocks) else side.row_sums()
        if not unbiased:
            sums = sums + side.own
        fewer = n - 2 if unbiased else n
        # Half of the grand mean with each of the two items, so that a pair's centre is the sum of theirs.
        return sums / fewer - sums.sum() / (2 * fewer * (n - 1 if unbiased else n))

    centre_b = centre_of(b, 1)
    centre_a = centre_of(a, 0) if wanted[1] else None
    value = a.points.new_zeros(())
    for rows, columns in schedule:
        (total_a, slope_a), (total_b, slope_b) = kept or [
            side.block(rows, columns, w) for side, w in zip((a, b), wanted)
        ]
        if not unbiased and on_diagonal(rows, columns):
            total_a.diagonal().copy_(a.own[rows.start : rows.stop])
            total_b.diagonal().copy_(b.own[rows.start : rows.stop])
        weights_a = _centred(total_b, centre_b, rows, columns, unbiased)
        weights_b = None if centre_a is None else _centred(total_a, centre_a, rows, columns, unbiased)
        value += a.add_pairs(total_a, slope_a, weights_a, rows, columns)
        if weights_b is not None:
            b.add(weights_b if slope_b is None else weights_b.mul_(slope_b), rows, columns)
    return value


def _centred(block: Tensor, centre: Tensor, rows: range, columns: range, unbiased: bool) -> Tensor:
    block = block - centre[rows.start : rows.stop, None]
    block -= centre[columns.start : columns.stop]
    if unbiased and on_diagonal(rows, columns):
        block.diagonal().zero_()
    return block
