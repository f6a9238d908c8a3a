"""Softmax over few classes, which a CPU does ten times faster along the items than along the classes."""

from torch import Tensor

__all__ = ["log_softmax", "softmax"]


def softmax(logits: Tensor) -> Tensor:
    """``logits.softmax(-1)``."""
    return logits.mT.softmax(0).mT if _few_classes(logits) else logits.softmax(-1)


def log_softmax(logits: Tensor) -> Tensor:
    """``logits.log_softmax(-1)``.

    Example:
        >>> import torch
        >>> log_softmax(torch.zeros(1, 2)).exp()
        tensor([[0.5000, 0.5000]])
    """
    return logits.mT.log_softmax(0).mT if _few_classes(logits) else logits.log_softmax(-1)


def _few_classes(logits: Tensor) -> bool:
    # A CPU takes row after row, and few classes do not fill its vectors; along the columns the items do.
    return logits.device.type == "cpu" and logits.ndim == 2 and len(logits) >= 128 and logits.shape[-1] < 16
