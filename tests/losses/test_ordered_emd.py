"""The oracles are the transport problem itself and a loop; the rest are truths known in closed form."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.ordered_emd import OrderedEMDLoss, normalised_emd, ordered_emd


def distributions(rows: int, classes: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, classes, generator=generator, dtype=torch.double).pow(3).clamp_min(1e-3).log().softmax(-1)


def transport_cost(p: torch.Tensor, t: torch.Tensor) -> float:
    """Cheapest way to move p onto t at cost |i - j|, solved as the transport problem."""
    n = len(p)
    cost = [abs(i - j) for i in range(n) for j in range(n)]
    rows = [[float(k // n == i) for k in range(n * n)] for i in range(n)]
    columns = [[float(k % n == j) for k in range(n * n)] for j in range(n)]
    solved = linprog(cost, A_eq=rows + columns, b_eq=[*p.tolist(), *t.tolist()])
    assert solved.success
    return solved.fun


def looped(p: torch.Tensor, t: torch.Tensor, order: float, over_classes: str) -> list[float]:
    values = []
    for row, wanted in zip(p.tolist(), t.tolist()):
        gaps = [abs(sum(row[: i + 1]) - sum(wanted[: i + 1])) ** order for i in range(len(row))]
        values.append(sum(gaps) / (len(gaps) if over_classes == "mean" else 1))
    return values


@settings(deadline=None, max_examples=20)
@given(classes=st.integers(2, 7), seed=st.integers(0, 10_000))
def test_of_order_one_it_is_the_transport_problem(classes, seed):
    p, t = distributions(2, classes, seed)
    assert ordered_emd(p[None], t[None], order=1.0).item() == pytest.approx(transport_cost(p, t), abs=1e-7)


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(0, 5),
    classes=st.integers(1, 6),
    order=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
    over_classes=st.sampled_from(["sum", "mean"]),
    hard=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_equals_a_loop_over_items_and_classes(items, classes, order, over_classes, hard, seed):
    p, t = distributions(items, classes, seed), distributions(items, classes, seed + 1)
    targets = torch.randint(classes, (items,), generator=torch.Generator().manual_seed(seed)) if hard else t
    rows = torch.eye(classes, dtype=torch.double)[targets] if hard else t
    wanted = looped(p, rows, order, over_classes)
    assert ordered_emd(p, targets, order, over_classes).tolist() == pytest.approx(wanted, abs=1e-10)
    loss = OrderedEMDLoss(order, over_classes, "none")(p.log(), targets)
    assert loss.tolist() == pytest.approx(wanted, abs=1e-10)
    if items and classes > 1:
        assert OrderedEMDLoss(order, over_classes, "sum")(p.log(), targets).item() == pytest.approx(sum(wanted))
        assert OrderedEMDLoss(order, over_classes)(p.log(), targets).item() == pytest.approx(sum(wanted) / items)


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 4.0])
def test_the_normalised_distance_is_a_root_of_the_mean_power(order):
    p, t = distributions(20, 6), distributions(20, 6, seed=1)
    wanted = ordered_emd(p, t, order, "mean") ** (1 / order)
    assert torch.allclose(normalised_emd(p, t, order), wanted, atol=1e-12)
    assert (normalised_emd(p, t, order) <= (5 / 6) ** (1 / order)).all()


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 3.0])
def test_the_normalised_distance_obeys_the_triangle_inequality(order):
    a, b, c = (distributions(200, 5, seed) for seed in range(3))
    assert (normalised_emd(a, c, order) <= normalised_emd(a, b, order) + normalised_emd(b, c, order) + 1e-12).all()


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("distance", [ordered_emd, normalised_emd])
def test_gradient_is_zero_at_equal_rows(distance, order):
    t = distributions(3, 4)
    p = t.clone().requires_grad_()
    distance(p, t, order).sum().backward()
    assert p.grad is not None
    assert not p.grad.any()


@pytest.mark.parametrize("order", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("targets", [distributions(5, 6, seed=1), torch.tensor([0, 5, 2, 2, 1])])
def test_gradient_in_float64(order, targets):
    logits = distributions(5, 6).log().requires_grad_()
    for over_classes in ("sum", "mean"):
        for reduction in ("mean", "sum", "none"):
            loss = OrderedEMDLoss(order, over_classes, reduction)
            assert torch.autograd.gradcheck(lambda z, loss=loss: loss(z, targets), logits)
    assert torch.autograd.gradcheck(lambda z: normalised_emd(z.softmax(-1), targets, order), logits)
    if order == 2:
        assert torch.autograd.gradgradcheck(lambda z: OrderedEMDLoss()(z, targets), logits)


def test_shifting_all_mass_by_k_costs_k():
    for order in (1.0, 2.0, 3.5):
        assert ordered_emd(torch.eye(6), torch.zeros(6, dtype=torch.long), order).tolist() == [0, 1, 2, 3, 4, 5]


def test_cross_entropy_is_the_same_for_a_near_and_a_far_miss_and_this_is_not():
    near, far = torch.tensor([[0.1, 0.7, 0.1, 0.1]]).log(), torch.tensor([[0.1, 0.1, 0.1, 0.7]]).log()
    truth = torch.tensor([0])
    assert torch.nn.functional.cross_entropy(near, truth) == torch.nn.functional.cross_entropy(far, truth)
    assert OrderedEMDLoss()(near, truth) < OrderedEMDLoss()(far, truth)


def test_the_best_prediction_under_soft_labels_is_their_mean():
    labels = torch.eye(4, dtype=torch.double)[[0, 1, 1, 3]]
    best = labels.mean(0)
    logits = best.clamp_min(1e-30).log().expand(4, 4).clone().requires_grad_()
    OrderedEMDLoss()(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad.sum(0).abs().max() < 1e-12


def test_turning_the_scale_round_changes_nothing():
    p, t = distributions(8, 5), distributions(8, 5, seed=1)
    assert torch.allclose(ordered_emd(p, t), ordered_emd(p.flip(-1), t.flip(-1)), atol=1e-12)
    assert torch.allclose(ordered_emd(p, t), ordered_emd(t, p))


def test_order_of_the_batch_does_not_matter():
    torch.manual_seed(0)
    logits, targets, shuffle = torch.randn(8, 4), torch.randint(4, (8,)), torch.randperm(8)
    loss = OrderedEMDLoss(reduction="none")
    assert torch.equal(loss(logits, targets)[shuffle], loss(logits[shuffle], targets[shuffle]))


def test_the_distance_to_a_nearer_class_is_less_whatever_the_order():
    for order in (1.0, 2.0, 3.0):
        costs = ordered_emd(torch.full((4, 4), 0.1) + 0.6 * torch.eye(4), torch.zeros(4, dtype=torch.long), order)
        assert all(a < b for a, b in pairwise(costs.tolist()))


@pytest.mark.parametrize("classes", [3, 15, 16, 40])
def test_an_item_costs_the_same_in_a_small_and_in_a_large_batch(classes):
    """Large batches of few classes are worked on along the columns."""
    logits, targets = distributions(300, classes).log().requires_grad_(), torch.arange(300) % classes
    loss = OrderedEMDLoss(reduction="sum")
    whole = loss(logits, targets)
    (of_whole,) = torch.autograd.grad(whole, logits)
    parts = torch.stack([loss(x, t) for x, t in zip(logits.split(7), targets.split(7))]).sum()
    (of_parts,) = torch.autograd.grad(parts, logits)
    assert torch.allclose(whole, parts, rtol=1e-12)
    assert torch.allclose(of_whole, of_parts, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.int64])
def test_indices_may_be_of_any_whole_type(dtype):
    p, t = distributions(3, 4), torch.tensor([0, 3, 1])
    assert torch.equal(ordered_emd(p, t.to(dtype)), ordered_emd(p, t))


def test_bfloat16_is_worked_on_in_float32():
    torch.manual_seed(0)
    logits, targets = torch.randn(64, 10).bfloat16().float(), torch.randint(10, (64,))
    wanted = OrderedEMDLoss()(logits, targets)
    narrow = logits.bfloat16().requires_grad_()
    loss = OrderedEMDLoss()(narrow, targets)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    assert narrow.grad is not None
    assert narrow.grad.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for order in (1.0, 2.0, 3.0):
            value = OrderedEMDLoss(order)(logits.bfloat16(), targets)
            assert value.dtype == torch.float32
            assert value.item() == pytest.approx(OrderedEMDLoss(order)(logits.double(), targets).item(), rel=1e-5)


def test_soft_targets_of_another_precision_are_taken():
    p, t = distributions(3, 4), distributions(3, 4, seed=1)
    wanted = ordered_emd(p, t)
    assert ordered_emd(p.float(), t).tolist() == pytest.approx(wanted.tolist(), rel=1e-5)
    assert ordered_emd(p, t.float()).tolist() == pytest.approx(wanted.tolist(), rel=1e-5)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("soft", [False, True])
def test_compiles_as_one_graph(order, soft):
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 4, requires_grad=True), torch.randint(4, (5,))
    targets = torch.eye(4)[targets] if soft else targets
    loss = OrderedEMDLoss(order)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")(logits, targets)
    assert torch.allclose(compiled, loss(logits, targets))
    compiled.backward()
    assert logits.grad is not None
    assert torch.compile(normalised_emd, fullgraph=True, backend="eager")(logits.softmax(-1), targets).shape == (5,)


def test_nan_is_not_hidden():
    nan = torch.full((2, 3), math.nan)
    assert OrderedEMDLoss()(nan, torch.tensor([0, 1])).isnan()
    assert OrderedEMDLoss()(torch.zeros(2, 3), nan).isnan()
    assert OrderedEMDLoss(order=1.0)(nan, torch.tensor([0, 1])).isnan()
    assert normalised_emd(nan, torch.tensor([0, 1])).isnan().all()


@pytest.mark.parametrize("shape", [(0, 3), (2, 1)])
def test_a_batch_that_teaches_nothing_warns_and_gives_a_zero_with_a_graph(shape):
    logits = torch.zeros(shape, requires_grad=True)
    targets = torch.zeros(shape[0], dtype=torch.long)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item|a single class, which every prediction hits"):
        loss = OrderedEMDLoss()(logits, targets)
    loss.backward()
    assert loss.item() == 0
    assert OrderedEMDLoss(reduction="none")(logits, targets).shape == shape[:1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: OrderedEMDLoss()(torch.zeros(2, 3), torch.tensor([0, 5])), r"class 5 is outside 0\.\.2"),
        (lambda: OrderedEMDLoss()(torch.zeros(2, 3), torch.tensor([0, -1])), r"class -1 is outside 0\.\.2"),
        (lambda: OrderedEMDLoss()(torch.zeros(2, 3), torch.rand(2, 4)), r"\(2, 4\); expected whole numbers"),
        (lambda: OrderedEMDLoss()(torch.zeros(2, 3), torch.full((2, 3), 0.5)), r"sums to 1\.5000; divide each row"),
        (lambda: OrderedEMDLoss()(torch.zeros(2, 3), torch.tensor([0])), r"shape \(2, 3\) for targets of shape \(1,\)"),
        (lambda: OrderedEMDLoss()(torch.zeros(3), torch.tensor(0)), r"expected \(batch, classes\), a row"),
        (lambda: ordered_emd(torch.ones(1, 1), torch.tensor([0]), 0.5), r"order is 0\.5; a distance needs a finite"),
        (lambda: normalised_emd(torch.ones(1, 1), torch.tensor([0]), math.inf), "order is inf; a distance needs"),
        (lambda: OrderedEMDLoss(order=math.nan), "order is nan"),
        (lambda: OrderedEMDLoss(over_classes="max"), "over_classes is 'max'; choose one of 'sum', 'mean'"),
        (lambda: OrderedEMDLoss(reduction="batch"), "reduction is 'batch'; choose one of 'mean', 'sum', 'none'"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_options_are_shown():
    assert repr(OrderedEMDLoss(1.0)) == "OrderedEMDLoss(order=1.0, over_classes='sum', reduction='mean')"
