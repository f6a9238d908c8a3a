"""What holds for every loss of the guide; what each computes is tested beside its formula, in a file of its own."""

import copy
import pickle
import re
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import affectspace.losses as losses
from affectspace.losses import DegenerateBatchWarning, LeftOutWarning
from affectspace.losses.guide import GUIDE

CLASSES, WIDTH = 3, 5
STEPS = (torch.arange(CLASSES)[:, None] - torch.arange(CLASSES)).abs() / (CLASSES - 1)

# name -> the loss, and how it is called on rows (items, WIDTH), of which the first CLASSES columns serve as logits
Call = Callable[[nn.Module, Tensor, Tensor], Tensor]


def on_rows(loss: nn.Module, rows: Tensor, targets: Tensor) -> Tensor:
    return loss(rows, targets)


def on_logits(loss: nn.Module, rows: Tensor, targets: Tensor) -> Tensor:
    return loss(rows[:, :CLASSES], targets)


def on_positive_rows(loss: nn.Module, rows: Tensor, targets: Tensor) -> Tensor:
    return loss(rows.abs(), targets)


def on_two_sides(loss: nn.Module, rows: Tensor, targets: Tensor) -> Tensor:
    return loss(rows[:, : WIDTH - 1], rows[:, 1:].sin(), groups=targets)


def on_two_views(loss: nn.Module, rows: Tensor, targets: Tensor) -> Tensor:
    return loss(rows[:, :CLASSES], 2 * rows[:, -CLASSES:].sin())


def on_votes_in_part(loss: nn.Module, rows: Tensor, targets: Tensor) -> Tensor:
    return loss(rows[:, :CLASSES], targets, targets > 0.1)


def on_sides_of_classes(loss: nn.Module, rows: Tensor, targets: Tensor) -> Tensor:
    return loss(rows, rows.sin() + targets[:, :1])


CASES: dict[str, tuple[nn.Module, Call]] = {
    "cross_entropy": (losses.SoftCrossEntropyLoss(), on_logits),
    "f_similarity": (losses.InBatchFSimilarityLoss("kl", "fisher_rao"), on_positive_rows),
    "f_similarity chord": (losses.InBatchFSimilarityLoss("pearson", "chord"), on_positive_rows),
    "supervised_contrastive": (losses.SupervisedContrastiveLoss(), on_rows),
    "supervised_contrastive graded": (losses.SupervisedContrastiveLoss(0.2, "fisher_rao"), on_rows),
    "triplet": (losses.TripletLoss(), on_rows),
    "triplet soft": (losses.TripletLoss(form="soft_margin"), on_rows),
    "triplet semi-hard": (losses.TripletLoss(triplets="semi_hard", margin=1.0), on_rows),
    "triplet hard": (losses.TripletLoss(triplets="hard"), on_rows),
    "contrastive_pairs": (losses.ContrastivePairsLoss(), on_rows),
    "gaussian_manifold": (losses.GaussianManifoldLoss(sigma=1.0), on_rows),
    "gaussian_manifold left out": (losses.GaussianManifoldLoss(sigma=1.0, means="leave_one_out"), on_rows),
    "ordered_emd": (losses.OrderedEMDLoss(), on_logits),
    "level_regression": (losses.LevelRegressionLoss(), on_logits),
    "guided_emd": (losses.GuidedEMDLoss(CLASSES, ground_distance=STEPS), on_logits),
    "entropic_emd": (losses.EntropicEMDLoss(STEPS, 0.5), on_logits),
    "mmd": (losses.MMDLoss(), on_sides_of_classes),
    "hsic": (losses.HSICLoss("labels"), on_rows),
    "hsic of views": (losses.HSICLoss(), on_sides_of_classes),
    "matching": (losses.CrossModalMatchingLoss(), on_two_sides),
    "adversary": (losses.AdversaryLoss(WIDTH, CLASSES, hidden=8), lambda loss, rows, t: loss(rows, t.argmax(-1))),
    # without remembering, so that it is the same function every time
    "linear_adversary": (
        losses.LinearAdversaryLoss(WIDTH, CLASSES).eval(),
        lambda loss, rows, t: loss(rows, t.argmax(-1)),
    ),
    "linear_adversary given the class": (
        losses.LinearAdversaryLoss(WIDTH, CLASSES, target_classes=CLASSES).eval(),
        lambda loss, rows, t: loss(rows, t.argsort(-1)[:, 1], t),
    ),
    "reconstruction": (losses.ReconstructionLoss(), on_votes_in_part),
    "pseudo_labels": (losses.PseudoLabelLoss(0.6), on_two_views),
    "pseudo_labels by itself": (losses.PseudoLabelLoss(0.0), lambda loss, rows, _: loss(rows[:, :CLASSES])),
    "consistency": (losses.ConsistencyLoss(), on_two_views),
}
# Whose bandwidth follows the batch without a gradient is checked at a fixed one.
FIXED: dict[str, nn.Module] = {
    "mmd": losses.MMDLoss(bandwidth=3.0),
    "hsic": losses.HSICLoss("labels", bandwidth_x=3.0),
    "hsic of views": losses.HSICLoss(bandwidth_x=3.0, bandwidth_y=3.0),
    "matching": losses.CrossModalMatchingLoss(bandwidth=3.0),
}
every = pytest.mark.parametrize("name", CASES)
# all but the one whose gradient is reversed on purpose
forward_is_backward = pytest.mark.parametrize("name", [name for name in CASES if name != "adversary"])


