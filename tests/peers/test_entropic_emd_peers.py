"""POT and geomloss: where they converge, values and gradients agree; where they do not, what each of us says."""

import warnings

import pytest
import torch
from torch import Tensor

from affectspace.losses.entropic_emd import NotConvergedWarning, entropic_emd

ot = pytest.importorskip("ot")
geomloss = pytest.importorskip("geomloss")

torch.set_num_threads(1)


def rows(batch: int = 16, classes: int = 6, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    p, t = torch.randn(2, batch, classes, generator=generator, dtype=torch.double).softmax(-1).to(dtype)
    return p, t


def line(classes: int, length: float = 1.0) -> Tensor:
    places = torch.linspace(0, length, classes, dtype=torch.double)
    return (places[:, None] - places).abs()


def by_logits(p: Tensor, distance) -> tuple[Tensor, Tensor]:
    """Values, and their gradients with respect to logits, to which a constant in a potential does not matter."""
    logits = p.log().requires_grad_()
    value = distance(logits.softmax(-1))
    return value.detach(), torch.autograd.grad(value.sum(), logits)[0]


def off(ours: Tensor, truth: Tensor) -> float:
    return ((ours - truth).abs().amax(-1) / truth.abs().amax(-1)).max().item()


def pot(p: Tensor, t: Tensor, distance: Tensor, eps: float, **settings):
    settings = {"reg_type": "kl", "grad": "autodiff", "max_iter": 20_000, "tol": 1e-12} | settings
    return ot.batch.solve_batch(distance.to(p.dtype).expand(len(p), *distance.shape), reg=eps, a=p, b=t, **settings)


def tensorised(p: Tensor, t: Tensor, distance: Tensor, eps: float, scaling: float) -> Tensor:
    """geomloss on the classes as points whose distances are looked up."""
    points = torch.arange(p.shape[-1], dtype=p.dtype)[:, None]

    def cost(x: Tensor, y: Tensor) -> Tensor:
        return distance[x[..., 0].long()][..., y[..., 0].long()[0]] if x.ndim == 3 else distance

    loss = geomloss.SamplesLoss(
        "sinkhorn", p=1, blur=eps, debias=False, scaling=scaling, cost=cost, diameter=float(distance.max()),
        backend="tensorized",
    )  # fmt: skip
    return torch.stack([loss(a, points, b, points) for a, b in zip(p, t)])


@pytest.mark.parametrize("method", ["sinkhorn", "log_sinkhorn"])
@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_where_pot_converges_values_and_gradients_are_the_same(eps, method):
    p, t = rows()
    theirs = by_logits(p, lambda p: pot(p, t, line(6), eps, method=method).value)
    ours = by_logits(p, lambda p: entropic_emd(p, t, line(6), eps))
    assert torch.allclose(ours[0], theirs[0], rtol=1e-9)
    assert off(ours[1], theirs[1]) < 1e-5


def test_the_entropy_of_pot_differs_by_that_of_both_rows():
    p, t = rows()
    theirs = pot(p, t, line(6), 0.1, reg_type="entropy", grad="detach").value
    entropies = -(p * p.log()).sum(-1) - (t * t.log()).sum(-1)
    assert torch.allclose(entropic_emd(p, t, line(6), 0.1), theirs + 0.1 * entropies, rtol=1e-9)


def test_the_cost_of_pots_plan_is_lower_by_the_divergence():
    p, t = rows()
    cost = torch.stack([ot.sinkhorn2(a, b, line(6), 0.1, stopThr=1e-13) for a, b in zip(p, t)])
    assert torch.allclose(cost, pot(p, t, line(6), 0.1, grad="detach").value_linear, rtol=1e-6)
    assert (cost < entropic_emd(p, t, line(6), 0.1)).all()


def test_pots_envelope_is_no_gradient_of_the_prediction_and_ours_is():
    p, t = rows()
    _, theirs = by_logits(p, lambda p: pot(p, t, line(6), 0.1, grad="envelope").value)
    _, unrolled = by_logits(p, lambda p: pot(p, t, line(6), 0.1).value)
    _, ours = by_logits(p, lambda p: entropic_emd(p, t, line(6), 0.1))
    assert off(theirs, unrolled) > 0.9
    assert off(ours, unrolled) < 1e-5


def test_pot_ends_unsolved_without_a_word_and_we_solve_it():
    p, t = rows(32, 10, torch.float32)
    far = line(10, 9.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rough = pot(p, t, far, 0.1, max_iter=1000, tol=1e-5, grad="detach", method="log_sinkhorn")
        ours = by_logits(p, lambda p: entropic_emd(p, t, far, 0.1))
    assert (rough.plan.sum(2) - p).abs().max() > 1e-4
    exact = by_logits(p.double(), lambda p: entropic_emd(p, t.double(), far, 0.1))
    assert off(ours[1].double(), exact[1]) < 1e-4
    with pytest.warns(NotConvergedWarning, match="marginal error"):
        entropic_emd(p, t, far, 0.1, iterations=2)


def test_pot_is_nan_for_a_prediction_with_a_zero_and_we_are_not():
    p = torch.tensor([[1.0, 0.0, 0.0]])
    t = torch.tensor([[0.5, 0.0, 0.5]])
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    pot(logits.softmax(-1), t, line(3), 0.1, max_iter=50).value.sum().backward()
    assert logits.grad.isnan().any()
    ours = logits.detach().clone().requires_grad_()
    entropic_emd(ours.softmax(-1), t, line(3), 0.1).sum().backward()
    assert ours.grad.isfinite().all()
    assert entropic_emd(p, t, line(3), 0.1).item() == pytest.approx(0.5)


def test_geomloss_is_far_off_as_it_comes_and_comes_to_us_with_slower_annealing():
    p, t = rows(6, 10)
    far = line(10)
    ours = by_logits(p, lambda p: entropic_emd(p, t, far, 0.1))
    errors = {}
    for scaling in (0.5, 0.99, 0.999):
        theirs = by_logits(p, lambda p, scaling=scaling: tensorised(p, t, far, 0.1, scaling))
        errors[scaling] = off(theirs[1], ours[1])
    assert errors[0.5] > 0.05
    assert errors[0.999] < errors[0.99] < errors[0.5]
