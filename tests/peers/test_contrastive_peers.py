"""Values and gradients beside pytorch-metric-learning, and the batches where the two differ."""

import math
import warnings

import pytest
import torch
from torch import Tensor

pytest.importorskip("pytorch_metric_learning")

from pytorch_metric_learning.losses import SupConLoss

from affectspace.losses.contrastive import SupervisedContrastiveLoss
from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning


def step(loss: torch.nn.Module, z: Tensor, *args, **kwargs) -> tuple[float, Tensor]:
    z = z.clone().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        value = loss(z, *args, **kwargs)
    value.backward()
    return value.item(), z.grad


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
@pytest.mark.parametrize(("items", "classes"), [(8, 2), (50, 7), (50, 40), (900, 8)])
def test_equal_in_value_and_gradient(temperature, items, classes):
    generator = torch.Generator().manual_seed(items)
    z = torch.randn(items, 32, generator=generator, dtype=torch.double)
    labels = torch.randint(classes, (items,), generator=generator)
    a, by_a = step(SupervisedContrastiveLoss(temperature), z, labels)
    b, by_b = step(SupConLoss(temperature), z, labels)
    assert a == pytest.approx(b, rel=1e-7)
    assert torch.allclose(by_a, by_b, atol=1e-7 * by_b.abs().max().item())


def test_equal_with_a_reference():
    generator = torch.Generator().manual_seed(0)
    z, r = torch.randn(2, 30, 8, generator=generator, dtype=torch.double)
    labels, others = torch.arange(30) % 4, torch.arange(30) % 5
    a, by_a = step(SupervisedContrastiveLoss(), z, labels, r, others)
    b, by_b = step(SupConLoss(), z, labels, ref_emb=r, ref_labels=others)
    assert a == pytest.approx(b, rel=1e-7)
    assert torch.allclose(by_a, by_b, atol=1e-7)


def test_a_batch_without_positives_the_peer_returns_a_silent_zero():
    z, labels = torch.randn(4, 3), torch.arange(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SupConLoss()(z, labels) == 0
    with pytest.warns(DegenerateBatchWarning, match="no other item is alike by its label"):
        assert SupervisedContrastiveLoss()(z, labels) == 0


def test_a_batch_of_one_class_the_peer_returns_a_silent_zero_where_the_formula_has_a_loss():
    z, labels = torch.randn(6, 3), torch.zeros(6).long()
    value, gradient = step(SupConLoss(), z, labels)
    assert value == 0
    assert not gradient.any()
    value, gradient = step(SupervisedContrastiveLoss(), z, labels)
    assert value > math.log(5)
    assert gradient.any()


def test_one_item_with_one_positive_and_one_other_the_peer_returns_a_silent_zero():
    z, r = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    one, others = torch.tensor([0]), torch.tensor([0, 1])
    assert SupConLoss()(z, one, ref_emb=r, ref_labels=others) == 0
    expected = -math.log(math.exp(6) / (math.exp(6) + math.exp(8)))
    assert SupervisedContrastiveLoss()(z, one, r, others).item() == pytest.approx(expected, rel=1e-5)


def test_anchors_that_are_learnt_the_peer_drops_from_the_mean():
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    labels = torch.tensor([0, 0, 1, 1])
    exact = SupervisedContrastiveLoss(0.02)(z.double(), labels).item()
    assert SupConLoss(0.02)(z, labels).item() == pytest.approx(4 * exact, rel=0.01)
    assert SupervisedContrastiveLoss(0.02)(z, labels).item() == pytest.approx(exact, abs=2e-6)


def test_an_item_of_nan_the_peer_drops_unseen():
    z, r = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    z = z[:3]
    z[0] = torch.nan
    labels, others = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0, 1])
    assert SupConLoss()(z, labels, ref_emb=r, ref_labels=others).isfinite()
    assert SupervisedContrastiveLoss()(z, labels, r, others).isnan()


def test_an_embedding_of_zeros_the_peer_gives_a_gradient_of_a_million_millions():
    z, labels = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 1])
    z[0] = 0
    assert step(SupConLoss(), z, labels)[1].abs().max() > 1e11
    assert step(SupervisedContrastiveLoss(), z, labels)[1].abs().max() < 100
