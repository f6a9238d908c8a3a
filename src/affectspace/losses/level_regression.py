"""Regression on the level: the squared error of a linear output, for nets that end in one output a class."""

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.inputs import beside, wide

__all__ = ["LevelRegressionLoss", "level_logits", "regressed_level"]


def level_logits(levels: Tensor, classes: int) -> Tensor:
    r"""Regressed levels as logits, of which the largest is that of the nearest class: :math:`-\tfrac12 (i - v)^2`.

    Their softmax is a bell of unit variance around the level, cut at the ends. It says where the level lies; how wide
    it is has not been learned.

    Args:
        levels: ``(items,)`` numbers on the scale of class indices, of any size.
        classes: how many there are.

    Returns:
        ``(items, classes)`` in float32 or better.

    Example:
        >>> level_logits(torch.tensor([1.6, -3.0, 9.0]), classes=4).argmax(-1)
        tensor([2, 0, 3])
    """
    levels = wide(levels)
    return -0.5 * (torch.arange(classes, device=levels.device) - levels.unsqueeze(-1)).square()


def regressed_level(logits: Tensor) -> Tensor:
    r"""The level whose :func:`level_logits` are nearest to the logits, up to a constant; linear in them.

    .. math:: v = \bar\imath + \frac{\sum_i (i - \bar\imath)\, x_i}{\sum_i (i - \bar\imath)^2}, \qquad
        \bar\imath = \tfrac{C - 1}{2}

    Args:
        logits: ``(items, classes)``, two classes or more; or ``(items, 1)``, whose single output is the level.

    Returns:
        ``(items,)`` in float32 or better, on the scale of class indices; it may lie outside of ``0..classes - 1``.

    Example:
        >>> regressed_level(level_logits(torch.tensor([1.6, -3.0]), classes=4))
        tensor([ 1.6000, -3.0000])
    """
    logits = wide(logits)
    if logits.shape[-1] == 1:
        return logits.squeeze(-1)
    steps = _steps(logits)
    # not a matrix product, which autocast would narrow
    return (logits * steps).sum(-1) / steps.square().sum() + (logits.shape[-1] - 1) / 2


class LevelRegressionLoss(nn.Module):
    r"""L2 regression on the class index (the paper's REG), as a loss on logits.

    .. math:: \frac1N \sum_n \Big[ (v_n - y_n)^2 + \frac{1}{S} \big\lVert x_n - \bar x_n - g(v_n) \big\rVert^2 \Big],
        \qquad y_n = \sum_i i\, t_{ni}, \quad S = \sum_i (i - \bar\imath)^2

    with *v* the :func:`regressed_level` of the logits *x* and *g(v)* its :func:`level_logits` less their mean. The
    first term is the regression. The second holds the remaining outputs to those logits, so that the most likely class
    is *v* rounded; a linear last layer can make it 0 for every item, so the best net is that of the first term alone.
    Both together are the squared distance of the centred logits from those of the truth: what a classifier becomes when
    its outputs are made linear and taught by L2. A net with a single output is taught by the first term alone.

    A baseline: it takes neighbouring levels to be equally far apart, and far misses dominate it. For levels begin with
    :class:`affectspace.losses.ordered_emd.OrderedEMDLoss`.

    Shape:
        logits ``(items, classes)``, or ``(items, 1)``, of which :func:`level_logits` makes logits for the classes;
        targets ``(items,)`` class indices or ``(items, classes)`` probabilities, of which the expected index is taken;
        the loss is a scalar of 0 or more, in float32 or better.

    Raises:
        ValueError: shapes that do not match, or targets that are not probabilities. (Beside a single output, how
            large a class index may be is not known, and only a negative one is refused.)

    Warns:
        DegenerateBatchWarning: there are no items, or a single class; the loss is then 0, with a graph.

    Cost: a few tensors of items x classes. It traces under ``torch.compile`` without a graph break; the targets'
    values are not checked there.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural Networks", 2016,
    Sec. 4.3, which trains a net of linear outputs; the term that makes the other outputs follow is ours.

    Example:
        >>> loss = LevelRegressionLoss()
        >>> logits = level_logits(torch.tensor([0.5, 3.0]), classes=4)
        >>> loss(logits, torch.tensor([0, 3]))  # half a level off, and none: the mean of 0.25 and 0
        tensor(0.1250)
        >>> loss(torch.tensor([[0.5], [3.0]]), torch.tensor([0, 3]))  # the same of a single output
        tensor(0.1250)
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        targets = beside(logits, targets)
        if logits.ndim != 2 or not logits.is_floating_point() or targets.shape[:1] != logits.shape[:1]:
            given = f"{logits.dtype} of shape {tuple(logits.shape)} for targets of shape {tuple(targets.shape)}"
            raise ValueError(f"logits are {given}; expected floating point (items, classes), a row a target")
        outputs = logits.shape[1]
        truth, classes = _true_levels(targets, outputs)
        if not len(logits):
            return nothing_to_learn(logits, "it holds no item")
        if classes == 1:
            return nothing_to_learn(logits, "there is a single class, whose level every prediction hits")
        if outputs == 1:
            return (wide(logits).squeeze(-1) - truth).square().mean()
        rows, steps = wide(logits), _steps(logits)
        bell = -0.5 * steps.square()
        # -(i - y)^2 / 2 less its mean over i: a parabola that all items share, and a slope for each
        wanted = (bell - bell.mean()) + (truth - (outputs - 1) / 2).unsqueeze(-1) * steps
        gaps = rows - rows.mean(-1, keepdim=True) - wanted
        return gaps.square().sum() / (steps.square().sum() * len(logits))


def _steps(logits: Tensor) -> Tensor:
    """The class indices less their mean."""
    classes = logits.shape[-1]
    kind = torch.promote_types(logits.dtype, torch.float32)
    return torch.arange(classes, dtype=kind, device=logits.device) - (classes - 1) / 2


def _true_levels(targets: Tensor, outputs: int) -> tuple[Tensor, int | None]:
    """The expected level of each target, and how many classes there are, None where nobody says."""
    hard = targets.ndim == 1 and not targets.is_floating_point()
    if hard and outputs == 1:
        if not torch.compiler.is_compiling() and (targets < 0).any():
            raise ValueError(f"class {targets.min().item()} is negative; classes are whole numbers of 0 or more")
        return targets.float(), None
    rows = as_distribution(targets, outputs if outputs > 1 or targets.ndim != 2 else targets.shape[1])
    return (rows * torch.arange(rows.shape[1], device=rows.device)).sum(-1), rows.shape[1]
