"""An adversary behind a gradient reversal: embeddings are trained not to tell its groups."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.losses.inputs import check_embeddings, group_numbers, wide

__all__ = ["AdversaryLoss", "reversal_schedule", "reverse_gradient"]


def reverse_gradient(tensor: Tensor, coefficient: float | Tensor = 1.0) -> Tensor:
    r"""The tensor as it is, whose gradient is multiplied by minus the coefficient on the way back.

    .. math:: R(x) = x, \qquad \frac{\partial R}{\partial x} = -\lambda I

    Args:
        tensor: of any shape and type.
        coefficient: :math:`\lambda`, at least 0, a number or a tensor of no dimensions; 0 stops the
            gradient. Under ``torch.compile`` a coefficient that changes from step to step should be
            a tensor, since a number becomes part of the compiled graph. A tensor's value is not checked.

    Returns:
        The same values, shape and type.

    Raises:
        ValueError: a coefficient below 0, or of more than one number.

    Traced whole by ``torch.compile``.

    Source: Ganin & Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", 2015, Section 3.2.

    Example:
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> (3 * reverse_gradient(x, 0.5)).sum().backward()
        >>> x.grad
        tensor([-1.5000, -1.5000])
    """
    if isinstance(coefficient, Tensor):
        if coefficient.ndim:
            raise ValueError(f"coefficient has shape {tuple(coefficient.shape)}; expected a single number, shape ()")
    elif not 0 <= coefficient < math.inf:
        raise ValueError(f"coefficient is {coefficient}; it is finite and at least 0, where 0 stops the gradient")
    return ReversedGradient.apply(tensor, coefficient)


def reversal_schedule(progress: float, steepness: float = 10.0) -> float:
    r"""Coefficient of the reversal in the course of training: 0 at first, so that the adversary learns its part.

    .. math:: \lambda(p) = \frac{2}{1 + e^{-s p}} - 1 = \tanh\frac{s p}{2}

    Args:
        progress: share p of the training that is over, in ``[0, 1]``.
        steepness: s, above 0.

    Returns:
        In ``[0, 1)``, rising; 0.9999 at the end for a steepness of 10.

    Raises:
        ValueError: progress outside ``[0, 1]``, or a steepness that is not above 0.

    Source: Ganin & Lempitsky 2015, Section 4.

    Example:
        >>> [round(reversal_schedule(p), 3) for p in (0.0, 0.1, 0.5, 1.0)]
        [0.0, 0.462, 0.987, 1.0]
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"progress is {progress}; it is the share of training that is over, from 0 to 1")
    if not 0 < steepness < math.inf:
        raise ValueError(f"steepness is {steepness}; it is finite and above 0")
    return math.tanh(steepness * progress / 2)


class AdversaryLoss(nn.Module):
    r"""Cross-entropy of a small net that tells groups (speakers, corpora) from embeddings, reversed.

    .. math:: \frac1N \sum_i -\log \mathrm{softmax}\bigl(h(R_\lambda(z_i))\bigr)_{g_i}, \qquad
              h = \mathrm{Linear} \circ \mathrm{ReLU} \circ \mathrm{Linear}

    One backward pass trains both: the net to tell the groups, and, through
    :func:`reverse_gradient`, the embeddings not to. Add its parameters to the optimizer. While the
    coefficient rises (:func:`reversal_schedule`), its accuracy should fall toward chance; log it from
    :meth:`logits`.

    Args:
        dimensions: of the embeddings.
        classes: how many groups there are, at least 2.
        hidden: width of the net.

    Shape:
        embeddings ``(items, dimensions)``; groups ``(items,)`` whole numbers, -1 where the group is
        unknown; the loss is a scalar, at least 0, in the type of the net, at least float32.

    Raises:
        ValueError: a group outside ``-1..classes - 1``, shapes that do not match, or as
            :func:`reverse_gradient`.

    Warns:
        LeftOutWarning: the group of some items is unknown; the loss is the mean over the others.
        DegenerateBatchWarning: that of all items is; the loss is then 0, with a graph to the net too.

    O(items x hidden x (dimensions + classes)) time. Under ``torch.compile`` there is no graph
    break; groups are then not checked and nobody is warned.

    Source: Ganin & Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", 2015.

    Example:
        >>> adversary = AdversaryLoss(dimensions=8, classes=3)
        >>> z, speakers = torch.randn(4, 8, requires_grad=True), torch.tensor([0, 2, 1, 0])
        >>> adversary(z, speakers, coefficient=reversal_schedule(0.2)).backward()
        >>> accuracy = (adversary.logits(z.detach()).argmax(-1) == speakers).float().mean()
    """

    def __init__(self, dimensions: int, classes: int, hidden: int = 128):
        super().__init__()
        for name, count, least in (("dimensions", dimensions, 1), ("classes", classes, 2), ("hidden", hidden, 1)):
            if count < least:
                raise ValueError(f"{name} is {count}; at least {least}")
        self.dimensions, self.classes = dimensions, classes
        self.inner = nn.Linear(dimensions, hidden)
        self.outer = nn.Linear(hidden, classes)

    def logits(self, embeddings: Tensor) -> Tensor:
        """What the net tells of each item's group, ``(items, classes)``, with no reversal.

        The gradient is the ordinary one; for an accuracy, give detached embeddings.
        """
        check_embeddings("embeddings", embeddings)
        if embeddings.shape[-1] != self.dimensions:
            raise ValueError(
                f"embeddings have {embeddings.shape[-1]} dimensions; the adversary takes {self.dimensions}"
            )
        with torch.autocast(embeddings.device.type, enabled=False):
            return wide(self.outer(self.inner(embeddings.to(self.inner.weight.dtype)).relu()))

    def forward(self, embeddings: Tensor, groups: Tensor, coefficient: float | Tensor = 1.0) -> Tensor:
        groups = group_numbers(embeddings, groups, self.classes)
        check_embeddings("embeddings", embeddings, len(groups))
        look = not torch.compiler.is_compiling()
        known = groups >= 0
        logits = self.logits(reverse_gradient(embeddings, coefficient))
        if look and not known.any():
            # it hangs on the net too, whose gradients other processes would wait for
            return nothing_to_learn(
                logits, "no item's group is known (all are -1)" if len(groups) else "it holds no item"
            )
        if look:
            leave_out(~known, "their group is unknown (-1)")
        with torch.autocast(embeddings.device.type, enabled=False):
            surprise = nn.functional.cross_entropy(logits, groups.long().clamp(min=0), reduction="none")
            return (surprise * known).sum() / known.sum().clamp(min=1)


class ReversedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, coefficient: float | Tensor) -> Tensor:
        ctx.coefficient = None if isinstance(coefficient, Tensor) else coefficient
        ctx.save_for_backward(*([coefficient] if isinstance(coefficient, Tensor) else []))
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        coefficient = ctx.saved_tensors[0] if ctx.coefficient is None else ctx.coefficient
        return gradients[0] * -coefficient, None
