"""Gradients that come with a value: right once, and an error rather than a silent 0 the second time."""

import pytest
import torch

from affectspace.losses.gradients import needs_gradient, with_gradients


def test_a_second_derivative_is_refused_rather_than_wrong():
    x = torch.tensor([3.0], requires_grad=True)
    value = with_gradients(x.detach().square().sum(), [2 * x.detach()], [x])
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(RuntimeError, match="this loss is differentiable once"):
        torch.autograd.grad(gradient.sum(), x)
    with pytest.raises(RuntimeError, match="this loss is differentiable once"):
        (x.square() + gradient.square()).sum().backward()


def test_whether_a_gradient_is_wanted():
    x = torch.ones(1, requires_grad=True)
    assert needs_gradient(None, x)
    assert not needs_gradient(None, x.detach())
    with torch.no_grad():
        assert not needs_gradient(x)