def batch(items: int = 12, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(items, WIDTH, generator=generator, dtype=torch.float64)
    votes = torch.rand(items, CLASSES, generator=generator, dtype=torch.float64) ** 3 + 1e-3
    votes[torch.arange(items), torch.arange(items) % CLASSES] += 1
    return rows.to(dtype), (votes / votes.sum(-1, keepdim=True)).to(torch.promote_types(dtype, torch.float32))


def value_and_gradient(name: str, rows: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    loss, call = CASES[name]
    rows = rows.detach().clone().requires_grad_()
    value = call(copy.deepcopy(loss).to(torch.promote_types(rows.dtype, torch.float32)), rows, targets)
    (gradient,) = torch.autograd.grad(value, rows)
    return value.detach(), gradient


def test_every_loss_of_the_guide_is_here():
    assert {row.term for row in GUIDE} == {name.split()[0] for name in CASES}
    for row in GUIDE:
        assert any(type(loss).__name__ == row.module for loss, _ in CASES.values())


@every
def test_the_value_is_a_finite_scalar_and_the_gradient_has_the_type_of_the_rows(name):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        value, gradient = value_and_gradient(name, *batch(dtype=dtype))
        assert value.shape == ()
        assert value.dtype == torch.promote_types(dtype, torch.float32)
        assert gradient.dtype == dtype
        assert value.isfinite()
        assert gradient.isfinite().all()
        assert gradient.any()


@forward_is_backward
def test_gradients_in_float64(name):
    loss, call = CASES[name]
    rows, targets = batch(9)
    module = copy.deepcopy(FIXED.get(name, loss)).double()
    assert torch.autograd.gradcheck(lambda z: call(module, z, targets), rows.requires_grad_(), atol=1e-6)


@forward_is_backward
def test_differentiated_twice_it_is_right_or_refuses(name):
    loss, call = CASES[name]
    rows, targets = batch(7)
    module = copy.deepcopy(FIXED.get(name, loss)).double()

    def value(z: Tensor) -> Tensor:
        return call(module, z, targets)

    rows.requires_grad_()
    (gradient,) = torch.autograd.grad(value(rows), rows, create_graph=True)
    try:
        torch.autograd.grad(gradient.sum(), rows)
    except RuntimeError as error:
        assert re.search("differentiable once|'_pdist_backward' is not implemented", str(error))  # noqa: PT017
    else:
        assert torch.autograd.gradgradcheck(value, rows, atol=1e-5)


@every
def test_the_order_of_the_batch_does_not_matter(name):
    rows, targets = batch()
    shuffle = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))
    value, gradient = value_and_gradient(name, rows, targets)
    again, shuffled = value_and_gradient(name, rows[shuffle], targets[shuffle])
    assert torch.allclose(value, again, rtol=1e-10)
    assert torch.allclose(gradient[shuffle], shuffled, atol=1e-10)


@every
def test_float32_and_bfloat16_are_near_float64(name):
    rows, targets = batch(24)
    rows = rows.bfloat16().double()  # numbers that all three can hold
    exact, gradient = value_and_gradient(name, rows, targets)
    single, single_gradient = value_and_gradient(name, rows.float(), targets.float())
    half, half_gradient = value_and_gradient(name, rows.bfloat16(), targets.float())
    scale = gradient.norm()
    assert abs(single - exact) <= 1e-5 * max(1.0, abs(exact))
    assert (single_gradient - gradient).norm() <= 1e-4 * scale
    assert abs(half - exact) <= 0.02 * max(0.05, abs(exact))
    assert (half_gradient - gradient).norm() <= 0.02 * scale


