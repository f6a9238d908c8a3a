r"""Where each item of a batch is pulled by its positives, and whom it pulls as one itself.

The parts of contrastive losses that know the labels. Each function returns three tensors:
``(items, 1)`` ones for items that have positives, else zeros; ``(items, dimensions)`` mean positives
:math:`\sum_j w_{ij} o_j / W_i`, with :math:`W_i = \sum_j w_{ij}`; and ``(rows, dimensions)``
:math:`\sum_i w_{ij} z_i / W_i`. An item without positives adds 0 to both.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from affectspace.losses.streamed import parts, side_of_tile

__all__ = ["numbered", "pull_of_classes", "pull_of_weights", "sums_of"]

FEW = 2**15
"""So many numbers are added up by one thread before several would be done waiting for each other."""


def pull_of_classes(
    z: Tensor,
    others: Tensor | None,
    classes: Tensor,
    other_classes: Tensor,
    groups: Tensor | None,
    other_groups: Tensor | None,
    across_groups: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Of items of the same class, with ``across_groups`` as the weight of those of another group and 1 for the others.

    It needs only the sums over each class, and over each group of it: no pair is formed.

    Args:
        z: embeddings ``(items, dimensions)``.
        others: ``(rows, dimensions)``, the o; None: the items themselves, each without itself.
        classes: ``(items,)`` integers.
        other_classes: ``(rows,)`` integers; not looked at without others.
        groups: ``(items,)`` integers; None: all of one group.
        other_groups: ``(rows,)`` integers; None without groups.
        across_groups: 0 or more.

    Example:
        >>> classes = torch.tensor([0, 0, 1])
        >>> has_positive, pull, _ = pull_of_classes(torch.eye(3), None, classes, classes, None, None, 1.0)
        >>> has_positive.flatten(), pull[0]
        (tensor([1., 1., 0.]), tensor([0., 1., 0.]))
    """
    own = others is None
    to = z if own else others
    size = len(z) if own else len(z) + len(to)
    classes, other_classes = numbered(classes, None if own else other_classes)
    if groups is None or other_groups is None:
        cells, other_cells = classes, other_classes
    else:
        groups, other_groups = numbered(groups, None if own else other_groups)
        cells, other_cells = numbered(classes * size + groups, None if own else other_classes * size + other_groups)

    def weighted(x: Tensor, cell_of_x: Tensor, class_of_x: Tensor, cell: Tensor, klass: Tensor) -> Tensor:
        inside = sums_of(x, cell_of_x, size)[cell]
        same_group = inside - x if own else inside  # for an item that is alone this is exactly 0
        if groups is None:
            return same_group
        return same_group + across_groups * (sums_of(x, class_of_x, size)[klass] - inside)

    total = weighted(to.new_ones(len(to), 1), other_cells, other_classes, cells, classes)
    has_positive = (total > 0).to(z.dtype)
    share = has_positive / total.masked_fill(total == 0, 1.0)
    pull = weighted(to, other_cells, other_classes, cells, classes) * share
    return has_positive, pull, weighted(z * share, cells, classes, other_cells, other_classes)


def pull_of_weights(
    z: Tensor, others: Tensor | None, weights: Callable[[slice], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Of any weights of pairs, a stripe of rows at a time.

    Args:
        z: embeddings ``(items, dimensions)``.
        others: ``(rows, dimensions)``, the o; None: the items themselves, each without itself.
        weights: a slice of the items to their w, ``(items of the slice, rows)``, a tensor that may be changed.

    Example:
        >>> w = torch.tensor([[9.0, 3.0, 1.0], [0.0, 9.0, 0.0], [0.0, 1.0, 9.0]])
        >>> has_positive, pull, _ = pull_of_weights(torch.eye(3), None, lambda rows: w[rows].clone())
        >>> has_positive.flatten(), pull[0]
        (tensor([1., 0., 1.]), tensor([0.0000, 0.7500, 0.2500]))
    """
    to = z if others is None else others
    has_positive, pull, back = z.new_zeros(len(z), 1), torch.zeros_like(z), torch.zeros_like(to)
    for rows in parts(len(z), max(1, side_of_tile(z) ** 2 // len(to))):
        w = weights(rows).to(z.dtype)
        if others is None:
            w.diagonal(rows.start).zero_()
        total = w.sum(1, keepdim=True)
        without = total <= torch.finfo(z.dtype).tiny  # its inverse would be infinite; NaN stays visible
        has_positive[rows] = (~without).to(z.dtype)
        share = (1 / total).masked_fill(without, 0.0)
        pull[rows] = (w @ to) * share
        back.addmm_(w.T, z[rows] * share)
    return has_positive, pull, back


def numbered(rows: Tensor, others: Tensor | None) -> tuple[Tensor, Tensor]:
    """Integers as 0, 1, ..., equal where they were equal. (torch.unique would break a compiled graph.)"""
    both = rows.long() if others is None else torch.cat([rows, others]).long()
    ordered, order = both.sort()
    steps = torch.zeros_like(both)
    steps[1:] = (ordered[1:] != ordered[:-1]).cumsum(0)
    numbers = torch.empty_like(both).scatter_(0, order, steps)
    return (numbers, numbers) if others is None else (numbers[: len(rows)], numbers[len(rows) :])


def sums_of(x: Tensor, at: Tensor, size: int) -> Tensor:
    """``(size, n)``: the sum of the rows of ``x`` of each number of ``at``."""
    sums = x.new_zeros(size, x.shape[1])
    if x.device.type == "cpu" and x.numel() > FEW:
        return sums.index_add_(0, at, x)
    # on an accelerator it sorts first, where index_add_ adds in any order; on a CPU it needs no threads
    return sums.index_put_((at,), x, accumulate=True)
