"""What a loss does with a batch, or with some of its items, that it can learn nothing from."""

import warnings

import torch
from torch import Tensor

__all__ = ["DegenerateBatchWarning", "LeftOutWarning", "leave_out", "nothing_to_learn"]


class DegenerateBatchWarning(UserWarning):
    """A batch added nothing to the loss; the message says why and what to change.

    To stop at the first one: ``warnings.simplefilter("error", DegenerateBatchWarning)``.
    """


class LeftOutWarning(UserWarning):
    """Some items of a batch had nothing to be compared with, and the loss is the mean over the others.

    The message is the same for any number of items, so that Python shows it once and not at every
    step; who counts, catches the warnings and adds up ``count``.

    Args:
        reason: what those items lack, and what to change.
        count: how many were left out.
        of: how many there were.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     leave_out(torch.tensor([True, False, True]), "they have no partner")
        >>> str(caught[0].message), caught[0].message.count, caught[0].message.of
        ('some items were left out of the loss: they have no partner', 2, 3)
    """

    def __init__(self, reason: str, count: int, of: int):
        super().__init__(f"some items were left out of the loss: {reason}")
        self.count, self.of = count, of


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


def leave_out(left_out: Tensor, reason: str) -> None:
    """Warn of the items that are True in ``left_out``, shape ``(items,)``, if there are any.

    While ``torch.compile`` traces, nobody is warned: counting would break the graph.
    """
    if torch.compiler.is_compiling():
        return
    if count := int(left_out.sum()):
        warnings.warn(LeftOutWarning(reason, count, len(left_out)), stacklevel=3)
