r"""Supervised contrastive loss: items with like labels closer than all others, for hard and for soft labels.

.. math:: L = \frac{1}{|A|} \sum_{i \in A} \frac{-1}{\sum_j w_{ij}} \sum_{j \ne i} w_{ij}
          \log \frac{\exp(z_i \cdot z_j / t)}{\sum_{k \ne i} \exp(z_i \cdot z_k / t)}

*A* are the items that have a positive, that is, a :math:`w_{ij} > 0`. The sum over *j* falls into two:
the logarithm of the denominator, which knows no labels, and the pull towards the mean of the positives,
which for classes needs only the sums over each class. The first is gone through in tiles, the second
costs next to nothing.

Source: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, Eq. 2 (hard labels, all w one).
Graded w, and w that grows across groups, are ours.
"""

import math

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.losses.gradients import needs_gradient, with_gradients
from affectspace.losses.inputs import beside, both_or_neither, check_embeddings
from affectspace.losses.label_similarity import PairWeights, label_similarity
from affectspace.losses.log_sum_exp import LARGEST_EXPONENT, log_sum_exp, log_sum_exp_within
from affectspace.losses.positives import pull_of_classes, pull_of_weights
from affectspace.losses.streamed import comparable

__all__ = ["SupervisedContrastiveLoss"]

_WITHOUT_POSITIVE = "no other item is alike by its label; put several of each class into a batch"


