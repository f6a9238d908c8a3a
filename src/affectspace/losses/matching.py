r"""Drawing modalities together item by item or class by class, and not merely as wholes.

Matching the distributions of two modalities alone is minimised by mapping everything to one point, and
so Liang et al. push **unpaired** items, whose modalities come from different videos, apart:

.. math:: L_\text{pair} + L_\text{unpair}, \qquad L_\text{pair} = \sum_m \mathrm{MMD}^2(z_a, z_m)

Printed, the second is :math:`-\sum_m \mathrm{MMD}^2` of items shuffled within the batch. But a
discrepancy of distributions does not depend on their order: it is the first with its sign changed, and
the two cancel, value and gradient. Two forms that do tell paired from unpaired are offered beside it.

Source: Liang, Li & Jin, "Semi-supervised Multi-modal Emotion Recognition with Cross-Modal Distribution
Matching", ACM Multimedia 2020, Eq. 4, 6 and 7. The forms other than ``"as_printed"`` are ours.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.losses.gaussian_kernels import KernelBlocks, check_kernels, rectangle, triangle
from affectspace.losses.gradients import needs_gradient, with_gradients
from affectspace.losses.hsic import hsic
from affectspace.losses.inputs import check_embeddings, hard_classes, wide
from affectspace.losses.mmd import mmd2

__all__ = ["CrossModalMatchingLoss"]

Form = Literal["class_conditional", "as_printed", "hsic"]


class CrossModalMatchingLoss(nn.Module):
    r"""Match modalities of the same items, and keep apart what does not belong together.

    With the anchor modality *a* (acoustic in the paper) and each other modality *m*, it is the sum over
    *m* of

    ======================= ======================================================================
    form                    of a and m
    ======================= ======================================================================
    ``class_conditional``   :math:`\sum_c \pi_c \left[\mathrm{MMD}^2(z_{a|c}, z_{m|c})
                            - \mathrm{MMD}^2(z_{a|c}, z_{m|\text{not } c})\right]`
    ``hsic``                :math:`-\mathrm{HSIC}(z_a, z_m)`
    ``as_printed``          :math:`\mathrm{MMD}^2(z_a, z_m) - \mathrm{MMD}^2(z_a, \text{shuffled } z_m)`
    ======================= ======================================================================

    ``class_conditional``: unpaired items are those of other groups, so that the two sides differ in
    distribution. Groups are emotion classes where they are known, and predicted classes or recordings
    where not. :math:`\pi_c` is the class's share of the items that count. A class counts if it has two
    items and the others have two. One bandwidth, of all items of the two modalities, serves all classes.
    The kernels of the anchor with itself stand in both discrepancies and drop out.

    ``hsic``: dependence, which sees which item belongs to which without any groups. It does not see
    coordinates (a modality may end up rotated against another); add
    :class:`affectspace.losses.mmd.MMDLoss` where items are compared across modalities directly.

    ``as_printed``: 0, to rounding, and so is its gradient, whatever the latents. Kept as the reference.

    Args:
        form: which of the three.
        kernels: how many Gaussians are averaged, 1 to 10, see :func:`affectspace.losses.mmd.mmd2`.
        bandwidth: the middle one, in units of squared distance; None: that of each batch.

    Shape:
        anchor ``(items, dimensions)``; others: one or more such tensors of the same items, of as many
        dimensions unless the form is ``"hsic"``; groups ``(items,)`` whole numbers or ``(items, classes)``
        probabilities, of which the most likely counts (needed by ``"class_conditional"``, not looked at
        by the other forms); permutation ``(items,)`` of ``"as_printed"``, drawn from ``generator`` if it
        is None (and from torch's own if that is None too). The loss is a scalar, float32 or better, and
        lies in ``[-2, 2]`` per other modality but for what unbiased estimates overshoot (see
        :func:`affectspace.losses.mmd.mmd2`); that of ``"hsic"`` is at most a little above 0.

    Raises:
        ValueError: shapes that do not match, no other modality, groups missing where they are needed, or
            a permutation that is none.

    Warns:
        LeftOutWarning: items whose class has fewer than two items, or whose class leaves fewer than two
            to the others; they still are "not c" for the other classes.
        DegenerateBatchWarning: no class counts (as when all items are of one), or there are too few items
            (``"hsic"`` needs four, ``"as_printed"`` two); the loss is then 0, with a graph.

    Costs O(items² dimensions) time per other modality, whatever the number of classes, and memory of a
    few blocks of 2^18 pairs beside the gradients, which are computed in the same pass (so it is
    differentiable once). ``torch.compile`` traces it without a graph break, ``"as_printed"`` if it is
    given the permutation.

    Example:
        >>> classes = torch.tensor([0, 0, 0, 1, 1, 1])
        >>> acoustic = torch.eye(2)[classes] + torch.arange(6)[:, None] / 100
        >>> lexical, mixed_up = acoustic + 0.05, acoustic.flip(0)
        >>> loss = CrossModalMatchingLoss()
        >>> loss(acoustic, lexical, groups=classes) < 0 < loss(acoustic, mixed_up, groups=classes)
        tensor(True)
    """

    def __init__(self, form: Form = "class_conditional", kernels: int = 5, bandwidth: float | None = None):
        super().__init__()
        if form not in ("class_conditional", "as_printed", "hsic"):
            raise ValueError(f"form is {form!r}; choose 'class_conditional', 'as_printed' or 'hsic'")
        check_kernels(kernels, bandwidth)
        self.form: Form = form
        self.kernels = kernels
        self.bandwidth = bandwidth

    def extra_repr(self) -> str:
        return f"form={self.form!r}, kernels={self.kernels}, bandwidth={self.bandwidth}"

    def forward(
        self,
        anchor: Tensor,
        others: Tensor | Sequence[Tensor],
        groups: Tensor | None = None,
        permutation: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        others = [others] if isinstance(others, Tensor) else list(others)
        self._check(anchor, others)
        if self.form == "hsic":
            losses = [
                -hsic(anchor, other, kernels=self.kernels, bandwidth_x=self.bandwidth, bandwidth_y=self.bandwidth)
                for other in others
            ]
        elif self.form == "as_printed":
            order = _permutation(len(anchor), permutation, generator).to(anchor.device)
            losses = [
                mmd2(anchor, other, kernels=self.kernels, bandwidth=self.bandwidth)
                - mmd2(anchor, other[order], kernels=self.kernels, bandwidth=self.bandwidth)
                for other in others
            ]
        else:
            if groups is None:
                raise ValueError(
                    "form 'class_conditional' needs groups: classes, predicted classes or recordings; "
                    "where there are none, form 'hsic' needs none"
                )
            groups = hard_classes(groups).to(anchor.device)
            if len(groups) != len(anchor):
                raise ValueError(f"there are {len(groups)} groups for {len(anchor)} items; expected one for each")
            counts = _sizes(groups)
            rest = len(groups) - counts
            counted = (counts >= 2) & (rest >= 2)
            if not torch.compiler.is_compiling():
                if not counted.any():
                    everything = torch.cat([each.flatten() for each in (anchor, *others)])
                    return nothing_to_learn(everything, "no class has two items and two of other classes beside it")
                leave_out(~counted, "their class has fewer than two items, or all others together have")
            losses = [self._class_conditional(anchor, other, groups, counts, rest, counted) for other in others]
        return torch.stack(losses).sum()

    def _check(self, anchor: Tensor, others: list[Tensor]) -> None:
        check_embeddings("anchor", anchor)
        if not others:
            raise ValueError("there is no other modality to match the anchor with; give one or more")
        for number, other in enumerate(others):
            check_embeddings(f"other {number}", other, items=len(anchor))
            if self.form != "hsic" and other.shape[-1] != anchor.shape[-1]:
                sizes = f"{other.shape[-1]} dimensions and the anchor {anchor.shape[-1]}"
                raise ValueError(f"other {number} has {sizes}; expected one space, or form 'hsic'")

    def _class_conditional(
        self, anchor: Tensor, other: Tensor, groups: Tensor, counts: Tensor, rest: Tensor, counted: Tensor
    ) -> Tensor:
        points = torch.cat([wide(anchor), wide(other)])
        with torch.autocast(points.device.type, enabled=False):
            with_gradient = needs_gradient(points)
            kernel = KernelBlocks(points.detach(), self.bandwidth, self.kernels)
            value = _class_conditional(kernel, groups, counts, rest, counted, with_gradient) / self.kernels
            return with_gradients(value, [kernel.gradient() / self.kernels], [points]) if with_gradient else value


def _permutation(items: int, permutation: Tensor | None, generator: torch.Generator | None) -> Tensor:
    if permutation is None:
        device = "cpu" if generator is None else generator.device
        return torch.randperm(items, generator=generator, device=device)
    if permutation.shape != (items,) or permutation.is_floating_point():
        given = f"{permutation.dtype} of shape {tuple(permutation.shape)}"
        raise ValueError(f"permutation: {given}; expected whole numbers ({items},)")
    if not torch.compiler.is_compiling() and not torch.equal(
        permutation.sort().values, torch.arange(items, dtype=permutation.dtype, device=permutation.device)
    ):
        raise ValueError(f"permutation does not hold each of 0..{items - 1} once")
    return permutation


def _sizes(groups: Tensor) -> Tensor:
    # (items,): how many items each one's group has; of a shape that is known without looking at values
    ordered = groups.sort().values
    return torch.searchsorted(ordered, groups, right=True) - torch.searchsorted(ordered, groups)


@torch.no_grad()
def _class_conditional(
    kernel: KernelBlocks, groups: Tensor, counts: Tensor, rest: Tensor, counted: Tensor, with_gradient: bool
) -> Tensor:
    # Points are the anchor's items and then the other modality's. What a pair of them weighs depends on
    # their groups only; summed over the classes c that count it is
    #   across: same group -share / n^2, else share / (n r) of the anchor's class,
    #   within the other modality: share / (n (n - 1)) of c if both are in it, less share / (r (r - 1)) of
    #   every c that neither is in, which is the total of those less the two's own.
    items, device = len(groups), groups.device
    n, r = counts.to(kernel.points.dtype), rest.to(kernel.points.dtype)
    share = torch.where(counted, n / counted.sum().clamp(min=1), 0)
    own = torch.where(counted, share / (n * (n - 1)).clamp(min=1), 0)
    neither = torch.where(counted, share / (r * (r - 1)).clamp(min=1), 0)
    same_across, else_across = -share / n.square(), torch.where(counted, share / (n * r.clamp(min=1)), 0)
    total = (neither / n).sum()
    value = kernel.points.new_zeros(())
    for rows, columns in rectangle(0, items, range(items, 2 * items), device):
        here = slice(rows.start, rows.stop)
        same = groups[here, None] == groups[columns.start - items : columns.stop - items]
        weights = torch.where(same, same_across[here, None], else_across[here, None])
        block, slope = kernel.block(rows, columns, with_gradient)
        value += kernel.add_pairs(block, slope, weights, rows, columns)
    for rows, columns in triangle(items, 2 * items, 2 * items, device):
        here, there = slice(rows.start - items, rows.stop - items), slice(columns.start - items, columns.stop - items)
        same = groups[here, None] == groups[there]
        weights = torch.where(same, (own - neither)[here, None], 0) + (neither - total)[here, None] + neither[there]
        block, slope = kernel.block(rows, columns, with_gradient)
        value += kernel.add_pairs(block, slope, weights, rows, columns)
    return value
