"""Against dlordinal's squared distance and POT's exact transport."""

import pytest
import torch

from affectspace.losses.ordered_emd import OrderedEMDLoss, ordered_emd


@pytest.mark.parametrize("items", [1, 7, 256])
def test_value_and_gradient_of_dlordinal(items):
    losses = pytest.importorskip("dlordinal.losses")
    torch.manual_seed(items)
    logits, targets = torch.randn(items, 10, dtype=torch.double), torch.randint(10, (items,))
    for labels in (targets, torch.randn(items, 10).double().softmax(-1)):
        ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
        value, other = OrderedEMDLoss()(ours, labels), losses.EMDLoss(10)(theirs, labels)
        value.backward()
        other.backward()
        assert value.item() == pytest.approx(other.item(), rel=1e-12)
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-12, atol=1e-15)


def test_dlordinal_takes_rows_that_are_no_probabilities_in_silence():
    losses = pytest.importorskip("dlordinal.losses")
    logits, labels = torch.zeros(2, 3), torch.full((2, 3), 0.5)
    assert losses.EMDLoss(3)(logits, labels).item() > 0
    with pytest.raises(ValueError, match=r"sums to 1\.5000; divide each row by its sum"):
        OrderedEMDLoss()(logits, labels)


def test_dlordinal_works_in_bfloat16_and_loses_digits_there():
    losses = pytest.importorskip("dlordinal.losses")
    torch.manual_seed(0)
    logits, targets = torch.randn(64, 10).bfloat16(), torch.randint(10, (64,))
    exact = OrderedEMDLoss()(logits.double(), targets).item()
    assert losses.EMDLoss(10)(logits, targets).dtype == torch.bfloat16
    assert OrderedEMDLoss()(logits, targets).item() == pytest.approx(exact, rel=1e-6)
    assert abs(losses.EMDLoss(10)(logits, targets).item() - exact) > 1e-4 * exact


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_of_order_one_it_is_pots_exact_transport(classes):
    ot = pytest.importorskip("ot")
    generator = torch.Generator().manual_seed(classes)
    p, t = torch.randn(2, 25, classes, generator=generator, dtype=torch.double).mul(2).softmax(-1)
    steps = torch.arange(classes)
    cost = (steps[:, None] - steps).abs().double().numpy()
    wanted = [ot.emd2(a.numpy() / a.numpy().sum(), b.numpy() / b.numpy().sum(), cost) for a, b in zip(p, t)]
    assert ordered_emd(p, t, order=1.0).tolist() == pytest.approx(wanted, abs=1e-10)