class SupervisedContrastiveLoss(nn.Module):
    """Pulls each item towards those with like labels, and away from all the others (see the formula above).

    Never holds all pairs: the pairs are gone through in tiles, and the value and its gradient come out
    of the same pass. It is differentiable once.

    Args:
        temperature: t, above 0; 0.07 to 0.1 are usual. The lower, the more only the nearest others count.
        similarity: what makes w, the weight of a positive (0: not a positive): ``"same_class"`` (1 if the most
            likely class is the same), ``"agreement"`` (the chance that a rater of one and a rater of the other
            vote alike), ``"chord"``, ``"angle"`` or ``"fisher_rao"`` (max(C - 1, 0) of
            :mod:`affectspace.labels.geometry`), or a function of rows of probabilities ``(b, classes)`` and
            ``(m, classes)`` to ``(b, m)`` weights of 0 or more, which receives no gradient.
        across_groups: positives of another group (language, corpus, speaker) weigh that many times as
            much, so that classes meet across groups; 0 or more; 1: groups do not matter.
        normalise: divide embeddings by their length. A zero vector stays one.

    Shape:
        embeddings ``(items, dimensions)``; targets ``(items,)`` class indices or ``(items, classes)``
        probabilities; groups ``(items,)`` integers; pair_weights ``(items, items)``, any factor of 0 or more
        on w, without a gradient. The loss is a scalar, at least 0 up to rounding, float32 or better.
        With a reference (another modality, a memory bank), positives and all others are rows of it
        (pair_weights are ``(items, rows)``), and it receives its gradient unless it is detached.

    Raises:
        ValueError: arguments out of range, targets that are not probabilities, shapes that do not match, a
            negative weight, groups that are lacking.

    Warns:
        LeftOutWarning: some items have no positive; the loss is the mean over the others.
        DegenerateBatchWarning: no item has one; the loss is then 0, with a graph.

    Cost: time O(items x rows x dimensions); memory two tiles of pairs (2 MiB each on a CPU) and O(items x dimensions);
    the weights of other similarities than classes are computed in stripes of as many pairs.

    Under ``torch.compile`` there is no graph break with class indices and ``"same_class"``, or with targets as
    probabilities; values are not checked then and nobody is warned.

    Example:
        >>> loss = SupervisedContrastiveLoss(temperature=0.1)
        >>> embeddings, classes = torch.eye(2)[[0, 0, 1, 1]], torch.tensor([0, 0, 1, 1])
        >>> round(loss(embeddings, classes).item(), 4)  # log(1 + 2 exp(-10))
        0.0001
        >>> languages = torch.tensor([0, 1, 0, 1])
        >>> loss = SupervisedContrastiveLoss(similarity="agreement", across_groups=2.0)
        >>> votes = torch.tensor([[0.8, 0.2], [0.6, 0.4], [0.2, 0.8], [0.0, 1.0]])
        >>> round(loss(votes - 0.5, votes, groups=languages).item(), 4)
        8.4327
    """

    def __init__(
        self,
        temperature: float = 0.1,
        similarity: str | PairWeights = "same_class",
        across_groups: float = 1.0,
        normalise: bool = True,
    ):
        super().__init__()
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature is {temperature}; expected a number above 0, 0.07 to 0.1 to start with")
        if not 0 <= across_groups < math.inf:
            raise ValueError(f"across_groups is {across_groups}; expected a factor of 0 or more, 1 for no difference")
        self.temperature, self.across_groups, self.normalise = temperature, across_groups, normalise
        self.alike = label_similarity(similarity, _above_neutral)
        self.similarity = similarity  # a function with parameters is a module, and registered as such here

    def extra_repr(self) -> str:
        return (
            f"temperature={self.temperature}, similarity={self.alike.name!r}, "
            f"across_groups={self.across_groups}, normalise={self.normalise}"
        )

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        reference: Tensor | None = None,
        reference_targets: Tensor | None = None,
        *,
        groups: Tensor | None = None,
        reference_groups: Tensor | None = None,
        pair_weights: Tensor | None = None,
    ) -> Tensor:
        both_or_neither(reference, reference_targets)
        labels, other_labels = self.alike.rows(beside(embeddings, targets), reference_targets)
        check_embeddings("embeddings", embeddings, len(labels))
        if reference is not None:
            check_embeddings("reference", reference, len(other_labels))
        groups, other_groups = self._groups(labels, other_labels, groups, reference_groups, reference is None)
        _check_pair_weights(pair_weights, len(labels), len(other_labels))
        if not len(labels) or len(other_labels) <= 1 + (reference is None):  # one to choose is no choice
            return nothing_to_learn(embeddings, "it holds no two items to compare; use larger batches")
        # bfloat16 holds three digits, too few for exponentials
        with torch.autocast(embeddings.device.type, enabled=False):
            z, others = comparable(embeddings, reference, self.normalise)
            with torch.no_grad():
                if self.alike.name == "same_class" and pair_weights is None:
                    pull = pull_of_classes(z, others, labels, other_labels, groups, other_groups, self.across_groups)
                else:
                    facts = labels, other_labels, groups, other_groups, pair_weights
                    pull = pull_of_weights(z, others, lambda rows: self._weights(rows, *facts))
            has_positive = pull[0]
            if not torch.compiler.is_compiling():
                left_out = len(z) - int(has_positive.sum())
                if left_out == len(z):
                    return nothing_to_learn(embeddings, _WITHOUT_POSITIVE)
                if left_out:
                    leave_out(has_positive == 0, _WITHOUT_POSITIVE)
            return self._value(z, others, *pull)

    def _groups(
        self, labels: Tensor, others: Tensor, groups: Tensor | None, other_groups: Tensor | None, own: bool
    ) -> tuple[Tensor | None, Tensor | None]:
        if self.across_groups != 1 and groups is None:
            raise ValueError(
                f"across_groups is {self.across_groups} and there are no groups; give them, or set it to 1"
            )
        if (other_groups is None) != (own or groups is None):
            raise ValueError("groups of the items and of a reference come together; give both, or neither")
        for name, given, rows in (("groups", groups, labels), ("reference_groups", other_groups, others)):
            if given is not None and (given.shape != rows.shape[:1] or given.is_floating_point()):
                raise ValueError(
                    f"{name}: {given.dtype} of shape {tuple(given.shape)}; expected integers ({len(rows)},)"
                )
        if self.across_groups == 1 or groups is None:
            return None, None
        groups = groups.to(labels.device)
        return groups, groups if own or other_groups is None else other_groups.to(labels.device)

    def _weights(
        self,
        rows: slice,
        labels: Tensor,
        other_labels: Tensor,
        groups: Tensor | None,
        other_groups: Tensor | None,
        pair_weights: Tensor | None,
    ) -> Tensor:
        """The w of some items with all others."""
        w = self.alike.block(labels[rows], other_labels)
        if pair_weights is not None:
            w = w * pair_weights[rows]
        if groups is not None and other_groups is not None:
            w = torch.where(groups[rows, None] == other_groups, w, w * self.across_groups)
        if not torch.compiler.is_compiling() and (w < 0).any():
            raise ValueError(f"a pair weighs {w.min().item():.4g} as a positive; weights are 0 or more")
        return w

    def _value(self, z: Tensor, others: Tensor | None, has_positive: Tensor, pull: Tensor, back: Tensor) -> Tensor:
        graph, t = needs_gradient(z, others), self.temperature
        with torch.no_grad():
            count = has_positive.sum().clamp(min=1)
            if others is None and self.normalise and 1 / t <= LARGEST_EXPONENT:
                value, by_z, by_others = log_sum_exp_within(z, has_positive / count, t, graph)
            else:
                value, by_z, by_others = log_sum_exp(z, others, has_positive / count, t, graph)
            value = value - (z * pull).sum() / (count * t)
            if not graph:
                return value
            by_z -= pull / count
            by_others -= back / count
        if others is None:
            return with_gradients(value, [by_z.div_(t)], [z])
        return with_gradients(value, [by_z.div_(t), by_others.div_(t)], [z, others])


def _check_pair_weights(weights: Tensor | None, items: int, rows: int) -> None:
    if weights is None:
        return
    if weights.shape != (items, rows):
        raise ValueError(f"pair_weights have shape {tuple(weights.shape)}; expected {(items, rows)}, a row an item")
    if weights.requires_grad:
        raise ValueError("pair_weights require a gradient, and receive none from this loss; detach them")


def _above_neutral(c: Tensor) -> Tensor:
    # what rounding leaves of neutral pairs is no positive
    return torch.threshold_(c - 1, 16 * torch.finfo(c.dtype).eps, 0.0)
