"""Squared error of what a decoder made of an embedding: an autoencoder needs no labels."""

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.inputs import wide

__all__ = ["ReconstructionLoss"]


class ReconstructionLoss(nn.Module):
    r"""Mean squared error of each item over its own elements, and the mean over the items that have any.

    .. math:: \frac{1}{|I|} \sum_{i \in I} \frac{1}{|E_i|} \sum_{e \in E_i} (x_{ie} - y_{ie})^2, \qquad
        I = \{i : E_i \neq \emptyset\}

    with :math:`E_i` the elements of item *i* that lie inside. A long item weighs as much as a short one. What is not
    inside (padding, a missing modality) never matters, NaN neither: value and gradient are those without it. An item
    with nothing inside is not counted, and nobody is warned, since a missing modality is no fault.

    Give several modalities a loss each: their numbers of elements differ. Of a sequence, the source takes each item's
    own frames in reversed order as the target. The gradient flows to both sides; detach a target that is learned.

    Shape:
        made and target ``(items, dimensions)`` or ``(items, frames, dimensions)`` floating point, both the same; inside
        bool, ``(items,)`` or ``(items, frames)``, True for what is there (of two axes, ``frames`` are the second);
        None: everything. The loss is a scalar of 0 or more, in float32 or better.

    Raises:
        ValueError: shapes that do not match, or another type.

    Warns:
        DegenerateBatchWarning: no item has anything inside; the loss is then 0, with a graph.

    Cost: a few tensors like ``made``. It traces under ``torch.compile`` without a graph break; nobody is warned there.

    Source: Liang, Li & Jin, "Semi-supervised Multi-modal Emotion Recognition with Cross-Modal Distribution Matching",
    ACM Multimedia 2020, for the squared error; the mean over each item's own elements is ours.

    Example:
        >>> made, target = torch.zeros(2, 3, 1), torch.tensor([[1.0, 1.0, 1.0], [3.0, torch.nan, torch.nan]])[..., None]
        >>> inside = torch.tensor([[True, True, True], [True, False, False]])
        >>> ReconstructionLoss()(made, target, inside)  # the mean of 1 and 9
        tensor(5.)
    """

    def forward(self, made: Tensor, target: Tensor, inside: Tensor | None = None) -> Tensor:
        if made.shape != target.shape or made.ndim not in (2, 3):
            raise ValueError(
                f"made has shape {tuple(made.shape)} and target {tuple(target.shape)}; "
                "expected the same, (items, dimensions) or (items, frames, dimensions)"
            )
        if not (made.is_floating_point() and target.is_floating_point()):
            raise ValueError(f"made is {made.dtype} and target {target.dtype}; expected floating point")
        gaps = wide(made) - wide(target)
        elements = torch.full(made.shape[:1], made.shape[1:].numel(), device=made.device)
        if inside is not None:
            there = _checked(inside, made).to(made.device)
            elements = there.flatten(1).sum(1) * made.shape[2:].numel() if there.ndim == 2 else there * elements
            # before squaring, so that no gradient is NaN times 0
            gaps = gaps.where(there.reshape(there.shape + (1,) * (made.ndim - there.ndim)), 0)
        counted = elements > 0
        if not torch.compiler.is_compiling() and not counted.any():
            return nothing_to_learn(gaps, "no item has anything inside" if len(made) else "it holds no item")
        means = gaps.square().flatten(1).sum(1) / elements.clamp(min=1)
        return means.sum() / counted.sum().clamp(min=1)


def _checked(inside: Tensor, made: Tensor) -> Tensor:
    shapes = tuple(made.shape[:1]), tuple(made.shape[:2])
    if inside.dtype != torch.bool or tuple(inside.shape) not in shapes:
        raise ValueError(
            f"inside is {inside.dtype} of shape {tuple(inside.shape)}; expected torch.bool of shape "
            f"{shapes[0]} or {shapes[1]}, True for what is there"
        )
    return inside
