"""The oracle is a loop over items with torch's cross-entropy."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import DegenerateBatchWarning, PseudoLabelLoss, confident


def randoms(*shape: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def looped(logits, teacher, threshold) -> float:
    total = 0.0
    for row, taught in zip(logits.tolist(), teacher.tolist()):
        mass = [math.exp(each) for each in taught]
        if max(mass) / sum(mass) >= threshold:
            total += math.log(sum(math.exp(each) for each in row)) - row[mass.index(max(mass))]
    return total / len(logits)


@settings(deadline=None, max_examples=40)
@given(
    items=st.integers(1, 9), classes=st.integers(2, 5), threshold=st.sampled_from([0, 0.5, 0.7, 0.95, 1]),
    seed=st.integers(0, 1000), by_itself=st.booleans(),
)  # fmt: skip
def test_equals_a_loop_over_items(items, classes, threshold, seed, by_itself):
    logits = randoms(items, classes, seed=seed)
    teacher = logits if by_itself else randoms(items, classes, seed=seed + 1)
    value = PseudoLabelLoss(threshold)(logits, None if by_itself else teacher)
    assert value.item() == pytest.approx(looped(logits, teacher, threshold), abs=1e-12)


def test_with_a_threshold_of_0_it_is_the_cross_entropy_with_the_most_likely_classes():
    logits = randoms(200, 4)  # enough for the other way round of the softmax
    wanted = torch.nn.functional.cross_entropy(logits, logits.argmax(-1))
    assert torch.allclose(PseudoLabelLoss(0)(logits), wanted)


def test_it_is_divided_by_all_items_so_that_unsure_ones_make_it_smaller():
    sure, unsure = torch.tensor([[5.0, 0.0, 0.0]]), torch.zeros(3, 3)
    alone = PseudoLabelLoss(0.9)(sure)
    assert alone > 0
    assert torch.allclose(PseudoLabelLoss(0.9)(torch.cat([sure, unsure])), alone / 4)


def test_only_sure_items_receive_a_gradient_and_the_teacher_none():
    logits, teacher = randoms(30, 3).requires_grad_(), randoms(30, 3, seed=1).requires_grad_()
    PseudoLabelLoss(0.8)(logits, teacher).backward()
    assert teacher.grad is None
    assert logits.grad is not None
    sure = confident(teacher, 0.8)
    assert 0 < sure.sum() < 30
    assert torch.equal(logits.grad.any(-1), sure)


def test_confident_is_the_probability_against_the_threshold():
    logits = torch.tensor([[math.log(9.0), 0.0], [math.log(8.9), 0.0], [0.0, 0.0], [math.nan, 0.0]]).double()
    assert confident(logits, 0.9).tolist() == [True, False, False, False]
    assert confident(logits, 0.5).tolist() == [True, True, True, False]
    assert confident(logits[:3], 0).all()
    assert confident(torch.tensor([[200.0, 0.0]]), 1.0).all()


@pytest.mark.parametrize("threshold", [0, 0.7])
@pytest.mark.parametrize("by_itself", [False, True])
def test_gradient_in_float64(threshold, by_itself):
    teacher = None if by_itself else randoms(6, 4, seed=1)
    logits = randoms(6, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: PseudoLabelLoss(threshold)(x, teacher), logits)


def test_taught_by_another_view_the_net_comes_to_agree_with_it():
    logits, teacher = torch.zeros(20, 3, requires_grad=True), 5 * torch.eye(3)[torch.arange(20) % 3]
    optimizer = torch.optim.Adam([logits], 0.5)
    for _ in range(30):
        optimizer.zero_grad()
        PseudoLabelLoss()(logits, teacher).backward()
        optimizer.step()
    assert torch.equal(logits.argmax(-1), teacher.argmax(-1))


def test_no_sure_item_gives_a_zero_with_a_graph_and_no_warning(recwarn):
    logits = torch.zeros(5, 3, requires_grad=True)
    loss = PseudoLabelLoss()(logits)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()
    assert not recwarn.list


def test_order_of_items_and_names_of_classes_do_not_matter():
    logits, order = randoms(8, 4), torch.randperm(8)
    loss = PseudoLabelLoss(0.6)
    assert torch.allclose(loss(logits), loss(logits[order]))
    assert torch.allclose(loss(logits), loss(logits[:, [2, 0, 3, 1]]))


def test_logits_far_apart_and_classes_ruled_out_keep_it_finite():
    logits = torch.tensor([[1e4, -1e4, -math.inf], [0.0, 0.1, -math.inf]], requires_grad=True)
    loss = PseudoLabelLoss(0.6)(logits, torch.tensor([[0.0, 5.0, 0.0], [0.0, 0.0, 0.1]]))
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("threshold", [0, 0.99])
def test_nan_is_not_hidden_in_sure_or_unsure_items(side, threshold):
    sides = [randoms(4, 3), randoms(4, 3, seed=1)]
    sides[side][2] = math.nan
    assert PseudoLabelLoss(threshold)(*sides).isnan()
    assert PseudoLabelLoss(threshold)(sides[side]).isnan()


def test_bfloat16_is_worked_on_in_float32_under_autocast_too():
    logits = randoms(64, 4).bfloat16()
    wanted = PseudoLabelLoss(0.7)(logits.double()).item()
    with torch.autocast("cpu", torch.bfloat16):
        value = PseudoLabelLoss(0.7)(logits)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(wanted, rel=1e-5)


def test_compiles_as_one_graph():
    torch._dynamo.reset()
    logits, teacher = randoms(6, 4), randoms(6, 4, seed=1)
    compiled = torch.compile(PseudoLabelLoss(0.7), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(logits, teacher), PseudoLabelLoss(0.7)(logits, teacher))


@pytest.mark.parametrize("shape", [(0, 3), (4, 1)])
def test_a_batch_that_teaches_nothing_warns_and_gives_a_zero_with_a_graph(shape):
    logits = torch.zeros(shape, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item|a single class, which every prediction hits"):
        loss = PseudoLabelLoss()(logits)
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PseudoLabelLoss(1.5), r"threshold is 1\.5; expected a probability, from 0 \(every item counts\) to 1"),
        (lambda: PseudoLabelLoss(math.nan), "threshold is nan"),
        (lambda: confident(torch.zeros(2, 3), -0.1), r"threshold is -0\.1"),
        (lambda: confident(torch.zeros(3), 0.5), r"torch.float32 of shape \(3,\); expected floating point \(items, cl"),
        (lambda: PseudoLabelLoss()(torch.zeros(2, 3), torch.tensor([0, 1])), "logits are torch.int64"),
        (lambda: PseudoLabelLoss()(torch.zeros(2, 3), torch.zeros(2, 4)), r"\(2, 3\) and taught_by \(2, 4\); expected"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
