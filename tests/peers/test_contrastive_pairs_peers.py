"""Values and gradients beside pytorch-metric-learning, and the batches where the two differ."""

import pytest
import torch
from torch import Tensor

pytest.importorskip("pytorch_metric_learning")

from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss
from pytorch_metric_learning.reducers import MeanReducer

from affectspace.losses.contrastive_pairs import ContrastivePairsLoss
from affectspace.losses.degenerate import DegenerateBatchWarning


def step(loss: torch.nn.Module, z: Tensor, *args, **kwargs) -> tuple[float, Tensor]:
    z = z.clone().requires_grad_()
    value = loss(z, *args, **kwargs)
    value.backward()
    return value.item(), z.grad


@pytest.mark.parametrize("margin", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(("items", "classes"), [(6, 2), (60, 7), (900, 8)])
def test_equal_to_distances_under_a_mean_over_all_pairs(margin, normalise, items, classes):
    z = torch.randn(items, 6, generator=torch.Generator().manual_seed(items), dtype=torch.double)
    labels = torch.arange(items) % classes
    peer = ContrastiveLoss(
        neg_margin=margin, reducer=MeanReducer(), distance=LpDistance(normalize_embeddings=normalise)
    )
    a, by_a = step(ContrastivePairsLoss(margin, squared=False, normalise=normalise), z, labels)
    b, by_b = step(peer, z, labels)
    assert a == pytest.approx(b, rel=1e-9)
    assert torch.allclose(by_a, by_b, atol=1e-9)


def test_equal_with_a_reference():
    z, r = torch.randn(2, 20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    labels, others = torch.arange(20) % 4, torch.arange(20) % 5
    a, by_a = step(ContrastivePairsLoss(1.2, squared=False), z, labels, r, others)
    b, by_b = step(ContrastiveLoss(neg_margin=1.2, reducer=MeanReducer()), z, labels, ref_emb=r, ref_labels=others)
    assert a == pytest.approx(b, rel=1e-9)
    assert torch.allclose(by_a, by_b, atol=1e-9)


def test_a_pair_that_reaches_the_margin_doubles_the_peers_default_loss_and_not_ours():
    distance = LpDistance(normalize_embeddings=False)
    ours = ContrastivePairsLoss(squared=False, normalise=False)
    values = {"peer": [], "ours": []}
    for reach in (0.999, 1.0):
        z = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, reach]], dtype=torch.double)
        values["peer"].append(ContrastiveLoss(distance=distance)(z, torch.arange(3)).item())
        values["ours"].append(ours(z, torch.arange(3)).item())
    assert values["peer"] == pytest.approx([0.2505, 0.5])
    assert values["ours"] == pytest.approx([0.501 / 3, 0.5 / 3])


def test_an_item_of_nan_the_peer_drops_unseen():
    z = torch.tensor([[torch.nan, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    labels = torch.tensor([0, 0, 1, 1])
    assert ContrastiveLoss()(z, labels).isfinite()
    assert ContrastivePairsLoss(squared=False)(z, labels).isnan()


def test_one_item_with_one_alike_and_one_other_the_peer_returns_a_silent_zero():
    z, r = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    one, others = torch.tensor([0]), torch.tensor([0, 1])
    assert ContrastiveLoss()(z, one, ref_emb=r, ref_labels=others) == 0
    expected = (z - r[0]).norm() + (1 - (z - r[1]).norm())
    assert ContrastivePairsLoss(squared=False)(z, one, r, others).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_single_item_the_peer_returns_a_silent_zero():
    assert ContrastiveLoss()(torch.randn(1, 3), torch.tensor([0])) == 0
    with pytest.warns(DegenerateBatchWarning, match="there is no pair of items"):
        ContrastivePairsLoss()(torch.randn(1, 3), torch.tensor([0]))


def test_an_embedding_of_zeros_the_peer_gives_a_gradient_of_thousands_of_millions():
    z, labels = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 1])
    z[0] = 0
    assert step(ContrastiveLoss(), z, labels)[1].abs().max() > 1e9
    assert step(ContrastivePairsLoss(squared=False), z, labels)[1].abs().max() < 100
