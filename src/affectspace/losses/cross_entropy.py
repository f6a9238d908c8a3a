"""Cross-entropy for hard and soft labels, and weights against unequal classes."""

import numpy as np
import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.inputs import beside, wide
from affectspace.losses.softmax import log_softmax

__all__ = ["SoftCrossEntropyLoss", "balanced_class_weights"]


class SoftCrossEntropyLoss(nn.Module):
    r"""Cross-entropy of predicted probabilities with soft labels, weighted by class.

    .. math:: -\frac1N \sum_i \sum_c w_c\, y_i^c \log \mathrm{softmax}(x_i)_c

    The mean is over items. (``torch.nn.CrossEntropyLoss`` divides by the sum of weights for hard
    labels and by N for soft ones; here a hard label is a one-hot row and gives the same.)

    Args:
        class_weights: ``(classes,)`` numbers of 0 or more, see :func:`balanced_class_weights`;
            None: all one.

    Shape:
        logits ``(items, classes)``; targets ``(items,)`` class indices or ``(items, classes)``
        probabilities; the loss is a scalar, at least 0, in float32 or better.

    Raises:
        ValueError: targets that are not probabilities, or weights that do not match the classes.

    Warns:
        DegenerateBatchWarning: there are no items; the loss is then 0, with a graph.

    Example:
        >>> loss = SoftCrossEntropyLoss()
        >>> round(loss(torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)  # log 4
        1.3863
    """

    class_weights: Tensor | None

    def __init__(self, class_weights: Tensor | None = None):
        super().__init__()
        if class_weights is not None:
            class_weights = class_weights.float()
            if class_weights.ndim != 1 or not (class_weights >= 0).all():
                raise ValueError(f"class_weights are {class_weights.tolist()}; expected a number of 0 or more for each")
        self.register_buffer("class_weights", class_weights)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        classes = logits.shape[-1]
        target = as_distribution(beside(logits, targets), classes)
        if logits.shape != target.shape:
            raise ValueError(f"logits have shape {tuple(logits.shape)}; expected {tuple(target.shape)}, a row a target")
        if not len(logits):
            return nothing_to_learn(logits, "it holds no item")
        if self.class_weights is not None:
            if len(self.class_weights) != classes:
                raise ValueError(f"there are {len(self.class_weights)} class weights for {classes} classes of logits")
            target = target * self.class_weights
        # A logarithm of probabilities in bfloat16 would be off by several percent. No operation here is one that
        # autocast would narrow. A class that a label rules out may be ruled out by the logits too, by -inf.
        costs = (target * log_softmax(wide(logits))).masked_fill(target == 0, 0)
        return -costs.sum() / len(logits)


def balanced_class_weights(targets: Tensor | np.ndarray, classes: int | None = None) -> Tensor:
    r"""Weights that let every class weigh the same: :math:`w_c = N / (C \sum_i y_i^c)`.

    Args:
        targets: ``(items,)`` class indices or ``(items, classes)`` probabilities, of the training items.
        classes: number of classes; None: the columns, or the largest index and one.

    Returns:
        ``(classes,)`` float32 weights; the weighted mass of each class is N / C.

    Raises:
        ValueError: a class that no item has, or no items at all.

    Example:
        >>> balanced_class_weights(torch.tensor([0, 0, 0, 1]))
        tensor([0.6667, 2.0000])
    """
    targets = torch.as_tensor(targets)
    if not len(targets):
        raise ValueError("there are no targets to weigh classes by; give those of the training items")
    if classes is None:
        classes = int(targets.max()) + 1 if targets.ndim == 1 else targets.shape[-1]
    mass = as_distribution(targets, classes).cpu().double().sum(0)  # not every accelerator has float64
    if empty := (mass <= 0).nonzero().flatten().tolist():
        raise ValueError(f"class {empty[0]} of 0..{classes - 1} has no item; leave it out of the classes or add items")
    return (len(targets) / (classes * mass)).float().to(targets.device)
