"""Consistency: the net is to say the same of two views of an item, labelled or not."""

import math
from typing import Literal

from torch import Tensor, nn

from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.inputs import wide
from affectspace.losses.softmax import softmax

__all__ = ["ConsistencyLoss", "ramp_up"]

Distance = Literal["squared", "mean_squared"]


def ramp_up(progress: float, over: float) -> float:
    r"""Weight of a loss on unlabelled items in the course of training: near 0 while predictions are still poor.

    .. math:: e^{-5 (1 - t)^2}, \qquad t = \min(\text{progress} / \text{over},\ 1)

    Args:
        progress: how many steps or epochs are over, 0 or more.
        over: after how many the weight is whole, in the same unit; 0: from the start.

    Returns:
        From 0.0067 to 1, rising, and 1 from ``over`` on.

    Raises:
        ValueError: a number below 0, or one that is not finite.

    Source: Laine & Aila, "Temporal Ensembling for Semi-Supervised Learning", ICLR 2017, which take 80 epochs.

    Example:
        >>> [round(ramp_up(epoch, over=80), 3) for epoch in (0, 20, 40, 80, 300)]
        [0.007, 0.06, 0.287, 1.0, 1.0]
    """
    for name, given in (("progress", progress), ("over", over)):
        if not 0 <= given < math.inf:
            raise ValueError(f"{name} is {given}; it is a finite number of steps or epochs, 0 or more")
    return 1.0 if progress >= over else math.exp(-5 * (1 - progress / over) ** 2)


class ConsistencyLoss(nn.Module):
    r"""Squared distance of the probabilities that two views of the same items are given.

    .. math:: \frac1N \sum_i \sum_c \left(\mathrm{softmax}(x_i)_c - \mathrm{softmax}(x'_i)_c\right)^2

    The views are two passes with other augmentation or dropout. A constant prediction satisfies it, so put it beside a
    loss on labels, with a weight that grows (:func:`ramp_up`). The gradient flows through both sides (the source's Pi
    model); detach one for a teacher, such as a mean of earlier nets.

    Args:
        distance: ``"squared"``, the sum over classes (Sajjadi et al.), or ``"mean_squared"``, their mean (Laine & Aila,
            whose published weights go with it): the same but for a factor of the number of classes.

    Shape:
        logits and other ``(items, classes)``, row i of the same item. The loss is a scalar, in float32 or better, in
        ``[0, 2]``, or ``[0, 2 / classes]`` of the mean; 0 where both sides agree.

    Raises:
        ValueError: a distance by another name, or shapes that do not match.

    Warns:
        DegenerateBatchWarning: there are no items, or a single class; the loss is then 0, with a graph.

    Cost: a few tensors of items x classes. It traces under ``torch.compile`` without a graph break.

    Source: Laine & Aila, "Temporal Ensembling for Semi-Supervised Learning", ICLR 2017; Sajjadi, Javanmardi & Tasdizen,
    "Regularization With Stochastic Transformations and Perturbations for Deep Semi-Supervised Learning", NIPS 2016.

    Example:
        >>> import torch
        >>> loss = ConsistencyLoss()
        >>> sure, other, unsure = torch.tensor([[99.0, 0.0], [0.0, 99.0], [0.0, 0.0]]).split(1)
        >>> [loss(sure, view).item() for view in (sure, other, unsure)]
        [0.0, 2.0, 0.5]
    """

    def __init__(self, distance: Distance = "squared"):
        super().__init__()
        if distance not in ("squared", "mean_squared"):
            raise ValueError(f"distance is {distance!r}; choose 'squared' or 'mean_squared'")
        self.distance: Distance = distance

    def extra_repr(self) -> str:
        return f"distance={self.distance!r}"

    def forward(self, logits: Tensor, other: Tensor) -> Tensor:
        if logits.ndim != 2 or logits.shape != other.shape:
            raise ValueError(
                f"logits have shape {tuple(logits.shape)} and other {tuple(other.shape)}; expected (items, classes), "
                "the same, a row an item"
            )
        if not (logits.is_floating_point() and other.is_floating_point()):
            raise ValueError(f"logits are {logits.dtype} and other {other.dtype}; expected floating point")
        items, classes = logits.shape
        if not items:
            return nothing_to_learn(logits, "it holds no item")
        if classes == 1:
            return nothing_to_learn(logits, "there is a single class, on which all predictions agree")
        gaps = (softmax(wide(logits)) - softmax(wide(other))).square().sum()
        return gaps / (items * classes if self.distance == "mean_squared" else items)
