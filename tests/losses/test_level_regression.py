"""The oracles are a loop over items and classes, least squares, and the regression of a single output."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import DegenerateBatchWarning, LevelRegressionLoss
from affectspace.losses.level_regression import level_logits, regressed_level


def randoms(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def looped(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Squared distance of centred logits from those of the truth, over that of two truths a level apart."""
    total, rows = 0.0, logits.tolist()
    for row, target in zip(rows, targets.tolist()):
        truth = sum(i * share for i, share in enumerate(target))
        wanted = [-((i - truth) ** 2) / 2 for i in range(len(row))]
        mean, mean_wanted = sum(row) / len(row), sum(wanted) / len(wanted)
        middle = (len(row) - 1) / 2
        size = sum((i - middle) ** 2 for i in range(len(row)))
        total += sum(((x - mean) - (w - mean_wanted)) ** 2 for x, w in zip(row, wanted)) / size
    return total / len(rows)


@settings(deadline=None, max_examples=30)
@given(items=st.integers(1, 5), classes=st.integers(2, 7), seed=st.integers(0, 1000))
def test_equals_a_loop_and_the_two_terms_of_the_formula(items, classes, seed):
    logits, targets = randoms(items, classes, seed=seed) * 5, randoms(items, classes, seed=seed + 1).softmax(-1)
    value = LevelRegressionLoss()(logits, targets)
    assert value.item() == pytest.approx(looped(logits, targets))
    levels, truth = regressed_level(logits), (targets * torch.arange(classes)).sum(-1)
    bell = level_logits(levels, classes)
    rest = (logits - logits.mean(-1, keepdim=True)) - (bell - bell.mean(-1, keepdim=True))
    size = ((torch.arange(classes) - (classes - 1) / 2) ** 2).sum()
    assert value.item() == pytest.approx(((levels - truth) ** 2 + rest.square().sum(-1) / size).mean().item())


@settings(deadline=None, max_examples=20)
@given(classes=st.integers(2, 9), seed=st.integers(0, 1000))
def test_the_level_is_that_of_the_least_squares_fit(classes, seed):
    (logits,) = randoms(1, classes, seed=seed)
    index = torch.arange(classes, dtype=torch.double)
    fit = torch.linalg.lstsq(torch.stack([torch.ones(classes).double(), index], 1), (logits + index**2 / 2)[:, None])
    assert regressed_level(logits[None]).item() == pytest.approx(fit.solution[1].item(), abs=1e-9)


def test_a_level_comes_back_from_its_logits_and_the_most_likely_class_is_the_nearest():
    levels = torch.linspace(-2, 7, 400, dtype=torch.double)
    logits = level_logits(levels, 6)
    assert torch.allclose(regressed_level(logits), levels)
    assert torch.allclose(regressed_level(logits + randoms(400, 1)), levels)  # constants do not matter to a softmax
    assert torch.equal(logits.argmax(-1), levels.round().clamp(0, 5).long())


def test_on_the_logits_of_a_level_it_is_the_squared_error_of_the_level_as_of_a_single_output():
    levels, targets = 2 * randoms(30) + 2, torch.arange(30) % 5
    wanted = (levels - targets).square().mean()
    for logits in (level_logits(levels, 5), levels[:, None]):
        assert LevelRegressionLoss()(logits, targets).item() == pytest.approx(wanted.item())
    soft = randoms(30, 5, seed=1).softmax(-1)
    wanted = (levels - (soft * torch.arange(5)).sum(-1)).square().mean()
    for logits in (level_logits(levels, 5), levels[:, None]):
        assert LevelRegressionLoss()(logits, soft).item() == pytest.approx(wanted.item())