@every
def test_autocast_changes_nothing(name):
    rows, targets = batch(24, dtype=torch.float32)
    value, gradient = value_and_gradient(name, rows, targets)
    loss, call = CASES[name]
    leaf = rows.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        under = call(copy.deepcopy(loss), leaf, targets)
    (gradient_under,) = torch.autograd.grad(under, leaf)
    assert torch.allclose(under, value, rtol=1e-6)
    assert torch.allclose(gradient_under, gradient, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, (_, call) in CASES.items() if call in (on_rows, on_positive_rows)])
def test_rows_of_zeros_and_huge_rows_are_no_explosion(name):
    rows, targets = batch(24, dtype=torch.float32)
    plain = value_and_gradient(name, rows, targets)[1]
    rows[5] = 0
    rows[6] *= 1e8
    value, gradient = value_and_gradient(name, rows, targets)
    assert value.isfinite()
    assert gradient.isfinite().all()
    if not name.startswith(("gaussian", "hsic")):  # which look at directions alone
        assert gradient.norm() <= 10 * plain.norm() + 10


@every
def test_nan_in_gives_nan_out(name):
    rows, targets = batch()
    rows[3] = torch.nan
    loss, call = CASES[name]
    assert call(copy.deepcopy(loss).double(), rows, targets).isnan()


@every
def test_the_same_numbers_twice_and_nothing_remembered(name):
    loss, call = CASES[name]
    module = copy.deepcopy(loss).double().eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    rows, targets = batch(40)
    first = call(module, rows, targets)
    call(module, *batch(7, seed=5))
    assert torch.equal(first, call(module, rows, targets))
    assert all(torch.allclose(before[key], value, 0, 0, equal_nan=True) for key, value in module.state_dict().items())


@every
def test_a_loss_is_copied_and_sent_to_other_processes(name):
    loss, call = CASES[name]
    rows, targets = batch(dtype=torch.float32)
    there = pickle.loads(pickle.dumps(loss))
    assert torch.equal(call(loss.eval(), rows, targets), call(there.eval(), rows, targets))
    assert repr(loss).startswith(type(loss).__name__)


@every
def test_it_compiles_to_one_graph(name):
    torch._dynamo.reset()
    loss, call = CASES[name]
    module = copy.deepcopy(loss).eval()
    rows, targets = batch(10, dtype=torch.float32)
    expected, gradient = call(module, rows, targets), value_and_gradient(name, rows, targets)[1]
    compiled = torch.compile(lambda z, t: call(module, z, t), fullgraph=True, backend="eager")
    leaf = rows.clone().requires_grad_()
    value = compiled(leaf, targets)
    value.backward()
    assert torch.allclose(value, expected, atol=1e-6)
    assert leaf.grad is not None
    assert torch.allclose(leaf.grad, gradient, atol=1e-6)


@every
@settings(deadline=None, max_examples=12)
@given(items=st.integers(0, 9), seed=st.integers(0, 1000), one_class=st.booleans(), alike=st.booleans())
def test_a_small_or_degenerate_batch_is_a_number_or_a_warning_and_never_a_silent_zero(
    name, items, seed, one_class, alike
):
    rows, targets = batch(items, seed)
    if one_class:
        targets = torch.eye(CLASSES, dtype=torch.float64)[:1].repeat(items, 1)
    if alike:
        rows = rows[:1].repeat(items, 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value, gradient = value_and_gradient(name, rows, targets)
    assert value.isfinite()
    assert gradient.isfinite().all()
    told = any(isinstance(w.message, DegenerateBatchWarning | LeftOutWarning) for w in caught)
    if items == 0:
        assert any(isinstance(w.message, DegenerateBatchWarning) for w in caught)
    # Truly 0 are: all in place within the margin, and points that no loss can tell apart.
    # Of no item sure enough to be taught, nobody is warned.
    truly = (("triplet" in name or "contrastive_pairs" in name) and not one_class) or name == "pseudo_labels"
    assert told or value != 0 or truly or alike


@pytest.mark.parametrize("name", [name for name, (_, call) in CASES.items() if call in (on_rows, on_logits)])
@pytest.mark.parametrize("targets", [[0, 1, 2], ["sad", "happy", "sad"]])
def test_labels_that_are_no_tensor_are_told_with_a_remedy(name, targets):
    loss, call = CASES[name]
    with pytest.raises(ValueError, match=r"a list is no tensor; (give torch\.as_tensor|number the classes first)"):
        call(loss, torch.randn(3, WIDTH), targets)
