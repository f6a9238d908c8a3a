"""What losses share that go over the pairs of a batch in blocks, and never hold all of them."""

import torch
from torch import Tensor

from affectspace.losses.inputs import wide

__all__ = ["comparable", "parts", "side_of_tile", "unit_rows"]


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
