"""Pseudo-labels: unlabelled items are taught the class that the net itself finds most likely."""

from torch import Tensor, nn

from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.inputs import wide
from affectspace.losses.softmax import log_softmax, softmax

__all__ = ["PseudoLabelLoss", "confident"]


def confident(logits: Tensor, threshold: float = 0.95) -> Tensor:
    """Which items' most likely class has a probability of the threshold or more: those that pseudo-labels teach.

    Log its mean beside the loss: the share begins low and rises, and a share near 1 from the start says that the
    threshold lets everything through.

    Args:
        logits: ``(items, classes)`` floating point, worked on in float32 or better.
        threshold: from 0 (every item) to 1.

    Returns:
        ``(items,)`` bool; False for an item with NaN.

    Raises:
        ValueError: a threshold outside 0 to 1, or logits of another shape or type.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[4.0, 0.0], [1.0, 0.0]])  # 0.98 and 0.73 of the first class
        >>> confident(logits, 0.95)
        tensor([ True, False])
    """
    _check(logits, threshold)
    return softmax(wide(logits.detach())).amax(-1) >= threshold


class PseudoLabelLoss(nn.Module):
    r"""Cross-entropy with the class that the net itself finds most likely, over the items of which it is sure.

    .. math:: \frac1N \sum_i 1\!\left[\max_c q_i^c \geq \tau\right] \cdot -\log \mathrm{softmax}(x_i)_{\arg\max_c q_i^c}

    with :math:`q = \mathrm{softmax}(\text{taught\_by})`, through which no gradient flows. It is divided by **all** N
    items and not by those that count, so that it weighs little while the net is sure of few. Lee's form has a threshold
    of 0 and teaches each item by itself; FixMatch has 0.95, the default, and ``taught_by`` from a weakly changed view
    of the items whose strongly changed view gives the logits. Of equally likely classes the first is taken.

    That no item reaches the threshold is ordinary at the start: the loss is then 0, with a graph and without a warning.
    :func:`confident` says which do.

    Args:
        threshold: :math:`\tau`, from 0 (every item counts) to 1.

    Shape:
        logits ``(items, classes)`` of unlabelled items; taught_by the same shape, row i of the same item, None: the
        logits themselves. The loss is a scalar of 0 or more, in float32 or better.

    Raises:
        ValueError: a threshold outside 0 to 1, or shapes that do not match.

    Warns:
        DegenerateBatchWarning: there are no items, or a single class; the loss is then 0, with a graph.

    Cost: a few tensors of items x classes. It traces under ``torch.compile`` without a graph break.

    Source: Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks",
    2013; Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence", 2020, Eq. 4.

    Example:
        >>> import torch
        >>> loss = PseudoLabelLoss(threshold=0.9)
        >>> strong, weak = torch.zeros(2, 4), torch.tensor([[9.0, 0, 0, 0], [1.0, 0, 0, 0]])
        >>> round(loss(strong, taught_by=weak).item(), 4)  # log 4 of the first, over both
        0.6931
    """

    def __init__(self, threshold: float = 0.95):
        super().__init__()
        _check_threshold(threshold)
        self.threshold = threshold

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"

    def forward(self, logits: Tensor, taught_by: Tensor | None = None) -> Tensor:
        teacher = logits if taught_by is None else taught_by
        for given in (logits, teacher):
            _check(given, self.threshold)
        if logits.shape != teacher.shape:
            raise ValueError(
                f"logits have shape {tuple(logits.shape)} and taught_by {tuple(teacher.shape)}; expected the same, "
                "a row an item"
            )
        if not len(logits):
            return nothing_to_learn(logits, "it holds no item")
        if logits.shape[1] == 1:
            return nothing_to_learn(logits, "there is a single class, which every prediction hits")
        likely, taught = softmax(wide(teacher.detach())).max(-1)
        costs = -log_softmax(wide(logits)).gather(-1, taught.unsqueeze(-1)).squeeze(-1)
        costs = costs + 0 * likely  # a teacher's NaN is not hidden
        unsure = (likely < self.threshold) & ~costs.isnan()
        return costs.masked_fill(unsure, 0).sum() / len(logits)


def _check(logits: Tensor, threshold: float) -> None:
    _check_threshold(threshold)
    if logits.ndim != 2 or not logits.is_floating_point():
        given = f"{logits.dtype} of shape {tuple(logits.shape)}"
        raise ValueError(f"logits are {given}; expected floating point (items, classes)")


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; expected a probability, from 0 (every item counts) to 1")
