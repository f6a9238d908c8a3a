"""A sum over pairs of rows, block by block, with its gradient found along the way."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from affectspace.losses.gradients import once

__all__ = ["PAIRS_AT_ONCE", "Block", "blocks_of_pairs", "sum_over_blocks"]

PAIRS_AT_ONCE = 2**20
"""A tensor of so many float32 takes 4 MB; smaller blocks cost time, larger ones memory."""

Block = tuple[slice, slice | None]
"""Rows, and the rows that they meet; None: each other."""


def blocks_of_pairs(items: int, others: int | None = None, pairs: int = PAIRS_AT_ONCE) -> list[Block]:
    """Every pair of different items once, or each item with each of the others, ``pairs`` at a time or fewer.

    Example:
        >>> blocks_of_pairs(3)
        [(slice(0, 3, None), None)]
        >>> blocks_of_pairs(3, pairs=6)
        [(slice(0, 2, None), None), (slice(0, 2, None), slice(2, 3, None)), (slice(2, 3, None), None)]
        >>> blocks_of_pairs(2, others=5, pairs=6)
        [(slice(0, 1, None), slice(0, 5, None)), (slice(1, 2, None), slice(0, 5, None))]
    """
    step = max(1, pairs // max(1, items if others is None else others))
    blocks: list[Block] = []
    for start in range(0, max(1, items), step):
        rows = slice(start, min(start + step, items))
        if others is not None:
            blocks.append((rows, slice(0, others)))
            continue
        blocks.append((rows, None))
        if rows.stop < items:
            blocks.append((rows, slice(rows.stop, items)))
    return blocks


def sum_over_blocks(
    value: Callable[..., Tensor],
    blocks: Sequence[Block],
    tables: Sequence[Tensor],
    others: Sequence[Tensor] | None = None,
    parameters: Sequence[Tensor] = (),
) -> Tensor:
    """Sum of a function of blocks of pairs, holding one block at a time; differentiable once.

    The gradient with respect to the tables is found with the value, and kept until it is asked for.

    Args:
        value: the rows of each table in a block, and then the rows of each that they meet (nothing,
            where they meet each other), to a scalar.
        blocks: see :func:`blocks_of_pairs`.
        tables: ``(items, ...)`` each.
        others: what items are paired with, as many tables; None: the items themselves.
        parameters: what else ``value`` depends on and needs a gradient.

    Example:
        >>> def distances(a, b=None):
        ...     return (torch.pdist(a) if b is None else torch.cdist(a, b)).sum()
        >>> x = torch.randn(9, 3, dtype=torch.double)
        >>> total = sum_over_blocks(distances, blocks_of_pairs(9, pairs=20), [x])
        >>> torch.allclose(total, distances(x))
        True
    """
    tables = [*tables, *(others or ())]
    meet = len(tables) // 2 if others is not None else 0  # where the tables begin that columns are taken from
    if torch.is_grad_enabled() and any(each.requires_grad for each in (*tables, *parameters)):
        return _SumOverBlocks.apply(value, blocks, len(tables), meet, *tables, *parameters)
    return sum((value(*(tables[k][at] for k, at in _places(b, len(tables), meet))) for b in blocks), torch.zeros(()))


class _SumOverBlocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, value: Callable[..., Tensor], blocks: Sequence[Block], count: int, meet: int, *tensors: Tensor
    ) -> Tensor:
        tables, parameters = tensors[:count], tensors[count:]
        wanted = ctx.needs_input_grad[4:]
        gradients = [torch.zeros_like(each) if want else None for each, want in zip(tensors, wanted)]
        total_value: Tensor | None = None
        for block in blocks:
            places = _places(block, count, meet)
            with torch.enable_grad():
                parts = [tables[k][at].detach().requires_grad_(wanted[k]) for k, at in places]
                of_block = value(*parts)
            # One number that grows: one a block, kept among the large blocks, would pin the memory of all of them.
            total_value = of_block.detach().clone() if total_value is None else total_value.add_(of_block.detach())
            sums = [total if total is None else total[at] for total, at in ((gradients[k], at) for k, at in places)]
            into = [(each, s) for each, s in zip([*parts, *parameters], [*sums, *gradients[count:]]) if s is not None]
            if not of_block.requires_grad:
                continue
            found = torch.autograd.grad(of_block, [each for each, _ in into], allow_unused=True)
            for (_, total), gradient in zip(into, found):
                if gradient is not None:
                    total += gradient
        ctx.wanted = wanted
        ctx.save_for_backward(*(each for each in gradients if each is not None), *tensors)
        assert total_value is not None, "there is one block or more"
        return total_value

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors[-len(ctx.wanted) :]
        gradients = iter(ctx.saved_tensors)
        return *[None] * 4, *(
            once(next(gradients) * outputs[0], tensor) if want else None for tensor, want in zip(tensors, ctx.wanted)
        )


def _places(block: Block, count: int, meet: int) -> list[tuple[int, slice]]:
    """Which rows of which tables a block is made of."""
    rows, columns = block
    left = range(meet or count)
    return [(k, rows) for k in left] + ([] if columns is None else [(k + meet, columns) for k in left])
