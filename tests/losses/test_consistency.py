"""The oracle is a loop over items and classes; the rest are truths in closed form."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import ConsistencyLoss, DegenerateBatchWarning, ramp_up


def randoms(*shape: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def views(items: int, classes: int, seed: int = 0) -> list[torch.Tensor]:
    return [randoms(items, classes, seed=seed), randoms(items, classes, seed=seed + 1)]


def probabilities(row: list[float]) -> list[float]:
    mass = [math.exp(each) for each in row]
    return [each / sum(mass) for each in mass]


@settings(deadline=None, max_examples=30)
@given(items=st.integers(1, 9), classes=st.integers(2, 5), seed=st.integers(0, 1000))
def test_equals_a_loop_over_items_and_classes(items, classes, seed):
    logits, other = views(items, classes, seed)
    wanted = 0.0
    for a, b in zip(logits.tolist(), other.tolist()):
        wanted += sum((p - q) ** 2 for p, q in zip(probabilities(a), probabilities(b))) / items
    assert ConsistencyLoss()(logits, other).item() == pytest.approx(wanted)
    assert ConsistencyLoss("mean_squared")(logits, other).item() == pytest.approx(wanted / classes)


def test_the_mean_over_classes_is_torchs_squared_error_of_probabilities():
    logits, other = views(200, 4)  # enough for the other way round of the softmax
    wanted = torch.nn.functional.mse_loss(logits.softmax(-1), other.softmax(-1))
    assert torch.allclose(ConsistencyLoss("mean_squared")(logits, other), wanted)


def test_it_lies_between_agreement_and_two_classes_each_held_for_certain():
    logits, _ = views(6, 3)
    assert ConsistencyLoss()(logits, logits + randoms(6, 1)).item() == pytest.approx(0)  # what a softmax does not see
    certain = 1e3 * torch.eye(3)
    assert ConsistencyLoss()(certain, certain.roll(1, 0)).item() == 2
    assert ConsistencyLoss()(certain, torch.zeros(3, 3)).item() == pytest.approx((1 - 1 / 3) ** 2 + 2 / 9)


def test_the_two_views_count_the_same_and_both_receive_a_gradient_unless_detached():
    sides = [side.requires_grad_() for side in views(6, 3)]
    value = ConsistencyLoss()(*sides)
    first, second = torch.autograd.grad(value, sides)
    again, swapped = torch.autograd.grad(ConsistencyLoss()(*reversed(sides)), list(reversed(sides)))
    assert torch.allclose(first, swapped)
    assert torch.allclose(second, again)
    assert first.any(1).all()
    assert second.any(1).all()
    ConsistencyLoss()(sides[0], sides[1].detach()).backward()
    assert sides[1].grad is None
    assert sides[0].grad is not None
    assert torch.allclose(sides[0].grad, first)


@pytest.mark.parametrize("distance", ["squared", "mean_squared"])
def test_gradient_in_float64(distance):
    loss, sides = ConsistencyLoss(distance), [side.requires_grad_() for side in views(5, 4)]
    assert torch.autograd.gradcheck(loss, sides)
    assert torch.autograd.gradgradcheck(loss, sides)


def test_order_of_items_and_names_of_classes_do_not_matter():
    (logits, other), order, names = views(8, 4), torch.randperm(8), torch.randperm(4)
    value = ConsistencyLoss()(logits, other)
    assert torch.allclose(ConsistencyLoss()(logits[order][:, names], other[order][:, names]), value)


def test_bfloat16_is_worked_on_in_float32_under_autocast_too():
    logits, other = (side.bfloat16() for side in views(64, 4))
    wanted = ConsistencyLoss()(logits.double(), other.double()).item()
    with torch.autocast("cpu", torch.bfloat16):
        value = ConsistencyLoss()(logits, other)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(wanted, rel=1e-5)


def test_compiles_as_one_graph():
    torch._dynamo.reset()
    sides = views(6, 4)
    compiled = torch.compile(ConsistencyLoss(), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(*sides), ConsistencyLoss()(*sides))


def test_a_class_ruled_out_on_both_sides_costs_nothing():
    masked = torch.tensor([0.0, 0.0, -math.inf])
    sides = [side.requires_grad_() for side in views(5, 3)]
    value = ConsistencyLoss()(*(side + masked for side in sides))
    assert torch.allclose(value, ConsistencyLoss()(*(side[:, :2] for side in sides)))
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(value, sides))


@pytest.mark.parametrize("side", [0, 1])
def test_nan_is_not_hidden(side):
    sides = views(4, 3)
    sides[side][2, 0] = math.nan
    assert ConsistencyLoss()(*sides).isnan()


@pytest.mark.parametrize("shape", [(0, 3), (4, 1)])
def test_a_batch_that_teaches_nothing_warns_and_gives_a_zero_with_a_graph(shape):
    logits = torch.zeros(shape, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item|a single class, on which all predictions agree"):
        loss = ConsistencyLoss()(logits, logits)
    loss.backward()
    assert loss.item() == 0


def test_the_weight_rises_as_a_bell_and_stays_at_one():
    weights = [ramp_up(step, 40) for step in range(100)]
    assert weights[0] == pytest.approx(math.exp(-5))
    assert weights[20] == pytest.approx(math.exp(-5 / 4))
    assert all(a < b for a, b in itertools.pairwise(weights[:41]))
    assert weights[40:] == [1.0] * 60
    assert [ramp_up(progress, 0) for progress in (0, 7)] == [1.0, 1.0]
    assert ramp_up(0.25, 0.5) == ramp_up(20, 40)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ConsistencyLoss("kl"), "distance is 'kl'; choose 'squared' or 'mean_squared'"),
        (
            lambda: ConsistencyLoss()(torch.zeros(2, 3), torch.zeros(2, 4)),
            r"\(2, 3\) and other \(2, 4\); expected",
        ),
        (lambda: ConsistencyLoss()(torch.zeros(3), torch.zeros(3)), r"\(3,\) and other \(3,\); expected \(items, cl"),
        (lambda: ConsistencyLoss()(torch.zeros(2, 3), torch.zeros(2, 3).long()), "and other torch.int64; expected fl"),
        (lambda: ramp_up(-1, 10), "progress is -1; it is a finite number of steps or epochs, 0 or more"),
        (lambda: ramp_up(1, math.inf), "over is inf; it is a finite number"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
