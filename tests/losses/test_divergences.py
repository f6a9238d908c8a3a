"""The oracles are the paper's table as printed, the conjugate found by search, and autograd of f."""

import math

import pytest
import torch

from affectspace.losses import DIVERGENCES, bregman, f_spl
from affectspace.losses.divergences import divergence, f_spl_slope

NAMES = list(DIVERGENCES)
PAPER = {
    "kl": lambda s, c: s - c * math.log(s) - c + c * math.log(c),
    "reverse_kl": lambda s, c: math.log(s) + c / s - math.log(c) - 1,
    "pearson": lambda s, c: (c - s) ** 2,
    "squared_hellinger": lambda s, c: math.sqrt(s) + c * math.sqrt(1 / s) - 2 * math.sqrt(c),
    "jensen_shannon": lambda s, c: (
        (c + 1) * math.log(1 + s) - c * math.log(2 * s) - (c + 1) * math.log(1 + c) + c * math.log(2 * c)
    ),
}


def grid(dtype: torch.dtype = torch.float64, low: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    ticks = torch.linspace(low, 2, 21, dtype=dtype)
    s, c = torch.meshgrid(ticks, ticks, indexing="ij")
    return s.clone().requires_grad_(), c.clone()


@pytest.mark.parametrize("name", NAMES)
def test_the_table_of_the_paper(name):
    s, c = grid(low=0.02)
    truth = torch.tensor([PAPER[name](*pair) for pair in zip(s.flatten().tolist(), c.flatten().tolist())])
    assert torch.allclose(f_spl(s, c, name).flatten(), truth.double(), atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_closed_form_equals_autograd_of_f_in_value_and_gradient(name, dtype, tolerance):
    s, c = grid(dtype, low=0.05)
    closed, own = f_spl(s, c, name), f_spl(s, c, DIVERGENCES[name].f)
    assert torch.allclose(closed, own, atol=tolerance, rtol=tolerance)
    gradients = [torch.autograd.grad(loss.sum(), s)[0] for loss in (closed, own)]
    assert torch.allclose(*gradients, atol=10 * tolerance, rtol=10 * tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_best_gain_minus_gain_with_the_conjugate_found_by_search(name):
    f = DIVERGENCES[name].f
    t = torch.linspace(1e-4, 4, 400_000, dtype=torch.double)
    values = f(t)
    assert f(torch.tensor(1.0, dtype=torch.double)).item() == 0

    def gain(s: float, c: float) -> float:
        at = torch.tensor(s, dtype=torch.double, requires_grad=True)
        (slope,) = torch.autograd.grad(f(at), at)
        conjugate = (t * slope - values).max()
        return (c * slope - conjugate).item()

    for s, c in ((0.3, 1.2), (1.7, 0.4), (1.0, 1.0)):
        expected = gain(c, c) - gain(s, c)
        assert f_spl(torch.tensor(s).double(), torch.tensor(c).double(), name).item() == pytest.approx(
            expected, abs=1e-6
        )


@pytest.mark.parametrize("name", NAMES)
def test_gradient_in_float64(name):
    s, c = grid(low=0.1)
    assert torch.autograd.gradcheck(lambda s: f_spl(s, c, name), s)
    assert torch.autograd.gradcheck(lambda s: f_spl(s, c, DIVERGENCES[name].f), s)


@pytest.mark.parametrize("name", NAMES)
def test_the_slope_in_closed_form_is_that_of_autograd(name):
    s, c = grid()
    losses, slope = f_spl_slope(s.detach(), c, DIVERGENCES[name])
    truth = f_spl(s, c, name)
    assert torch.equal(losses, truth.detach())
    assert torch.allclose(slope, torch.autograd.grad(truth.sum(), s)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["closed", "autograd"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_finite_with_finite_gradient_on_the_whole_square(name, dtype, form):
    s, c = grid(dtype)
    loss = f_spl(s, c, name if form == "closed" else DIVERGENCES[name].f)
    (gradient,) = torch.autograd.grad(loss.sum(), s)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_never_negative_and_zero_only_where_s_is_c(name, dtype):
    s, c = grid(dtype)
    loss = f_spl(s, c, name)
    assert torch.equal(loss == 0, torch.eye(21, dtype=torch.bool))
    assert (loss >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_similarity_that_rounding_left_below_zero_counts_as_zero(name):
    c = torch.tensor([0.0, 1.0, 2.0])
    assert torch.equal(f_spl(torch.full((3,), -1e-7), c, name), f_spl(torch.zeros(3), c, name))


@pytest.mark.parametrize("name", NAMES)
def test_an_affine_part_of_f_changes_nothing(name):
    s, c = grid(low=0.1)
    f = DIVERGENCES[name].f
    assert torch.allclose(bregman(lambda t: f(t) + 3 * (t - 1) + 5, s, c), bregman(f, s, c), atol=1e-12)


def test_gradient_flows_through_the_slope_of_your_own_f():
    s = torch.tensor([0.5, 1.5], dtype=torch.double, requires_grad=True)
    c = torch.tensor([1.0, 0.2], dtype=torch.double)
    f_spl(s, c, lambda t: t**4).sum().backward()
    assert s.grad is not None
    assert torch.allclose(s.grad, 12 * s.detach() ** 2 * (s.detach() - c))  # f''(s) (s - c)


def test_values_are_there_without_gradients_too():
    s, c = torch.tensor([0.5]), torch.tensor([1.0])
    with torch.no_grad():
        assert f_spl(s, c, torch.square).item() == pytest.approx(0.25)
    with torch.inference_mode():
        assert f_spl(s, c, torch.square).item() == pytest.approx(0.25)


@pytest.mark.parametrize("f", [*NAMES, torch.square])
def test_nan_is_not_hidden(f):
    nan, one = torch.tensor([float("nan")]), torch.ones(1)
    assert f_spl(nan, one, f).isnan().all()
    assert f_spl(one, nan, f).isnan().all()


def test_errors_say_value_and_remedy():
    with pytest.raises(ValueError, match=r"'tv' is unknown; choose one of kl, reverse_kl, .*, or give a function"):
        f_spl(torch.ones(1), torch.ones(1), "tv")
    with pytest.raises(ValueError, match=r"f is not convex: it bends down near"):
        divergence(lambda t: -(t**2))
    with pytest.raises(ValueError, match=r"f made shape \(\) of \(3,\); it must act on each element"):
        bregman(lambda t: t.square().sum(), torch.ones(3), torch.ones(3))
