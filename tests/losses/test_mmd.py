"""The oracle is the formula pair by pair; gradients are those of its differentiable twin."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import gaussian_kernels
from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.mmd import MMDLoss, mmd2


def sides(m: int, n: int, dimensions: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(m, dimensions, dtype=torch.double, generator=random)
    return x.requires_grad_(), (torch.randn(n, dimensions, dtype=torch.double, generator=random) + 0.5).requires_grad_()


def middle_of(x: torch.Tensor, y: torch.Tensor) -> float:
    points = torch.cat([x, y]).detach()
    pairs = len(points) * (len(points) - 1)
    return sum((p - q).square().sum().item() for p in points for q in points) / pairs


def one_kernel(a: torch.Tensor, b: torch.Tensor, bandwidth: float, kernels: int) -> torch.Tensor:
    squared = (a - b).square().sum()
    return torch.stack([(-squared / (bandwidth * 2.0 ** (j - kernels // 2))).exp() for j in range(kernels)]).mean()


def pair_by_pair(x, y, bandwidth=None, kernels=5, unbiased=True):
    bandwidth = middle_of(x, y) if bandwidth is None else bandwidth
    result = torch.zeros((), dtype=x.dtype)
    for side in (x, y):
        k = len(side)
        for i in range(k):
            for j in range(k):
                if i != j or not unbiased:
                    share = k * (k - 1) if unbiased else k * k
                    result = result + one_kernel(side[i], side[j], bandwidth, kernels) / share
    for a in x:
        for b in y:
            result = result - 2 * one_kernel(a, b, bandwidth, kernels) / (len(x) * len(y))
    return result


@settings(deadline=None, max_examples=20)
@given(
    m=st.integers(2, 7), n=st.integers(2, 7), kernels=st.integers(1, 6), unbiased=st.booleans(),
    bandwidth=st.sampled_from([None, 0.7, 4.0]), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_value_and_gradients_equal_the_formula_pair_by_pair(m, n, kernels, unbiased, bandwidth, seed):
    x, y = sides(m, n, seed=seed)
    value, expected = (
        mmd2(x, y, bandwidth=bandwidth, kernels=kernels, unbiased=unbiased),
        pair_by_pair(x, y, bandwidth, kernels, unbiased),
    )
    assert value.item() == pytest.approx(expected.item(), abs=1e-10)
    for ours, theirs in zip(torch.autograd.grad(value, [x, y]), torch.autograd.grad(expected, [x, y])):
        assert torch.allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("kernels", [1, 5])
def test_gradient_in_float64(kernels, unbiased):
    assert torch.autograd.gradcheck(
        lambda x, y: mmd2(x, y, bandwidth=2.0, kernels=kernels, unbiased=unbiased), sides(5, 4)
    )


@pytest.mark.parametrize("kernels", [1, 2, 5])
@pytest.mark.parametrize("pairs", [1, 700])
def test_blocks_do_not_matter(pairs, kernels, monkeypatch):
    x, y = sides(50, 43)
    whole = mmd2(x, y, kernels=kernels)
    monkeypatch.setattr(gaussian_kernels, "PAIRS_PER_BLOCK_ON_CPU", pairs)
    blocks = mmd2(x, y, kernels=kernels)
    assert blocks.item() == pytest.approx(whole.item(), abs=1e-13)
    for a, b in zip(torch.autograd.grad(whole, [x, y]), torch.autograd.grad(blocks, [x, y])):
        assert torch.allclose(a, b, atol=1e-14)


def test_two_points_far_apart_in_closed_form():
    x = torch.tensor([[0.0], [1.0]])
    assert mmd2(x, x + 1000, sigma=2.0, kernels=1).item() == pytest.approx(2 * math.exp(-1 / 8), rel=1e-6)
    assert mmd2(x, x + 1000, sigma=2.0, kernels=1, unbiased=False).item() == pytest.approx(1 + math.exp(-1 / 8))


def test_a_standard_deviation_is_a_bandwidth_of_twice_its_square():
    x, y = sides(6, 5)
    assert torch.equal(mmd2(x, y, sigma=1.5), mmd2(x, y, bandwidth=4.5))
    assert torch.equal(MMDLoss(sigma=1.5)(x, y), mmd2(x, y, sigma=1.5))


def test_expectation_of_shifted_normals():
    """k = exp(-|a - b|^2 / (2 s^2)) of two normals of variance 1 and means d apart, in one dimension."""
    x, y = torch.randn(4000, 1, dtype=torch.double), torch.randn(4000, 1, dtype=torch.double) + 1
    factor = 1 / math.sqrt(1 + 2)  # s = 1
    assert mmd2(x, y, sigma=1.0, kernels=1).item() == pytest.approx(2 * factor * (1 - math.exp(-1 / 6)), abs=0.02)


def test_biased_is_zero_of_equal_sets_and_at_most_two():
    x, _ = sides(9, 2)
    assert abs(mmd2(x, x[torch.randperm(9)], unbiased=False).item()) < 1e-12
    apart = torch.tensor([[0.0], [1e4]])
    assert mmd2(apart[:1].expand(3, 1), apart[1:].expand(3, 1), bandwidth=1.0, unbiased=False) == 2


def test_unbiased_averages_zero_over_samples_of_one_distribution_and_dips_below():
    values = torch.stack([mmd2(*sides(8, 8, seed=s)[:1], sides(8, 8, seed=s + 1000)[0]) for s in range(200)]).detach()
    assert (values < 0).any()
    assert values.mean().abs() < 3 * values.std() / 200**0.5


def test_order_of_either_side_does_not_matter():
    x, y = sides(8, 11)
    assert mmd2(x[torch.randperm(8)], y[torch.randperm(11)]).item() == pytest.approx(mmd2(x, y).item(), abs=1e-13)


def test_sides_may_be_exchanged():
    x, y = sides(8, 11)
    assert mmd2(x, y).item() == pytest.approx(mmd2(y, x).item(), abs=1e-13)


def test_scaling_and_moving_both_sides_changes_nothing_with_the_bandwidth_of_the_batch():
    x, y = sides(8, 11)
    assert mmd2(30 * x - 5, 30 * y - 5).item() == pytest.approx(mmd2(x, y).item(), abs=1e-12)


def test_a_large_offset_common_to_both_sides_keeps_digits_in_float32():
    x, y = torch.randint(-8, 9, (30, 4)) / 4, torch.randint(-8, 9, (20, 4)) / 4 + 0.5  # exact in float32 beside 2^16
    near, far = mmd2(x, y), mmd2(x + 2**16, y + 2**16)
    assert far.item() == pytest.approx(near.item(), abs=1e-6)


@pytest.mark.parametrize("unbiased", [True, False])
def test_points_that_are_all_equal_give_zero_and_no_gradient(unbiased):
    x, y = torch.full((4, 3), 7.0, requires_grad=True), torch.full((5, 3), 7.0, requires_grad=True)
    value = mmd2(x, y, unbiased=unbiased)
    value.backward()
    assert abs(value.item()) < 1e-6
    assert not x.grad.any()
    assert not y.grad.any()


def test_duplicates_within_a_side_have_finite_gradients():
    x, y = torch.zeros(6, 2, requires_grad=True), torch.ones(6, 2, requires_grad=True)
    mmd2(x, y).backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0  # the sides draw each other


def test_descending_the_gradient_draws_the_sides_together():
    x, y = sides(30, 30)
    x = (x.detach() * 0.5 - 2).requires_grad_()
    optimizer, before = torch.optim.Adam([x], 0.1), mmd2(x, y).item()
    for _ in range(60):
        optimizer.zero_grad()
        mmd2(x, y.detach()).backward()
        optimizer.step()
    assert mmd2(x, y).item() < 0.1 * before


def test_gradient_reaches_both_sides_or_the_one_that_asks_for_it():
    x, y = sides(6, 5)
    both = torch.autograd.grad(mmd2(x, y), [x, y])
    assert torch.equal(torch.autograd.grad(mmd2(x, y.detach()), x)[0], both[0])
    assert torch.equal(torch.autograd.grad(mmd2(x.detach(), y), y)[0], both[1])
    assert not mmd2(x.detach(), y.detach()).requires_grad
    with torch.no_grad():
        assert not mmd2(x, y).requires_grad


def test_a_factor_on_the_loss_is_one_on_the_gradient():
    x, y = sides(6, 5)
    (plain,), (scaled,) = (torch.autograd.grad(factor * mmd2(x, y), x) for factor in (1, -3))
    assert torch.allclose(scaled, -3 * plain)


def test_float32_is_close_to_float64():
    x, y = sides(200, 150, dimensions=32)
    value, expected = mmd2(x.float(), y.float()), mmd2(x, y)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("apart", [10.0, 100.0, 1e3, 1e4])
@pytest.mark.parametrize("kernels", [1, 5])
def test_clusters_many_bandwidths_apart_keep_their_digits_in_float32(apart, kernels):
    x, y = (side.detach().float() * 0.3 for side in sides(32, 24))
    x[:16, 0], y[:12, 0] = x[:16, 0] + apart, y[:12, 0] + apart
    narrow, wide = x.clone().requires_grad_(), x.double().requires_grad_()
    value, expected = (mmd2(a, y.to(a.dtype), kernels=kernels, sigma=0.3) for a in (narrow, wide))
    value.backward()
    expected.backward()
    assert value.dtype == narrow.grad.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), abs=1e-5)
    assert (narrow.grad - wide.grad).norm() < 1e-4 * wide.grad.norm()


def test_sides_of_different_width_are_computed_in_the_wider():
    x, y = sides(6, 5)
    value = mmd2(x.float(), y)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(mmd2(x.float().double(), y).item(), abs=1e-12)


def test_bfloat16_inputs_are_computed_in_float32_and_get_their_gradient_back_in_bfloat16():
    x, y = (side.detach().bfloat16().requires_grad_() for side in sides(20, 20))
    value, expected = mmd2(x, y), mmd2(x.float(), y.float())
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=0.02)
    assert torch.autograd.grad(value, x)[0].dtype == torch.bfloat16


def test_autocast_changes_nothing():
    x, y = (side.float() for side in sides(20, 20))
    with torch.autocast("cpu", torch.bfloat16):
        inside = MMDLoss()(x, y)
    assert torch.equal(inside, MMDLoss()(x, y))


@pytest.mark.parametrize("unbiased", [True, False])
def test_nan_is_not_hidden(unbiased):
    x, y = sides(4, 4)
    x = torch.where(torch.arange(4)[:, None] == 2, torch.nan, x)
    assert mmd2(x, y, unbiased=unbiased).isnan()
    assert mmd2(x, y, bandwidth=1.0, unbiased=unbiased).isnan()


@pytest.mark.parametrize(("m", "n"), [(0, 0), (1, 5), (5, 1), (0, 4)])
def test_too_few_items_give_zero_on_the_graph_and_say_so(m, n):
    x, y = sides(m, n)
    with pytest.warns(DegenerateBatchWarning, match=f"a side of {min(m, n)} items; a discrepancy needs at least 2"):
        value = mmd2(x, y)
    value.backward()
    assert value == 0
    assert not x.grad.any()
    assert not y.grad.any()


def test_biased_takes_single_items():
    x, y = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = mmd2(x, y, sigma=1.0, kernels=1, unbiased=False)
    assert value.item() == pytest.approx(2 - 2 * math.exp(-0.5))


def test_compiles_without_a_graph_break():
    compiled = torch.compile(MMDLoss(), fullgraph=True, backend="eager")
    for m, n in ((7, 5), (9, 4)):
        x, y = sides(m, n)
        value, expected = compiled(x, y), MMDLoss()(x, y)
        assert torch.equal(value, expected)
        assert torch.equal(torch.autograd.grad(value, x)[0], torch.autograd.grad(expected, x)[0])


def test_the_same_input_gives_the_same_bits():
    x, y = (side.float() for side in sides(300, 300))
    assert torch.equal(mmd2(x, y), mmd2(x, y))
    assert torch.equal(torch.autograd.grad(mmd2(x, y), x)[0], torch.autograd.grad(mmd2(x, y), x)[0])


def test_options_are_given_by_name():
    x, y = sides(6, 5)
    with pytest.raises(TypeError, match="positional argument"):
        mmd2(x, y, 3)
    with pytest.raises(TypeError, match="positional argument"):
        MMDLoss(3, 2.0)


def test_the_module_tells_its_options():
    assert repr(MMDLoss(3, sigma=2.0)) == "MMDLoss(kernels=3, bandwidth=None, unbiased=True, sigma=2.0)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": 0}, "kernels is 0; expected 1 to 10"),
        ({"kernels": 11}, "kernels is 11; expected 1 to 10"),
        ({"kernels": 2.0}, r"kernels is 2\.0; expected a whole number, 1 to 10 \(widths are given by their names\)"),
        ({"bandwidth": 0.0}, r"a bandwidth is 0\.0; expected a number above 0, or None"),
        ({"bandwidth": float("nan")}, "a bandwidth is nan; expected a number above 0"),
        ({"sigma": -1.0}, r"sigma is -1\.0; expected a number above 0"),
        ({"sigma": 1.0, "bandwidth": 2.0}, r"bandwidth 2\.0 and sigma 1\.0 say the same .*; give one"),
    ],
)
def test_errors_of_options_say_value_and_remedy(options, message):
    with pytest.raises(ValueError, match=message):
        MMDLoss(**options)
    with pytest.raises(ValueError, match=message):
        mmd2(torch.zeros(3, 2), torch.zeros(3, 2), **options)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(3), torch.zeros(3, 2), r"x: torch.float32 of shape \(3,\); expected floating point"),
        (torch.zeros(3, 2), torch.zeros(3, 2).long(), r"y: torch.int64 of shape \(3, 2\); expected floating point"),
        (torch.zeros(3, 2), torch.zeros(3, 4), "x has 2 dimensions and y 4; expected one space for both"),
    ],
)
def test_errors_of_shapes_say_value_and_remedy(x, y, message):
    with pytest.raises(ValueError, match=message):
        mmd2(x, y)
