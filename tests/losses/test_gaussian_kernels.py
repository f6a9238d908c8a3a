"""The oracle is one pair at a time; blocks, offsets and scales must not be seen in the sums."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import gaussian_kernels
from affectspace.losses.gaussian_kernels import KernelBlocks, rectangle, triangle


def sum_of_kernels(u: torch.Tensor, v: torch.Tensor, bandwidth: float, kernels: int) -> float:
    squared = sum((a - b) ** 2 for a, b in zip(u.tolist(), v.tolist()))
    return sum(math.exp(-squared / (bandwidth * 2.0 ** (j - kernels // 2))) for j in range(kernels))


def mean_squared_distance(points: torch.Tensor) -> float:
    pairs = [(i, j) for i in range(len(points)) for j in range(len(points)) if i != j]
    return sum((points[i] - points[j]).square().sum().item() for i, j in pairs) / len(pairs)


@settings(deadline=None, max_examples=20)
@given(items=st.integers(2, 9), kernels=st.integers(1, 10), fixed=st.booleans(), seed=st.integers(0, 10_000))
def test_a_block_holds_the_sum_of_kernels_of_each_pair(items, kernels, fixed, seed):
    points = torch.randn(items, 3, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    middle = 2.5 if fixed else mean_squared_distance(points)
    block, _ = KernelBlocks(points, 2.5 if fixed else None, kernels).block(range(items), range(items))
    expected = [[0.0 if i == j else sum_of_kernels(points[i], points[j], middle, kernels) for j in range(items)]
                for i in range(items)]  # fmt: skip
    assert torch.allclose(block, torch.tensor(expected, dtype=torch.double), atol=1e-12)


def test_five_bandwidths_are_a_quarter_to_four_times_the_middle_one():
    block, _ = KernelBlocks(torch.tensor([[0.0], [1.0]]).double(), 1.0, 5).block(range(1), range(2))
    assert block[0, 1].item() == pytest.approx(sum(math.exp(-1 / b) for b in (0.25, 0.5, 1, 2, 4)))


@pytest.mark.parametrize("pairs", [1, 40, 2**18])
def test_row_sums_do_not_depend_on_the_blocks(pairs, monkeypatch):
    points = torch.randn(70, 3, dtype=torch.double)
    whole, _ = KernelBlocks(points, None, 3).block(range(70), range(70))
    monkeypatch.setattr(gaussian_kernels, "PAIRS_PER_BLOCK_ON_CPU", pairs)
    assert torch.allclose(KernelBlocks(points, None, 3).row_sums(), whole.sum(1), atol=1e-12)


@pytest.mark.parametrize("pairs", [1, 100, 2**18])
def test_blocks_cover_each_pair_once(pairs, monkeypatch):
    monkeypatch.setattr(gaussian_kernels, "PAIRS_PER_BLOCK_ON_CPU", pairs)
    device, seen = torch.device("cpu"), torch.zeros(90, 90)
    for rows, columns in [*rectangle(0, 40, range(40, 90), device), *triangle(0, 40, 40, device)]:
        seen[rows.start : rows.stop, columns.start : columns.stop] += 1
        if columns.start != rows.start or columns.stop > rows.stop:
            start = max(columns.start, rows.stop)
            seen[start : columns.stop, rows.start : rows.stop] += 1
    assert (seen[:40] == 1).all()


def test_a_large_offset_costs_no_digits():
    points = torch.randn(40, 8)
    near, _ = KernelBlocks(points, None, 5).block(range(40), range(40))
    far, _ = KernelBlocks((points.double() + 1e4).float(), None, 5).block(range(40), range(40))
    # what is lost is what float32 loses by holding such numbers at all
    assert (near - far).abs().max() < 5e-3


def test_bandwidth_of_the_batch_is_right_whatever_outlier_comes_first():
    points = torch.cat([torch.full((1, 2), 1e6), torch.randn(30, 2)])
    length = KernelBlocks(points, None, 1).length.item()
    assert length**2 == pytest.approx(mean_squared_distance(points.double()), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e18, 1e30])
def test_very_small_and_large_points_have_the_same_kernels(scale):
    points = torch.randn(12, 4)
    plain, _ = KernelBlocks(points, None, 5).block(range(12), range(12))
    scaled, _ = KernelBlocks(points * scale, None, 5).block(range(12), range(12))
    assert torch.allclose(plain, scaled, atol=1e-4)


@pytest.mark.parametrize("apart", [10.0, 1e3, 1e5, 1e20])
@pytest.mark.parametrize("kernels", [1, 5])
def test_near_points_keep_their_digits_however_far_others_are(apart, kernels):
    points = 0.3 * torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    points[10:, 0] += apart
    block, slope = KernelBlocks(points, 0.18, kernels).block(range(20), range(20), slopes=True)
    exact, exact_slope = KernelBlocks(points.double(), 0.18, kernels).block(range(20), range(20), slopes=True)
    assert block.dtype == slope.dtype == torch.float32
    assert (block - exact).abs().max() < 2e-4
    assert (slope - exact_slope).norm() < 2e-4 * exact_slope.norm()


@pytest.mark.parametrize("kernels", [2.0, True, "5", None, torch.tensor(5)])
def test_only_whole_numbers_count_kernels(kernels):
    with pytest.raises(ValueError, match=r"kernels is .*; expected a whole number, 1 to 10"):
        gaussian_kernels.check_kernels(kernels)
