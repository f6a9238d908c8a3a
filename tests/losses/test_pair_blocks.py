"""Blocks hold every pair once, and their sum and its gradient are those of all pairs at once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affectspace.losses.pair_blocks import blocks_of_pairs, sum_over_blocks


@settings(deadline=None, max_examples=30)
@given(items=st.integers(0, 12), others=st.none() | st.integers(0, 6), pairs=st.integers(1, 60))
def test_every_pair_is_in_one_block_and_no_block_is_too_large(items, others, pairs):
    met = []
    for rows, columns in blocks_of_pairs(items, others, pairs):
        left = range(rows.start, rows.stop)
        if columns is None:
            block = [(i, j) for i in left for j in left if i < j]
        else:
            block = [(i, j) for i in left for j in range(columns.start, columns.stop)]
        assert len(block) <= max(pairs, others or items)  # a row is never cut
        met += block
    every = [(i, j) for i in range(items) for j in range(items if others is None else others) if others or i < j]
    assert sorted(met) == every


def value(a: Tensor, label: Tensor, b: Tensor | None = None, met: Tensor | None = None) -> Tensor:
    if b is None or met is None:
        i, j = torch.triu_indices(len(a), len(a), 1)
        return ((a[i] - a[j]).square().sum(-1) * label[i] * label[j]).sum()
    return ((a[:, None] - b).square().sum(-1) * label[:, None] * met).sum()


@pytest.mark.parametrize("others", [None, 5])
@pytest.mark.parametrize("pairs", [1, 12, 1000])
def test_sum_and_gradients_are_those_of_all_pairs_at_once(others, pairs):
    def table(n: int, *shape: int) -> Tensor:
        return torch.randn(n, *shape, dtype=torch.double, requires_grad=True)

    torch.manual_seed(0)
    mine = [table(9, 3), table(9)]
    theirs = None if others is None else [table(others, 3), table(others)]
    tensors = [*mine, *(theirs or [])]
    truth = value(*tensors)
    found = sum_over_blocks(value, blocks_of_pairs(9, others, pairs), mine, theirs)
    assert torch.allclose(found, truth)
    for a, b in zip(torch.autograd.grad(found * 2, tensors), torch.autograd.grad(truth * 2, tensors)):
        assert torch.allclose(a, b)


def test_only_what_needs_a_gradient_gets_one_and_it_cannot_be_differentiated_again():
    x, label = torch.randn(6, 2, requires_grad=True), torch.ones(6)
    total = sum_over_blocks(value, blocks_of_pairs(6, pairs=12), [x, label])
    (gradient,) = torch.autograd.grad(total, x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiable once"):
        gradient.sum().backward()
    assert not sum_over_blocks(value, blocks_of_pairs(6, pairs=12), [x.detach(), label]).requires_grad


def test_a_block_without_a_gradient_is_no_obstacle():
    x, label = torch.randn(3, 2, requires_grad=True), torch.ones(3)
    sum_over_blocks(lambda a, _, b=None, c=None: a.detach().sum() if b is None else (a.sum() * b).sum(),
                    blocks_of_pairs(3, pairs=3), [x, label]).backward()  # fmt: skip
    assert x.grad is not None
