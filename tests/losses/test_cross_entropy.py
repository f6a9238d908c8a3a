"""The oracle is torch's own cross-entropy; the rest are truths in closed form."""

import math

import pytest
import torch

from affectspace.losses import DegenerateBatchWarning, SoftCrossEntropyLoss, balanced_class_weights


def soft(items: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(items, classes, dtype=torch.double), torch.randn(items, classes, dtype=torch.double).softmax(-1)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 1.0])])
def test_equals_torch_on_soft_labels(weights):
    logits, targets = soft(7, 3)
    reference = torch.nn.CrossEntropyLoss(weight=None if weights is None else weights.double())
    assert SoftCrossEntropyLoss(weights)(logits, targets).item() == pytest.approx(reference(logits, targets).item())


def test_a_hard_label_is_a_one_hot_row():
    logits, _ = soft(4, 3)
    indices = torch.tensor([0, 2, 2, 1])
    loss = SoftCrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(loss(logits, indices), loss(logits, torch.eye(3)[indices]))


def test_the_least_loss_is_the_entropy_of_the_labels():
    _, targets = soft(6, 4)
    entropy = -(targets * targets.log()).sum(-1).mean()
    assert SoftCrossEntropyLoss()(targets.log(), targets).item() == pytest.approx(entropy.item())


def test_gradient_in_float64():
    logits, targets = soft(5, 3)
    loss = SoftCrossEntropyLoss(torch.tensor([0.5, 2.0, 1.0]))
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits.requires_grad_())


def test_logits_far_apart_keep_a_finite_loss_and_gradient():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = SoftCrossEntropyLoss()(logits, torch.tensor([1]))
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert logits.grad is not None
    assert logits.grad.tolist() == [[1.0, -1.0]]


def test_bfloat16_logits_are_worked_on_in_float32():
    logits, targets = soft(64, 4)
    low = SoftCrossEntropyLoss()(logits.bfloat16(), targets)
    assert low.item() == pytest.approx(SoftCrossEntropyLoss()(logits, targets).item(), rel=0.005)


def test_compiles_as_one_graph():
    logits, targets = soft(5, 3)
    loss = SoftCrossEntropyLoss(torch.tensor([0.5, 2.0, 1.0]))
    assert torch.allclose(
        torch.compile(loss, fullgraph=True, backend="aot_eager")(logits, targets), loss(logits, targets)
    )


def test_nan_is_not_hidden():
    logits, targets = soft(3, 2)
    assert SoftCrossEntropyLoss()(logits * float("nan"), targets).isnan()
    assert SoftCrossEntropyLoss()(logits, targets * float("nan")).isnan()


def test_no_items_warn_and_give_a_zero_with_a_graph():
    logits = torch.zeros(0, 3, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item"):
        loss = SoftCrossEntropyLoss()(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0


def test_balanced_weights_give_every_class_the_same_mass():
    _, targets = soft(50, 4)
    weights = balanced_class_weights(targets)
    assert torch.allclose((targets * weights).sum(0), torch.full((4,), 50 / 4).double(), rtol=1e-6)


def test_the_papers_weights_of_two_classes():
    targets = torch.tensor([[0.75, 0.25], [1.0, 0.0], [0.5, 0.5], [0.25, 0.75]])
    assert balanced_class_weights(targets).tolist() == pytest.approx([4 / (2 * 2.5), 4 / (2 * 1.5)])
    assert torch.equal(balanced_class_weights(targets.numpy()), balanced_class_weights(targets))


def test_weighted_loss_of_an_undecided_model_is_log_of_the_classes():
    targets = torch.tensor([0] * 9 + [1])
    loss = SoftCrossEntropyLoss(balanced_class_weights(targets))
    assert loss(torch.zeros(10, 2), targets).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: balanced_class_weights(torch.tensor([0, 2])), r"class 1 of 0\.\.2 has no item; leave it out"),
        (lambda: balanced_class_weights(torch.tensor([0, 1]), classes=3), r"class 2 of 0\.\.2 has no item"),
        (lambda: balanced_class_weights(torch.zeros(0, 2)), r"there are no targets"),
        (lambda: SoftCrossEntropyLoss(torch.tensor([1.0, -1.0])), r"\[1\.0, -1\.0\]; expected a number of 0 or more"),
        (lambda: SoftCrossEntropyLoss(torch.ones(3))(torch.zeros(1, 2), torch.tensor([0])), r"3 class weights for 2"),
        (lambda: SoftCrossEntropyLoss()(torch.zeros(2, 2), torch.tensor([0])), r"shape \(2, 2\); expected \(1, 2\)"),
        (lambda: SoftCrossEntropyLoss()(torch.zeros(1, 2), torch.tensor([2])), r"class 2 is outside 0\.\.1"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("items", [3, 200])
def test_a_class_ruled_out_by_label_and_logits_costs_nothing(items):
    logits = torch.zeros(items, 3, requires_grad=True)
    masked = logits + torch.tensor([0.0, 0.0, float("-inf")])
    loss = SoftCrossEntropyLoss()(masked, torch.arange(items) % 2)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_few_and_many_items_and_classes_equal_torch():
    for items, classes in ((5, 4), (500, 4), (500, 40)):
        logits, targets = torch.randn(items, classes).double(), torch.rand(items, classes).double().softmax(-1)
        expected = torch.nn.functional.cross_entropy(logits, targets)
        assert torch.allclose(SoftCrossEntropyLoss()(logits, targets), expected, rtol=1e-12)
