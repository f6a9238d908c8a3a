"""What losses make of labels where C is neutral, or nothing but rounding."""

import warnings

import pytest
import torch

from affectspace.losses.contrastive import SupervisedContrastiveLoss
from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.label_similarity import label_similarity

HALVES = torch.tensor([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])


@pytest.mark.parametrize("name", ["chord", "angle", "fisher_rao"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_at_neutral_makes_no_positive(name, dtype):
    rows = HALVES.to(dtype)
    thirds = torch.tensor([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 1.0, 2.0]], dtype=dtype) / 3
    loss = SupervisedContrastiveLoss(0.1, name)
    assert torch.equal(loss.alike.block(rows, rows), torch.eye(3, dtype=dtype))
    weights = loss.alike.block(thirds, thirds)
    assert ((weights == 0) | (weights > 1e-3)).all()
    with pytest.warns(DegenerateBatchWarning):
        assert loss(torch.randn(3, 8, dtype=torch.double), rows) == 0


@pytest.mark.parametrize("name", ["same_class", "agreement", "chord", "angle", "fisher_rao"])
def test_class_indices_are_compared_and_one_hot_rows_of_them_are_the_same(name):
    alike = label_similarity(name, torch.clone)
    ids = torch.tensor([0, 2, 1, 2])
    hard, soft = (alike.block(*alike.rows(labels, None)) for labels in (ids, torch.eye(3)[ids]))
    assert torch.allclose(hard, soft, atol=1e-6)
    far = torch.tensor([7, 2**60, 2**50, 2**60])
    assert torch.equal(alike.block(*alike.rows(far, far[:2])), hard[:, :2])


@pytest.mark.parametrize("name", ["agreement", "chord", "fisher_rao"])
def test_hard_and_soft_labels_may_meet(name):
    alike = label_similarity(name, torch.clone)
    ids = torch.tensor([0, 2, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = alike.block(*alike.rows(ids, torch.eye(3, dtype=torch.double)))
    assert torch.equal(weights > 0, torch.eye(3)[ids] > 0)


def test_a_label_of_nan_stays_visible():
    rows = torch.eye(3)
    rows[1] = torch.nan
    for name in ("agreement", "chord", "fisher_rao"):
        weights = SupervisedContrastiveLoss(0.1, name).alike.block(rows, rows)
        assert weights[1].isnan().all()
