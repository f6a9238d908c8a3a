"""Gradients that a loss computes together with its value, since going over all pairs twice would cost twice."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["needs_gradient", "once", "with_gradients"]


def needs_gradient(*tensors: Tensor | None) -> bool:
    """Whether somebody may ask for the gradient by one of these."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def with_gradients(value: Tensor, gradients: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
    """A scalar on the graph of the inputs, with the gradients that were computed along with it.

    It is differentiable once.

    Raises:
        RuntimeError: its gradient is differentiated again.

    Example:
        >>> x = torch.tensor([3.0], requires_grad=True)
        >>> with_gradients(x.detach().square().sum(), [2 * x.detach()], [x]).backward()
        >>> x.grad
        tensor([6.])
    """
    return _WithGradients.apply(value, *gradients, *inputs)  # pyright: ignore[reportReturnType]


def once(gradient: Tensor, tensor: Tensor) -> Tensor:
    """A gradient as it is, on the graph of the tensor that it belongs to; differentiating it is an error.

    For backward passes whose gradients are constants to autograd. ``once_differentiable`` does not do: it
    is silent where the incoming gradient is itself a constant, and then a gradient penalty would train
    nothing.
    """
    return _Once.apply(gradient, tensor)  # pyright: ignore[reportReturnType]


class _WithGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, *gradients_and_inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients_and_inputs)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        half = len(ctx.saved_tensors) // 2
        gradients, inputs = ctx.saved_tensors[:half], ctx.saved_tensors[half:]
        return None, *[None] * half, *(once(outputs[0] * g, tensor) for g, tensor in zip(gradients, inputs))


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, tensor: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor]:
        raise RuntimeError("this loss is differentiable once: its gradient was computed along with its value")
