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
        ``(items, classes)`` probabilities in float32, or float64 where the targets are float64. Rows in
        half precision, which cannot sum to one to more than two digits, are divided by their sum.
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
            raise ValueError(
                f"class {outside[0].item()} is outside 0..{classes - 1}, the {classes} classes; count them from 0, and "
                "leave out items whose class is unknown"
            )
        return nn.functional.one_hot(targets, classes).float()
    indices = targets.ndim == 2 and targets.shape[-1] == 1 and not targets.is_floating_point()
    if targets.ndim != 2 or targets.shape[-1] != classes or indices:
        given = f"{targets.dtype} of shape {tuple(targets.shape)}"
        raise ValueError(f"targets are {given}; expected whole numbers (items,) or probabilities (items, {classes})")
    rows = targets if targets.dtype == torch.float64 else targets.float()
    # shares in half precision, such as thirds, cannot sum to one more closely
    half = targets.dtype in (torch.float16, torch.bfloat16)
    if look and rows.numel():
        _check_rows(rows, 1e-2 if half else 1e-4)
    return rows / rows.sum(-1, keepdim=True) if half else rows


def _check_rows(rows: Tensor, tolerance: float) -> None:
    mass = rows.sum(-1)
    least, most = mass.aminmax()
    if rows.min() >= 0 and least >= 1 - tolerance and most <= 1 + tolerance:
        return  # the usual case in a few operations; NaN is looked at below
    if (rows < 0).any():
        raise ValueError(f"a soft target holds {rows[rows < 0][0].item():.4f}; probabilities are 0 or more")
    off = (mass - 1).abs()
    if (off > tolerance).any():
        sums = mass[off.nan_to_num().argmax()]
        remedy = "divide each row by its sum" if sums else "leave out items without votes"
        raise ValueError(f"a soft target sums to {sums:.4f}; {remedy}")
