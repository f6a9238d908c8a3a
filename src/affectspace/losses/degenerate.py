"""What a loss does with a batch that it can learn nothing from."""

import warnings

import torch
from torch import Tensor

__all__ = ["DegenerateBatchWarning", "nothing_to_learn"]


class DegenerateBatchWarning(UserWarning):
    """A batch added nothing to the loss; the message says why and what to change.

    To stop at the first one: ``warnings.simplefilter("error", DegenerateBatchWarning)``.
    """


def nothing_to_learn(tensor: Tensor, reason: str) -> Tensor:
    """A zero that hangs on the graph of ``tensor`` (NaN where that holds NaN), with a warning.

    Backward passes still run, so that a step on several processes does not wait for this one.

    Example:
        >>> embeddings = torch.ones(1, 2, requires_grad=True)
        >>> with warnings.catch_warnings(record=True):
        ...     nothing_to_learn(embeddings, "a single item forms no pair").backward()
        >>> embeddings.grad
        tensor([[0., 0.]])
    """
    if not torch.compiler.is_compiling():
        warnings.warn(f"this batch adds nothing to the loss: {reason}", DegenerateBatchWarning, stacklevel=3)
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    return (tensor.to(dtype) * 0).sum()
