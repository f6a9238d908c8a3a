"""Targets in whatever form people have them, as rows of probabilities."""

import torch
from torch import Tensor, nn

__all__ = ["as_distribution"]


def as_distribution(targets: Tensor, classes: int) -> Tensor:
    """Class indices or probabilities as probabilities; a hard label is a one-hot row.

    Args:
        targets: ``(items,)`` integer class indices in ``0..classes - 1``, or ``(items, classes)``
            probabilities, rows summing to one.
        classes: how many classes there are.

    Returns:
        ``(items, classes)`` probabilities in float32, or float64 where the targets are float64.
        A row with NaN stays NaN, so that what reads it shows NaN.

    Raises:
        ValueError: an index outside the classes, another shape, a negative probability, or a row
            that does not sum to one. While ``torch.compile`` traces, values are not looked at.

    Example:
        >>> as_distribution(torch.tensor([1, 0]), classes=2)
        tensor([[0., 1.],
                [1., 0.]])
    """
    look = not torch.compiler.is_compiling()
    if targets.ndim == 1 and not targets.is_floating_point():
        targets = targets.long()
        if look and (outside := targets[(targets < 0) | (targets >= classes)]).numel():
            raise ValueError(f"class {outside[0].item()} is outside 0..{classes - 1}, the classes of the logits")
        return nn.functional.one_hot(targets, classes).float()
    if targets.ndim != 2 or targets.shape[-1] != classes:
        raise ValueError(f"targets have shape {tuple(targets.shape)}; expected (batch,) indices or (batch, {classes})")
    rows = targets if targets.dtype == torch.float64 else targets.float()
    if look:
        _check_rows(rows)
    return rows


def _check_rows(rows: Tensor) -> None:
    if (rows < 0).any():
        raise ValueError(f"a soft target holds {rows[rows < 0][0].item():.4f}; probabilities are 0 or more")
    mass = rows.sum(-1)
    off = (mass - 1).abs()
    if (off > 1e-4).any():
        raise ValueError(f"a soft target sums to {mass[off.nan_to_num().argmax()]:.4f}; divide each row by its sum")
