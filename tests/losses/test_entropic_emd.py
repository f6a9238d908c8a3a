"""The oracle is Sinkhorn's loop on logarithms in float64, run to the end; the rest are limits known in closed form."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor

from affectspace.losses import entropic_emd_solver as solver
from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.entropic_emd import EntropicEMDLoss, NotConvergedWarning, entropic_emd

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_row_is_left_unsolved(recwarn):
    warnings.simplefilter("error", NotConvergedWarning)


def oracle(p: Tensor, t: Tensor, distance: Tensor, eps: float, most: int = 40_000) -> tuple[float, Tensor, Tensor]:
    """Value and potentials of one row of float64 without zeros, from the formulas of the dual as they stand."""
    f, g, log_p, log_t = torch.zeros_like(p), torch.zeros_like(t), p.log(), t.log()
    for _ in range(most):
        f = -eps * (log_t[None, :] + (g[None, :] - distance) / eps).logsumexp(1)
        g = -eps * (log_p[:, None] + (f[:, None] - distance) / eps).logsumexp(0)
        plan = p[:, None] * t[None, :] * ((f[:, None] + g[None, :] - distance) / eps).exp()
        if (plan.sum(1) - p).abs().sum() < 1e-12:
            break
    else:
        raise AssertionError("the oracle did not converge")
    value = (plan * distance).sum() + eps * (plan * (plan / (p[:, None] * t[None, :])).log()).nan_to_num().sum()
    return value.item(), f - (p * f).sum(), g - (t * g).sum()


def rows(batch: int, classes: int, seed: int = 0, sharp: float = 1.5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    p, t = (torch.randn(2, batch, classes, generator=generator, dtype=torch.double) * sharp).softmax(-1)
    return p, t


def line(classes: int) -> Tensor:
    places = torch.arange(classes, dtype=torch.double)
    return (places[:, None] - places).abs()


def unordered(classes: int, farthest: float = 1.0, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(classes, classes, generator=generator, dtype=torch.double) * farthest


def solved(p: Tensor, t: Tensor, distance: Tensor, eps: float, **settings) -> tuple[Tensor, Tensor, Tensor]:
    p, t = p.clone().requires_grad_(), t.clone().requires_grad_()
    value = entropic_emd(p, t, distance, eps, **settings)
    return value.detach(), *torch.autograd.grad(value.sum(), (p, t))


def off(ours: Tensor, truth: Tensor) -> float:
    return ((ours - truth).abs().amax(-1) / truth.abs().amax(-1)).max().item()


# ---- against the loop


@settings(deadline=None, max_examples=25)
@given(
    classes=st.integers(2, 7),
    eps=st.sampled_from([0.1, 1.0, 10.0]),
    farthest=st.sampled_from([0.5, 2.0]),
    seed=st.integers(0, 10_000),
)
def test_value_and_both_gradients_equal_the_loop(classes, eps, farthest, seed):
    p, t = rows(3, classes, seed)
    distance = unordered(classes, farthest, seed)
    value, slope_p, slope_t = solved(p, t, distance, eps)
    for i in range(3):
        truth, f, g = oracle(p[i], t[i], distance, eps)
        assert value[i].item() == pytest.approx(truth, rel=1e-10, abs=1e-12)
        assert torch.allclose(slope_p[i], f, rtol=1e-5, atol=1e-5 * eps)
        assert torch.allclose(slope_t[i], g, rtol=1e-5, atol=1e-5 * eps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("farthest", [1.0, 10.0])
@pytest.mark.parametrize("eps", [0.01, 0.1, 1.0, 10.0])
def test_within_a_ten_thousandth_of_the_loop_for_regularisers_far_apart(eps, farthest, dtype):
    p, t = (side.to(dtype) for side in rows(2, 5, seed=3))
    distance = unordered(5, farthest, seed=1)
    value, slope_p, slope_t = solved(p, t, distance, eps)
    for i in range(2):
        truth, f, g = oracle(*(side[i].double() / side[i].double().sum() for side in (p, t)), distance, eps)
        assert value[i].item() == pytest.approx(truth, rel=1e-5)
        assert off(slope_p[i : i + 1].double(), f[None]) < 1e-4
        assert off(slope_t[i : i + 1].double(), g[None]) < 1e-4


@pytest.mark.parametrize("farthest", [1.0, 10.0])
@pytest.mark.parametrize("eps", [0.01, 0.1, 1.0, 10.0])
def test_float32_inside_where_there_is_no_float64_stays_close(eps, farthest, monkeypatch):
    p, t = rows(16, 6, seed=5)
    distance = unordered(6, farthest, seed=2)
    truth, *slopes = solved(p, t, distance, eps)
    blocks = solver._solve_block
    monkeypatch.setattr(
        solver,
        "_solve_block",
        lambda p, t, cost, *more: tuple(x.double() for x in blocks(p.float(), t.float(), cost.float(), *more)),
    )
    value, *rough = solved(p, t, distance, eps)
    assert torch.allclose(value, truth, rtol=1e-4, atol=1e-6)
    for ours, exact in zip(rough, slopes):
        assert off(ours, exact) < 5e-3


@pytest.mark.parametrize("distance", [line(8), unordered(8, 9.0)])
@pytest.mark.parametrize("eps", [0.002, 0.03, 0.07])
def test_scaling_and_logarithms_agree_and_each_plan_has_the_marginals(distance, eps):
    p, t = rows(40, 8, sharp=3.0)
    value, f, g = solved(p, t, distance, eps)
    # the potentials are known up to a constant each; their sum follows from the value
    both = f[:, :, None] + g[:, None, :] + value[:, None, None]
    plan = p[:, :, None] * t[:, None, :] * ((both - distance) / eps).exp()
    assert torch.allclose(plan.sum(2), p, atol=1e-6)
    assert torch.allclose(plan.sum(1), t, atol=1e-6)


def test_the_two_forms_are_one_solver(monkeypatch):
    p, t = rows(20, 6)
    scaling = solved(p, t, line(6), 0.1)
    monkeypatch.setattr(solver, "Scaling", solver.Logarithms)
    for ours, theirs in zip(scaling, solved(p, t, line(6), 0.1)):
        assert torch.allclose(ours, theirs, atol=1e-6, rtol=1e-6)


def test_more_classes_than_the_kernels_of_pairs_are_kept_for():
    p, t = rows(2, 70, sharp=0.5)
    distance = unordered(70, 1.0)
    value, slope, _ = solved(p, t, distance, 0.1)
    for i in range(2):
        truth, f, _ = oracle(p[i], t[i], distance, 0.1)
        assert value[i].item() == pytest.approx(truth, rel=1e-8)
        assert torch.allclose(slope[i], f, atol=1e-6)


# ---- closed forms and limits


@settings(deadline=None, max_examples=15)
@given(classes=st.integers(2, 6), seed=st.integers(0, 10_000))
def test_towards_zero_it_is_the_linear_programme(classes, seed):
    p, t = rows(1, classes, seed)
    distance = unordered(classes, 3.0, seed)
    n = classes
    sums = [[float(k // n == i) for k in range(n * n)] for i in range(n)]
    sums += [[float(k % n == j) for k in range(n * n)] for j in range(n)]
    programme = linprog(distance.flatten().numpy(), A_eq=sums, b_eq=torch.cat([p[0], t[0]]).numpy())
    value = entropic_emd(p, t, distance, 1e-4, iterations=300).item()
    # the plan of the programme costs at most log C of divergence more
    assert programme.fun - 1e-9 <= value <= programme.fun + 1e-4 * 2 * 60


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_towards_infinity_it_is_the_mean_cost_of_independent_draws(classes):
    p, t = rows(8, classes)
    distance = unordered(classes, 5.0)
    value, slope, _ = solved(p, t, distance, 1e6)
    mean = p @ distance * t
    assert torch.allclose(value, mean.sum(-1), rtol=1e-5)
    expected = t @ distance.T
    assert torch.allclose(slope, expected - (p * expected).sum(-1, keepdim=True), atol=1e-5)


def test_on_a_line_and_towards_zero_it_is_the_gap_of_cumulative_sums():
    p, t = rows(12, 7)
    ordered = (p - t).cumsum(-1).abs().sum(-1)
    assert torch.allclose(entropic_emd(p, t, line(7), 1e-4, iterations=300), ordered, atol=3e-3)


@pytest.mark.parametrize("eps", [0.001, 0.1, 10.0])
def test_a_hard_target_costs_the_mean_distance_to_it_whatever_the_regulariser(eps):
    p, _ = rows(5, 5)
    distance = unordered(5, 10.0)
    value, slope, _ = solved(p, torch.eye(5).double(), distance, eps, iterations=1)
    assert torch.allclose(value, (p * distance.T).sum(-1), atol=1e-12)
    assert torch.allclose(slope, distance.T - value[:, None], atol=1e-11)
    swapped = entropic_emd(torch.eye(5).double(), p, distance.T, eps, iterations=1)
    assert torch.allclose(swapped, value, atol=1e-12)


def test_nothing_costs_anything_where_all_distances_are_zero():
    value, *slopes = solved(*rows(6, 4), torch.zeros(4, 4), 0.1)
    assert value.abs().max() < 1e-12
    assert all(slope.abs().max() < 1e-12 for slope in slopes)


@pytest.mark.parametrize("eps", [0.02, 0.1, 3.0])
def test_sides_change_places_with_the_distance_turned_over(eps):
    p, t = rows(10, 6)
    distance = unordered(6, 2.0)
    value, slope_p, slope_t = solved(p, t, distance, eps)
    turned, turned_t, turned_p = solved(t, p, distance.T, eps)
    assert torch.allclose(value, turned, rtol=1e-9)
    assert torch.allclose(slope_p, turned_p, atol=1e-5 * eps)
    assert torch.allclose(slope_t, turned_t, atol=1e-5 * eps)


def test_value_and_regulariser_scale_with_the_distance():
    p, t = rows(10, 6)
    assert torch.allclose(entropic_emd(p, t, line(6) * 7, 0.7), entropic_emd(p, t, line(6), 0.1) * 7)


def test_a_constant_added_to_all_distances_is_added_to_the_value():
    p, t = rows(10, 6)
    value, slope, _ = solved(p, t, line(6), 0.1)
    higher, same, _ = solved(p, t, line(6) + 1000, 0.1)
    assert torch.allclose(higher, value + 1000, rtol=1e-12)
    assert torch.allclose(same, slope, atol=1e-8)


@pytest.mark.parametrize("eps", [0.005, 0.02])
def test_equal_rows_have_nearly_equal_potentials_where_the_plan_no_longer_tells(eps):
    p, _ = rows(6, 5)
    _, slope_p, slope_t = solved(p, p, line(5), eps)
    half = -eps / 2 * p.log()  # the plan is diag(p) here: p^2 e^((f + g) / eps) = p, and f = g
    truth = half - (p * half).sum(-1, keepdim=True)
    assert off(slope_p, truth) < 0.05
    assert off(slope_t, truth) < 0.05


def test_never_negative_and_growing_with_the_regulariser():
    p, t = rows(20, 6)
    values = torch.stack([entropic_emd(p, t, line(6), eps) for eps in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)])
    assert (values >= 0).all()
    assert (values.diff(dim=0) > 0).all()


# ---- gradients


@pytest.mark.parametrize("eps", [0.03, 0.1, 1.0])
def test_gradient_in_float64(eps):
    p, t = rows(3, 4)
    distance = unordered(4, 1.0)
    logits, other = (side.log().requires_grad_() for side in (p, t))
    assert torch.autograd.gradcheck(
        lambda x, y: entropic_emd(x.softmax(-1), y.softmax(-1), distance, eps), (logits, other), atol=1e-5
    )
    # not through softmax either, since rows are divided by their sums
    assert torch.autograd.gradcheck(
        lambda x, y: entropic_emd(x, y, distance, eps), (p.requires_grad_(), t.requires_grad_()), atol=1e-5
    )


@pytest.mark.parametrize("hard", [True, False])
def test_gradient_of_the_module_in_float64(hard):
    logits = torch.randn(4, 5, dtype=torch.double, requires_grad=True)
    targets = torch.tensor([0, 4, 2, 2]) if hard else rows(4, 5)[1]
    loss = EntropicEMDLoss(unordered(5), 0.2)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits, atol=1e-5)


def test_only_what_asks_for_a_gradient_gets_one():
    p, t = rows(3, 4)
    entropic_emd(p.requires_grad_(), t, line(4)).sum().backward()
    assert p.grad is not None
    assert t.grad is None
    assert not entropic_emd(p.detach(), t, line(4)).requires_grad


def test_descending_leads_to_the_target_up_to_the_blur_of_the_regulariser():
    target = rows(4, 5)[1]
    logits = torch.zeros(4, 5, dtype=torch.double, requires_grad=True)
    loss = EntropicEMDLoss(line(5), 0.02)
    optimiser = torch.optim.Adam([logits], lr=0.2)
    for _ in range(50):
        optimiser.zero_grad()
        loss(logits, target).backward()
        optimiser.step()
    assert (logits.softmax(-1) - target).abs().max() < 0.05


# ---- batches, zeros, NaN


def test_order_of_the_batch_does_not_matter():
    p, t = rows(30, 5)
    shuffle = torch.randperm(30)
    for whole, part in zip(solved(p, t, line(5), 0.05), solved(p[shuffle], t[shuffle], line(5), 0.05)):
        assert torch.allclose(whole[shuffle], part, atol=1e-9)


def test_names_of_the_classes_do_not_matter():
    p, t = rows(10, 6)
    distance, shuffle = unordered(6), torch.randperm(6)
    moved = entropic_emd(p[:, shuffle], t[:, shuffle], distance[shuffle][:, shuffle])
    assert torch.allclose(moved, entropic_emd(p, t, distance), rtol=1e-9)


def test_blocks_do_not_matter(monkeypatch):
    p, t = rows(23, 5)
    whole = solved(p, t, line(5), 0.1)
    monkeypatch.setattr(solver, "BLOCK", 7 * 25)
    for one, other in zip(whole, solved(p, t, line(5), 0.1)):
        assert torch.allclose(one, other, atol=1e-9)


def test_the_same_to_the_bit_each_time():
    p, t = rows(50, 10)
    for one, other in zip(solved(p, t, line(10), 0.1), solved(p, t, line(10), 0.1)):
        assert torch.equal(one, other)


@settings(deadline=None, max_examples=25)
@given(
    batch=st.integers(0, 4),
    classes=st.integers(1, 5),
    eps=st.sampled_from([0.001, 0.1, 10.0]),
    zeros=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_any_shape_with_zeros_and_equal_rows_is_finite(batch, classes, eps, zeros, seed):
    p, t = rows(batch, classes, seed)
    if zeros:
        p, t = (torch.where(side < 1 / classes - 1e-9, 0, side) for side in (p, t))
        p, t = p / p.sum(-1, keepdim=True), t / t.sum(-1, keepdim=True)
    if batch > 1:
        p[0] = t[0]
    for part in solved(p.float(), t.float(), unordered(classes, 5.0, seed), eps, iterations=400):
        assert part.isfinite().all()


@pytest.mark.parametrize("eps", [0.01, 0.3])
def test_a_class_without_mass_is_as_if_it_were_not_there(eps):
    p, t = rows(8, 4)
    distance = unordered(6, 3.0)
    wide_p, wide_t = torch.zeros(8, 6).double(), torch.zeros(8, 6).double()
    here, there = torch.tensor([0, 2, 3, 5]), torch.tensor([1, 2, 4, 5])
    wide_p[:, here], wide_t[:, there] = p, t
    value, slope_p, slope_t = solved(wide_p, wide_t, distance, eps)
    for i in range(8):
        # the oracle takes the sides as they are, four classes each
        truth, f, g = oracle(p[i], t[i], distance[here][:, there], eps)
        assert value[i].item() == pytest.approx(truth, rel=1e-8)
        assert torch.allclose(slope_p[i, here], f, atol=1e-5 * eps)
        assert torch.allclose(slope_t[i, there], g, atol=1e-5 * eps)


def test_the_slope_of_an_empty_class_is_the_one_sided_one():
    p = torch.tensor([[0.6, 0.4, 0.0]], dtype=torch.double)
    t = torch.tensor([[0.3, 0.3, 0.4]], dtype=torch.double)
    value, slope, _ = solved(p, t, line(3), 0.2)
    h = 1e-6
    difference = (entropic_emd(p + torch.tensor([[-h, 0, h]]), t, line(3), 0.2) - value) / h
    assert difference.item() == pytest.approx((slope[0, 2] - slope[0, 0]).item(), abs=1e-4)


@pytest.mark.parametrize("side", [0, 1])
def test_a_row_of_nan_is_nan_and_spoils_no_other(side):
    sides = rows(4, 5)
    truth = solved(*sides, line(5), 0.1)
    sides[side][1, 2] = torch.nan
    for part, expected in zip(solved(*sides, line(5), 0.1), truth):
        assert part[1].isnan().all()
        others = torch.tensor([0, 2, 3])
        assert torch.allclose(part[others], expected[others], atol=1e-12)
    assert EntropicEMDLoss(line(5))(torch.full((2, 5), torch.nan), torch.tensor([0, 1])).isnan()


def test_an_empty_batch_teaches_nothing_and_says_so():
    logits = torch.zeros(0, 3, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item"):
        loss = EntropicEMDLoss(line(3))(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss == 0
    each = EntropicEMDLoss(line(3), reduction="none")(logits, torch.zeros(0, dtype=torch.long))
    assert each.shape == (0,)


# ---- the module, types, compilation


def test_hard_targets_are_one_hot_rows_and_reductions_are_of_the_rows():
    logits = torch.randn(6, 4)
    hard = torch.tensor([0, 1, 2, 3, 3, 0])
    each = EntropicEMDLoss(line(4), reduction="none")(logits, hard)
    assert torch.equal(each, EntropicEMDLoss(line(4), reduction="none")(logits, torch.eye(4)[hard]))
    assert torch.allclose(EntropicEMDLoss(line(4), reduction="sum")(logits, hard), each.sum())
    assert torch.allclose(EntropicEMDLoss(line(4))(logits, hard), each.mean())


def test_the_distance_is_saved_with_the_module():
    loss = EntropicEMDLoss(line(4).long())
    assert list(loss.state_dict()) == ["ground_distance"]
    assert loss.ground_distance.dtype == torch.float32


@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_is_within_two_percent(autocast):
    logits, (_, target) = torch.randn(32, 8).bfloat16().float(), rows(32, 8)
    loss = EntropicEMDLoss(line(8) / 7, 0.1)
    given = logits.clone().requires_grad_() if autocast else logits.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        value = loss(given, target.float())
    value.backward()
    assert value.dtype == torch.float32
    assert given.grad.dtype == given.dtype
    assert value.item() == pytest.approx(loss(logits, target.float()).item(), rel=0.02)
    rough = entropic_emd(logits.bfloat16().softmax(-1), target.bfloat16(), line(8) / 7)
    assert torch.allclose(rough, loss_rows(logits, target), rtol=0.05, atol=0.01)


def loss_rows(logits: Tensor, target: Tensor) -> Tensor:
    return EntropicEMDLoss(line(8) / 7, 0.1, reduction="none")(logits, target.float())


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_whole_it_gives_the_same(backend):
    logits, target = torch.randn(6, 5), rows(6, 5)[1].float()
    loss = EntropicEMDLoss(line(5), 0.1)
    results = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend=backend)):
        leaf = logits.clone().requires_grad_()
        value = run(leaf, target)
        value.backward()
        results.append((value.detach(), leaf.grad))
    for plain, compiled in zip(*results):
        assert torch.allclose(plain, compiled, atol=1e-7)


# ---- warnings and errors


@pytest.mark.parametrize("eps", [0.01, 0.1])
def test_rows_that_are_not_solved_are_told(eps):
    p, t = rows(7, 6)
    p[0] = torch.eye(6)[2]
    said = rf"6 of 7 rows are not solved after 1 iterations: the largest marginal error is .*; raise.*{eps} .*reach 5\)"
    with pytest.warns(NotConvergedWarning, match=said):
        entropic_emd(p, t, line(6), eps, iterations=1)


HALF = torch.full((2, 3), 0.5)
THIRD = torch.full((2, 3), 1 / 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((HALF, THIRD, line(3)), r"a row of prediction sums to 1\.5000; both sides need the same mass"),
        ((THIRD, HALF, line(3)), r"a row of target sums to 1\.5000; .* divide rows by their sums"),
        ((THIRD * -1, THIRD, line(3)), r"a row of prediction holds -0\.3333; probabilities are 0 or more"),
        ((THIRD.long(), THIRD, line(3)), r"prediction is torch\.int64; expected probabilities in floating point"),
        ((THIRD[:1], THIRD, line(3)), r"prediction has shape \(1, 3\) and target \(2, 3\)"),
        ((THIRD, THIRD, line(4)), r"ground_distance has shape \(4, 4\); expected \(3, 3\)"),
        ((THIRD, THIRD, line(3) - 1), r"ground_distance holds -1; distances are finite and 0 or more"),
        ((THIRD, THIRD, line(3) / 0), r"ground_distance holds nan; distances are finite"),
        ((THIRD, THIRD, line(3).requires_grad_()), r"asks for a gradient and would get none; give ground_distance\.de"),
        ((THIRD, THIRD, line(3), 0.0), r"regulariser is 0\.0; it must be above 0 and finite"),
        ((THIRD, THIRD, line(3), math.nan), r"regulariser is nan; it must be above 0 and finite"),
        ((THIRD, THIRD, line(3), 0.1, 0), r"iterations is 0; it must be above 0"),
        ((THIRD, THIRD, line(3), 0.1, 9, -1.0), r"tolerance is -1\.0; it must be above 0"),
    ],
)
def test_errors_say_value_and_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        entropic_emd(*arguments)


def test_errors_of_the_module_say_value_and_remedy():
    with pytest.raises(ValueError, match=r"reduction is 'max'; choose mean, sum or none"):
        EntropicEMDLoss(line(3), reduction="max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"ground_distance has shape \(2, 3\); expected \(classes, classes\)"):
        EntropicEMDLoss(torch.zeros(2, 3))
    loss = EntropicEMDLoss(line(3))
    with pytest.raises(ValueError, match=r"class 5 is outside 0\.\.2"):
        loss(torch.zeros(2, 3), torch.tensor([0, 5]))
    with pytest.raises(ValueError, match=r"logits have shape \(2, 3\) and targets \(3,\); .*a row a target"):
        loss(torch.zeros(2, 3), torch.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=r"ground_distance has shape \(3, 3\); expected \(4, 4\)"):
        loss(torch.zeros(2, 4), torch.tensor([0, 1]))
