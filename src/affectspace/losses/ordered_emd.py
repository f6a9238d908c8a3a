"""Earth mover's distance between class distributions whose classes are ordered, in closed form."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.inputs import beside, wide
from affectspace.losses.softmax import softmax

__all__ = ["OrderedEMDLoss", "normalised_emd", "ordered_emd"]

OverClasses = Literal["sum", "mean"]
Reduction = Literal["mean", "sum", "none"]


def ordered_emd(prediction: Tensor, target: Tensor, order: float = 2.0, over_classes: OverClasses = "sum") -> Tensor:
    r"""Earth mover's distance, to the power ``order``, of each row, in closed form.

    .. math:: \sum_{i=1}^{C} \left|\mathrm{CDF}_i(p) - \mathrm{CDF}_i(t)\right|^{l}

    With order 1 it is the least cost of moving the mass of p to t where a step from class *i* to
    class *j* costs ``|i - j|`` and both hold the same mass. With order 2 it is also the ranked
    probability score.

    Args:
        prediction: ``(batch, classes)`` probabilities, rows summing to one; they are not checked.
        target: ``(batch,)`` class indices, or ``(batch, classes)`` probabilities.
        order: the exponent *l*, a finite number of 1 or more; 2 is the squared distance.
        over_classes: ``"sum"`` (the paper), or ``"mean"``: the sum divided by C, as some releases do.

    Returns:
        ``(batch,)`` distances in float32 or better, in ``[0, C - 1]`` (``"mean"``: divided by C);
        0 only for equal rows. Gradients are finite everywhere, and 0 at equal rows.

    Raises:
        ValueError: an order below 1, shapes that do not match, targets that are not probabilities.

    Cost: time and memory of a few tensors of batch x classes. It traces under ``torch.compile``
    without a graph break; the targets' values are not checked there.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural
    Networks", 2016, Eq. 10; Levina & Bickel 2001 for its exactness.

    Example:
        A miss by two classes costs twice a miss by one:

        >>> ordered_emd(torch.eye(3), torch.tensor([0, 0, 0])).tolist()
        [0.0, 1.0, 2.0]
    """
    _check_order(order)
    _check_choice("over_classes", over_classes, ("sum", "mean"))
    costs = _costs(*_cumulated(wide(prediction), target), order, "none")
    return costs.sum(-1) if over_classes == "sum" else costs.mean(-1)


def normalised_emd(prediction: Tensor, target: Tensor, order: float = 2.0) -> Tensor:
    r"""Earth mover's distance of each row as a distance, not a power of it, in ``[0, 1)``.

    .. math:: \left(\tfrac1C\right)^{1/l} \left\lVert \mathrm{CDF}(p) - \mathrm{CDF}(t) \right\rVert_l

    A metric between distributions, comparable between numbers of classes: to report rather than to
    train on, since its gradient does not shrink towards equal rows, where it jumps to 0.

    Args:
        prediction: as for :func:`ordered_emd`.
        target: as for :func:`ordered_emd`.
        order: as for :func:`ordered_emd`.

    Returns:
        ``(batch,)`` distances in float32 or better; at most :math:`((C - 1) / C)^{1/l}`.

    Raises:
        ValueError: as for :func:`ordered_emd`, which tells cost and compiling too.

    Source: Hou, Yu & Samaras 2016, Eq. 9.

    Example:
        >>> normalised_emd(torch.eye(4)[:1], torch.tensor([1]))  # one of four entries is off by 1
        tensor([0.5000])
    """
    _check_order(order)
    predicted, wanted = _cumulated(wide(prediction), target)
    # a root of the sum would have an infinite slope at 0, and times 0 that is NaN; the norm's gradient is 0 there
    return torch.linalg.vector_norm(predicted - wanted, order, -1) / predicted.shape[-1] ** (1 / order)


class OrderedEMDLoss(nn.Module):
    r"""Squared earth mover's distance as a loss on logits, for ordered classes.

    .. math:: \frac1N \sum_n \sum_{i=1}^{C} \left|\mathrm{CDF}_i(\mathrm{softmax}(x_n)) - \mathrm{CDF}_i(t_n)\right|^{l}

    Unlike cross-entropy it looks at every predicted probability and charges each by how far its
    class lies from the truth. Use it for ages, ratings and other levels; where no order is known,
    learn one with :class:`affectspace.losses.guided_emd.GuidedEMDLoss`.

    Args:
        order: exponent of the distance, a finite number of 1 or more.
        over_classes: ``"sum"`` (the paper) or ``"mean"``, see :func:`ordered_emd`.
        reduction: ``"mean"`` over the batch (the paper), ``"sum"``, or ``"none"``.

    Shape:
        logits ``(batch, classes)``; targets ``(batch,)`` class indices or ``(batch, classes)``
        probabilities; the loss is a scalar, or ``(batch,)`` without reduction, in float32 or better
        whatever the logits are.

    Raises:
        ValueError: an option that there is not, shapes that do not match, targets that are not
            probabilities.

    Warns:
        DegenerateBatchWarning: there are no items, or a single class; the loss is then 0, with a graph.

    Cost and compiling: as for :func:`ordered_emd`.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural
    Networks", 2016, Eq. 10.

    Example:
        >>> loss = OrderedEMDLoss()
        >>> logits = torch.zeros(2, 4, requires_grad=True)
        >>> loss(logits, torch.tensor([0, 3])).backward()
        >>> logits.grad.shape
        torch.Size([2, 4])
    """

    def __init__(self, order: float = 2.0, over_classes: OverClasses = "sum", reduction: Reduction = "mean"):
        super().__init__()
        _check_order(order)
        _check_choice("over_classes", over_classes, ("sum", "mean"))
        _check_choice("reduction", reduction, ("mean", "sum", "none"))
        self.order = order
        self.over_classes = over_classes
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"order={self.order}, over_classes={self.over_classes!r}, reduction={self.reduction!r}"

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        # No operation here is one that autocast would narrow, and leaving out the context saves a tenth of the time.
        predicted, wanted = _cumulated(softmax(wide(logits)), beside(logits, targets))
        items, classes = predicted.shape
        if self.reduction == "none":
            costs = _costs(predicted, wanted, self.order, "none")
            return costs.sum(-1) if self.over_classes == "sum" else costs.mean(-1)
        if items == 0:
            return nothing_to_learn(logits, "it holds no item")
        if classes == 1:
            return nothing_to_learn(logits, "there is a single class, which every prediction hits")
        shares = (items if self.reduction == "mean" else 1) * (classes if self.over_classes == "mean" else 1)
        # one sum over everything is faster than one over the classes and one over the batch
        return _costs(predicted, wanted, self.order, "sum") / shares


def _cumulated(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Cumulated prediction and cumulated target, both ``(batch, classes)``."""
    if prediction.ndim != 2 or target.shape[:1] != prediction.shape[:1]:
        given = f"{tuple(prediction.shape)} for targets of shape {tuple(target.shape)}"
        raise ValueError(f"predictions have shape {given}; expected (batch, classes), a row a target")
    classes = prediction.shape[-1]
    if target.ndim != 1 or target.is_floating_point():
        return prediction.cumsum(-1), as_distribution(target, classes).cumsum(-1)
    if not torch.compiler.is_compiling() and target.numel():
        least, largest = torch.aminmax(target)
        if least.item() < 0 or largest.item() >= classes:
            as_distribution(target, classes)  # names the class in its error
    # the cumulated one-hot row is a step, which needs neither the row nor a cumulated sum
    steps = torch.arange(classes, device=target.device) >= target.unsqueeze(-1)
    return prediction.cumsum(-1), steps.to(prediction.dtype)


def _costs(predicted: Tensor, wanted: Tensor, order: float, reduction: Literal["none", "sum"]) -> Tensor:
    if order == 2:  # difference, square and sum in one step, and in one backwards
        return nn.functional.mse_loss(predicted, wanted, reduction=reduction)
    costs = (predicted - wanted).abs().pow(order)
    return costs if reduction == "none" else costs.sum()


def _check_order(order: float) -> None:
    if not 1 <= order < math.inf:
        raise ValueError(f"order is {order}; a distance needs a finite number of 1 or more, 2 for the squared distance")


def _check_choice(name: str, given: str, legal: tuple[str, ...]) -> None:
    if given not in legal:
        raise ValueError(f"{name} is {given!r}; choose one of {', '.join(map(repr, legal))}")
