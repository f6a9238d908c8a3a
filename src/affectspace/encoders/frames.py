"""Padded frames brought to a fixed number, and what is to be reconstructed of them."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["fit_frames", "present_vectors", "reversed_frames"]


def fit_frames(values: Tensor, lengths: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """The first ``frames`` frames of each item, with zeros behind its end.

    Args:
        values: ``(items, any, dimensions)``, padded with anything, NaN too.
        lengths: ``(items,)`` true numbers of frames, from 0.
        frames: how many there are to be.

    Returns:
        ``(items, frames, dimensions)``, and ``(items, frames)`` bool, True inside the item.

    Example:
        >>> values, inside = fit_frames(torch.ones(2, 4, 1), torch.tensor([4, 1]), frames=3)
        >>> values[..., 0], inside[1]
        (tensor([[1., 1., 1.],
                [1., 0., 0.]]), tensor([ True, False, False]))
    """
    inside = torch.arange(frames, device=values.device) < lengths[:, None]
    values = values[:, :frames]
    values = functional.pad(values, (0, 0, 0, frames - values.shape[1]))
    return values.masked_fill(~inside[..., None], 0), inside


def reversed_frames(values: Tensor, lengths: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """What is to be reconstructed of sequences: the last frame first, then zeros, which do not count.

    To begin with what was looked at last is easier to learn.

    Args:
        values: ``(items, any, dimensions)``, padded with anything.
        lengths: ``(items,)`` true numbers of frames, from 0.
        frames: how many are reconstructed; of longer items the first ones.

    Returns:
        ``(items, frames, dimensions)``, and ``(items, frames)`` bool, which of them count.

    Source: Srivastava, Mansimov & Salakhutdinov, "Unsupervised Learning of Video Representations using LSTMs",
    ICML 2015.

    Example:
        >>> words = torch.tensor([[1.0, 2, 3, 4], [1, 2, 0, 0]])[..., None]
        >>> target, counts = reversed_frames(words, torch.tensor([4, 2]), frames=3)
        >>> target[..., 0], counts.sum(-1)
        (tensor([[3., 2., 1.],
                [2., 1., 0.]]), tensor([3, 2]))
    """
    values, inside = fit_frames(values, lengths, frames)
    back = inside.sum(-1, keepdim=True) - 1 - torch.arange(frames, device=values.device)
    mirrored = values.gather(1, back.clamp(min=0)[..., None].expand_as(values))
    return mirrored.masked_fill(~inside[..., None], 0), inside


def present_vectors(values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """What is to be reconstructed of vectors: themselves, and zeros of an item that has none, which do not count.

    Args:
        values: ``(items, dimensions)``.
        lengths: ``(items,)``, 1, or 0 where an item has none.

    Returns:
        ``(items, dimensions)``, and ``(items,)`` bool, which of them count.

    Example:
        >>> present_vectors(torch.tensor([[2.0], [torch.nan]]), torch.tensor([1, 0]))
        (tensor([[2.],
                [0.]]), tensor([ True, False]))
    """
    present = lengths > 0
    return values.masked_fill(~present[:, None], 0), present
