"""What losses share that go over the pairs of a batch in blocks, and never hold all of them."""

from typing import Any

import torch
from torch import Tensor

from affectspace.losses.inputs import wide

__all__ = ["comparable", "needs_gradient", "parts", "side_of_tile", "unit_rows", "with_gradient"]


def parts(length: int, most: int) -> list[slice]:
    """``range(length)`` cut into slices of about equal size, none longer than ``most``.

    Example:
        >>> parts(5, 2)
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if not length:
        return []
    size = -(-length // -(-length // most))
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def side_of_tile(tensor: Tensor) -> int:
    """Rows and columns of a square tile of pairs: on a CPU it stays in the cache, on an accelerator it fills it."""
    return 768 if tensor.device.type == "cpu" else 4096


def unit_rows(x: Tensor) -> Tensor:
    """Each row divided by its length. A row of zeros has no direction and stays; its gradient is that of ``x`` itself.

    Lengths whose square would not fit the type are right too.

    Example:
        >>> unit_rows(torch.tensor([[3e30, 4e30], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    # Dividing by the largest entry first cancels in the unit vector, so that it needs no gradient.
    peak = x.detach().abs().amax(-1, keepdim=True)
    x = x / peak.masked_fill(peak == 0, 1.0)
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.masked_fill(length == 0, 1.0)


def comparable(embeddings: Tensor, reference: Tensor | None, normalise: bool) -> tuple[Tensor, Tensor | None]:
    """Both in one type, float32 or better, and as :func:`unit_rows` if that is asked for.

    Raises:
        ValueError: they have different numbers of dimensions.

    Example:
        >>> comparable(torch.tensor([[3.0, 4.0]]), None, normalise=True)
        (tensor([[0.6000, 0.8000]]), None)
    """
    z = unit_rows(wide(embeddings)) if normalise else wide(embeddings)
    if reference is None:
        return z, None
    if reference.shape[1] != embeddings.shape[1]:
        raise ValueError(f"reference has {reference.shape[1]} dimensions, and embeddings {embeddings.shape[1]}")
    others = unit_rows(wide(reference)) if normalise else wide(reference)
    common = torch.promote_types(z.dtype, others.dtype)
    return z.to(common), others.to(common)


def needs_gradient(*tensors: Tensor | None) -> bool:
    """Whether somebody may ask for the gradient by one of these."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def with_gradient(
    value: Tensor, tensor: Tensor, gradient: Tensor, other: Tensor | None = None, other_gradient: Tensor | None = None
) -> Tensor:
    """A scalar with the gradient by one or two tensors that was computed together with it.

    It is differentiable once.

    Raises:
        RuntimeError: in a backward pass that is to be differentiated again (``create_graph=True``), which
            would take the gradient for a constant.

    Example:
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> with_gradient(x.detach().square().sum(), x, 2 * x.detach()).backward()
        >>> x.grad
        tensor([2., 4.])
    """
    return _WithGradient.apply(value, tensor, gradient, other, other_gradient)  # pyright: ignore[reportReturnType]


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, value: Tensor, tensor: Tensor, gradient: Tensor, other: Tensor | None, other_gradient: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(gradient, other_gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError("this loss is differentiable once: call backward without create_graph")
        gradient, other_gradient = ctx.saved_tensors
        return None, gradient * scale, None, None if other_gradient is None else other_gradient * scale, None