def test_the_best_linear_layer_is_that_of_ordinary_least_squares():
    """The loss is quadratic in the layer, so its minimum is a linear system; the net of one output has the same."""
    inputs, targets = randoms(60, 4), torch.randint(5, (60,), generator=torch.Generator().manual_seed(0))
    design = torch.cat([inputs, torch.ones(60, 1).double()], 1)
    layer = torch.zeros(5, 5, dtype=torch.double, requires_grad=True)  # inputs and bias to five outputs
    optimiser = torch.optim.LBFGS([layer], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def step():
        optimiser.zero_grad()
        value = LevelRegressionLoss()(design @ layer, targets)
        value.backward()
        return value

    optimiser.step(step)
    wanted = design @ torch.linalg.lstsq(design, targets.double()[:, None]).solution[:, 0]
    logits = (design @ layer).detach()
    assert torch.allclose(regressed_level(logits), wanted, atol=1e-6)
    assert torch.equal(logits.argmax(-1), wanted.round().clamp(0, 4).long())


def test_the_squared_miss_is_what_counts():
    truth = torch.zeros(1, dtype=torch.long)
    costs = [LevelRegressionLoss()(level_logits(torch.tensor([float(k)]), 5), truth).item() for k in range(5)]
    assert costs == pytest.approx([0, 1, 4, 9, 16])


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("soft", [False, True])
def test_gradient_in_float64(outputs, soft):
    targets = randoms(5, 4, seed=1).softmax(-1) if soft else torch.tensor([0, 3, 1, 1, 2])
    logits = randoms(5, outputs).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: LevelRegressionLoss()(z, targets), logits)
    assert torch.autograd.gradgradcheck(lambda z: LevelRegressionLoss()(z, targets), logits)


def test_turning_the_scale_round_changes_nothing():
    logits, targets = randoms(8, 5), randoms(8, 5, seed=1).softmax(-1)
    loss = LevelRegressionLoss()
    assert torch.allclose(loss(logits, targets), loss(logits.flip(-1), targets.flip(-1)))
    assert torch.allclose(regressed_level(logits), 4 - regressed_level(logits.flip(-1)))


def test_bfloat16_is_worked_on_in_float32_under_autocast_too():
    logits, targets = randoms(64, 6).bfloat16(), torch.arange(64) % 6
    wanted = LevelRegressionLoss()(logits.double(), targets).item()
    with torch.autocast("cpu", torch.bfloat16):
        value = LevelRegressionLoss()(logits, targets)
        level = regressed_level(logits)
    assert value.dtype == level.dtype == torch.float32
    assert value.item() == pytest.approx(wanted, rel=1e-5)
    assert level.tolist() == pytest.approx(regressed_level(logits.double()).tolist(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("soft", [False, True])
def test_compiles_as_one_graph(outputs, soft):
    torch._dynamo.reset()
    targets = randoms(5, 4, seed=1).softmax(-1).float() if soft else torch.tensor([0, 3, 1, 1, 2])
    logits = randoms(5, outputs).float().requires_grad_()
    compiled = torch.compile(LevelRegressionLoss(), fullgraph=True, backend="aot_eager")(logits, targets)
    assert torch.allclose(compiled, LevelRegressionLoss()(logits, targets))
    compiled.backward()


def test_nan_is_not_hidden():
    for outputs in (1, 3):
        nan = torch.full((2, outputs), math.nan)
        assert LevelRegressionLoss()(nan, torch.tensor([0, 1])).isnan()
        assert regressed_level(nan).isnan().all()
    assert LevelRegressionLoss()(torch.zeros(2, 3), torch.full((2, 3), math.nan)).isnan()


@pytest.mark.parametrize(
    ("shape", "targets"),
    [((0, 3), torch.zeros(0, dtype=torch.long)), ((0, 1), torch.zeros(0, 3)), ((2, 1), torch.ones(2, 1))],
)
def test_a_batch_that_teaches_nothing_warns_and_gives_a_zero_with_a_graph(shape, targets):
    logits = torch.zeros(shape, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item|a single class, whose level every prediction"):
        loss = LevelRegressionLoss()(logits, targets)
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (torch.zeros(2, 3), torch.tensor([0, 5]), r"class 5 is outside 0\.\.2"),
        (torch.zeros(2, 1), torch.tensor([0, -1]), "class -1 is negative; classes are whole numbers of 0 or more"),
        (torch.zeros(2, 3), torch.rand(2, 4), r"\(2, 4\); expected whole numbers"),
        (torch.zeros(2, 3), torch.full((2, 3), 0.5), r"sums to 1\.5000; divide each row"),
        (torch.zeros(2, 3), torch.tensor([0]), r"shape \(2, 3\) for targets of shape \(1,\)"),
        (torch.zeros(3), torch.tensor([0, 1, 2]), r"expected floating point \(items, classes\), a row a target"),
        (torch.zeros(2, 3, dtype=torch.long), torch.tensor([0, 1]), "expected floating point"),
    ],
)
def test_errors_say_value_and_remedy(logits, targets, message):
    with pytest.raises(ValueError, match=message):
        LevelRegressionLoss()(logits, targets)
