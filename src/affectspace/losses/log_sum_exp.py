"""The denominators of contrastive losses: log-sum-exp of similarities, in blocks, with its gradient."""

import math

import torch
from torch import Tensor

from affectspace.losses.streamed import parts, side_of_tile

__all__ = ["LARGEST_EXPONENT", "log_sum_exp", "log_sum_exp_within"]

LARGEST_EXPONENT = 60.0
"""exp(60) fits float32, times a million too, and so does exp(-60)."""


def log_sum_exp(
    z: Tensor, others: Tensor | None, weights: Tensor, temperature: float, gradient: bool
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Value and gradient of :math:`\sum_i v_i \log \sum_k \exp(z_i \cdot o_k / t)`, for any temperature and length.

    Args:
        z: embeddings ``(items, dimensions)``.
        others: ``(rows, dimensions)``, the o; None: the items themselves, each without itself.
        weights: the v, ``(items, 1)``.
        temperature: t, above 0.
        gradient: whether to compute it, in the same pass.

    Returns:
        The value, and t times its gradient by ``z`` and by the others; among the items themselves the two
        gradients are one tensor, which holds both. Zeros without gradient.

    Example:
        >>> value, by_z, by_others = log_sum_exp(torch.zeros(1, 2), torch.eye(2), torch.ones(1, 1), 1.0, True)
        >>> value, by_z
        (tensor(0.6931), tensor([[0.5000, 0.5000]]))
    """
    to = z if others is None else others
    value, by_z = z.new_zeros(()), torch.zeros_like(z)
    by_others = by_z if others is None else torch.zeros_like(to)
    for rows in parts(len(z), max(1, side_of_tile(z) ** 2 // len(to))):
        e = (z[rows] / temperature) @ to.T
        if others is None:
            e.diagonal(rows.start).fill_(-math.inf)
        top = e.amax(1, keepdim=True)
        total = e.sub_(top).exp_().sum(1, keepdim=True)
        value += (weights[rows] * (total.log() + top)).sum()
        if gradient:
            share = weights[rows] / total
            by_z[rows] += (e @ to) * share
            by_others.addmm_(e.T, z[rows] * share)
    return value, by_z, by_others


def log_sum_exp_within(z: Tensor, weights: Tensor, temperature: float, gradient: bool) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`log_sum_exp` among the items themselves, for unit vectors and 1 / t of at most 60.

    With no maximum taken off, exp(z_i . z_k / t) is the same both ways round, and half of the tiles
    will do. Going through them twice, first for the denominators, saves a third of the time: two
    products of matrices of all pairs in place of three.

    Example:
        >>> log_sum_exp_within(torch.eye(2), torch.ones(2, 1), 1.0, False)[0]  # twice log exp(0)
        tensor(0.)
    """
    scaled, sides = z / temperature, parts(len(z), side_of_tile(z))
    tiles = [(rows, columns) for at, rows in enumerate(sides) for columns in sides[at:]]
    room = z.new_empty(2, sides[0].stop * sides[0].stop)
    total, by_z = torch.zeros_like(weights), torch.zeros_like(z)

    def tile(rows: slice, columns: slice) -> Tensor:
        shape = rows.stop - rows.start, columns.stop - columns.start
        e = torch.mm(scaled[rows], z[columns].T, out=room[0, : shape[0] * shape[1]].view(shape))
        if rows == columns:
            e.fill_diagonal_(-math.inf)
        return e.exp_()

    e = room
    for rows, columns in tiles:
        e = tile(rows, columns)
        total[rows] += e.sum(1, keepdim=True)
        if rows != columns:
            total[columns, 0] += e.sum(0)
    value = (weights * total.log()).sum()
    if not gradient:
        return value, by_z, by_z
    share = weights / total
    for rows, columns in tiles:
        if len(tiles) > 1:
            e = tile(rows, columns)
        e *= torch.add(share[rows], share[columns, 0], out=room[1, : e.numel()].view(e.shape))
        by_z[rows].addmm_(e, z[columns])
        if rows != columns:
            by_z[columns].addmm_(e.T, z[rows])
    return value, by_z, by_z
