"""What the best linear classifier tells of groups, in closed form: embeddings are trained not to tell it."""

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.losses.inputs import beside, check_embeddings, group_numbers, wide

__all__ = ["LinearAdversaryLoss"]

RIDGE = 0.1  # of the variance of each dimension: a direction along which almost nothing varies counts for little


class LinearAdversaryLoss(nn.Module):
    r"""How well groups (speakers, corpora) can be told linearly: the mean squared canonical correlation.

    With :math:`N_g` items of group g, their means :math:`m_g`, the mean of all :math:`m`, and :math:`T` the scatter
    of all items around it,

    .. math:: \frac{1}{\min(G - 1, D)} \mathrm{tr}\bigl[(T + \lambda \operatorname{diag} T)^{-1} B\bigr], \qquad
              B = \sum_g N_g (m_g - m)(m_g - m)^\top, \quad \lambda = 0.1

    which is Pillai's trace, with a ridge, over the largest that it can be. It is what the linear classifier that is
    best *now* explains of the groups, so that no classifier has to be trained and none lags behind; and no dimension
    is told less of by being made smaller, as the unit of each cancels. Both are what an
    :class:`affectspace.losses.adversary.AdversaryLoss` can be fooled by.

    Where groups differ in their classes, as speakers do who are heard in one emotion alone, an embedding that tells
    classes tells groups, and to hide these is to hide those. With ``target_classes`` only what the class does not tell
    counts, as in an analysis of covariance: with the scatter of embeddings z and targets y together, within groups
    :math:`W` and of all :math:`T = W + B`, the targets are partialled out of both,

    .. math:: S_{|y} = S_{zz} - S_{zy} S_{yy}^{+} S_{yz} \quad (S = W, T), \qquad
              \frac{1}{\min(G - 1, D)} \mathrm{tr}\bigl[(T_{|y} + \lambda \operatorname{diag} T_{|y})^{-1}
              (T_{|y} - W_{|y})\bigr]

    the partial canonical correlations of embeddings and groups, given the class. A group that only its class tells
    costs nothing.

    A batch holds too few items for a scatter of many dimensions. While training, counts, means and scatter are those of
    the batch and of the batches before it, which weigh the less the older they are; the gradient is that of the batch,
    as large as though it were all there is. In evaluation mode a batch is looked at beside them, and not remembered.

    Args:
        dimensions: of the embeddings.
        classes: how many groups there are, at least 2.
        memory: over how many items the weight of earlier ones falls to 1/e; some eight times the dimensions, and less
            than an epoch, as a net that changes leaves them behind. 0: only the batch counts, a large one.
        target_classes: how many classes the targets have that are partialled out; 0: there are no targets.

    Shape:
        embeddings ``(items, dimensions)``; groups ``(items,)`` whole numbers, -1 where the group is unknown; targets
        ``(items,)`` class indices or ``(items, target_classes)`` probabilities, given if there are ``target_classes``;
        the loss is a scalar in ``[0, 1)``, float32 or better. What it remembers is in ``state_dict()``, and stays
        float32 or better in a net of half precision.

    Raises:
        ValueError: a group outside ``-1..classes - 1``, shapes that do not match, targets as
            :func:`affectspace.labels.distribution.as_distribution`, or some that are missing or unasked for.

    Warns:
        LeftOutWarning: the group of some items is unknown; they count for nothing.
        DegenerateBatchWarning: that of all items is, or with those remembered there are no two groups, or no two items
            of one; the loss is then 0.

    O(items x dimensions² + dimensions³ + classes x dimensions²) time. Under ``torch.compile`` there is no graph break;
    groups are then not checked and nobody is warned. It hides what is linear: a net may still tell the rest.

    Source: Pillai, "Some New Test Criteria in Multivariate Analysis", 1955 (the trace); Rao, "Partial Canonical
    Correlations", 1969 (given the class); means and scatters are put together as in Chan, Golub & LeVeque, "Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.

    Example:
        >>> adversary = LinearAdversaryLoss(dimensions=1, classes=2)
        >>> z = torch.tensor([[0.0], [0.0], [1.0], [1.0]], requires_grad=True)
        >>> round(adversary(z, torch.tensor([0, 0, 1, 1])).item(), 3)  # 1 / (1 + ridge)
        0.909
        >>> given = LinearAdversaryLoss(dimensions=1, classes=2, target_classes=2)
        >>> abs(round(given(z, torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1])).item(), 3))  # the class tells it
        0.0
    """

    counts: Tensor
    means: Tensor
    scatter: Tensor

    def __init__(self, dimensions: int, classes: int, memory: int = 1024, target_classes: int = 0):
        super().__init__()
        for name, count, least in (
            ("dimensions", dimensions, 1), ("classes", classes, 2), ("memory", memory, 0),
            ("target_classes", target_classes, 0),
        ):  # fmt: skip
            if count < least:
                raise ValueError(f"{name} is {count}; at least {least}")
        self.dimensions, self.classes, self.memory, self.target_classes = dimensions, classes, memory, target_classes
        both = dimensions + max(target_classes - 1, 0)
        self.register_buffer("counts", torch.zeros(classes))
        self.register_buffer("means", torch.zeros(classes, both))  # of embeddings, and of classes beside them
        self.register_buffer("scatter", torch.zeros(both, both))  # around the means of the groups

    def extra_repr(self) -> str:
        return (
            f"dimensions={self.dimensions}, classes={self.classes}, memory={self.memory}, "
            f"target_classes={self.target_classes}"
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moved as any module is, but sums over many items are not held in half precision."""
        before = dict(self.named_buffers())
        super()._apply(fn, recurse)
        for name, now in list(self.named_buffers()):
            if now.dtype in (torch.float16, torch.bfloat16):
                setattr(self, name, before[name].to(now.device))
        return self

    @torch.no_grad()
    def logits(self, embeddings: Tensor) -> Tensor:
        """What can be told of each item's group by what is remembered, ``(items, classes)``; no gradient flows.

        Linear discriminant analysis with equal priors; -inf for groups that were never seen, 0 before any was.
        """
        self._check(embeddings)
        with torch.autocast(embeddings.device.type, enabled=False):
            z, own = wide(embeddings), slice(self.dimensions)
            remembered = (self.counts, self.means[:, own], self.scatter[own, own])
            counts, means, within = (each.to(z.dtype) for each in remembered)
            between = _between(counts, means)
            scale, spread = _standardised(within + between, counts, means)
            # of the scatter within groups, in units of that of all
            weights = torch.linalg.solve_ex(
                spread - between * scale * scale[:, None] + _ridge(spread), (means * scale).T
            )[0]
            told = (z * scale) @ weights * counts.sum() - 0.5 * counts.sum() * ((means * scale) * weights.T).sum(1)
            return torch.where((counts > 0) | (counts.sum() == 0), told, -math.inf)

    def forward(self, embeddings: Tensor, groups: Tensor, targets: Tensor | None = None) -> Tensor:
        groups = group_numbers(embeddings, groups, self.classes)
        self._check(embeddings, len(groups))
        look = not torch.compiler.is_compiling()
        known = groups >= 0
        beside_them = self._targets(embeddings, targets)
        if look and not known.any():
            return nothing_to_learn(
                embeddings, "no item's group is known (all are -1)" if len(groups) else "it holds no item"
            )
        if look:
            leave_out(~known, "their group is unknown (-1)")
        with torch.autocast(embeddings.device.type, enabled=False):
            z = wide(embeddings)
            x = z if beside_them is None else torch.cat([z, beside_them.to(z.dtype)], 1)
            member = nn.functional.one_hot(groups.clamp(min=0), self.classes).to(z.dtype) * known[:, None]
            own = member.sum(0)
            centres = member.T @ x / own.clamp(min=1)[:, None]
            inside = (x - centres[groups.clamp(min=0)]) * known[:, None]
            counts, means, within = self._with_earlier(own, centres, inside.T @ inside)
            if look and ((counts > 0).sum() < 2 or counts.max() <= 1):
                few = "one group alone" if counts.max() > 1 else "one item of each group"
                return nothing_to_learn(z, f"with what is remembered there is {few}; use batches with several of each")
            between, total, size = _between(counts, means), counts.sum(), self.dimensions
            inner, outer = (_told_by_targets(each, size, total) for each in (within, within + between))
            between = between[:size, :size] + inner - outer  # T|y - W|y, where B is no difference of large numbers
            scale, spread = _standardised(within[:size, :size] - inner + between, counts, means[:, :size], outer)
            if look and not scale.any():
                return nothing_to_learn(z, f"all embeddings {'of a class ' if self.target_classes else ''}are alike")
            told = torch.linalg.solve_ex(spread + _ridge(spread), between * scale * scale[:, None])[0]
            value = told.diagonal().sum() / min(self.classes - 1, self.dimensions)
            # the batch is a part of all items that are looked at; its gradient is to be that of all of them
            return value + (value - value.detach()) * (total / own.sum().clamp(min=1) - 1)

    def _check(self, embeddings: Tensor, items: int | None = None) -> None:
        check_embeddings("embeddings", embeddings, items)
        if embeddings.shape[-1] != self.dimensions:
            raise ValueError(
                f"embeddings have {embeddings.shape[-1]} dimensions; the adversary takes {self.dimensions}"
            )

    def _targets(self, embeddings: Tensor, targets: Tensor | None) -> Tensor | None:
        """What each probability has over the last one, a row for each embedding: as they sum to one, that is all."""
        if (targets is not None) != bool(self.target_classes):
            given = "there are none" if targets is None else "targets are given"
            raise ValueError(f"target_classes is {self.target_classes} and {given}; give both, or neither")
        if targets is None:
            return None
        rows = as_distribution(beside(embeddings, targets), self.target_classes)
        check_embeddings("embeddings", embeddings, len(rows))
        return rows[:, :-1] - rows[:, -1:]

    def _with_earlier(self, own: Tensor, centres: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Counts, means and the scatter within groups, of the batch and of what is remembered."""
        before, there, around = (each.detach().clone().to(inside.dtype) for each in self._remembered())
        kept = torch.exp(-own.sum() / self.memory) if self.memory else torch.zeros_like(own.sum())
        before, around = before * kept, around * kept
        counts = before + own
        share = own / counts.clamp(min=torch.finfo(counts.dtype).tiny)
        apart = centres - there
        means = there + share[:, None] * apart
        within = around + inside + (apart * (before * share)[:, None]).T @ apart
        if self.training:
            # a batch that is not finite is told by its loss, and must not spoil all that come
            finite = means.isfinite().all() & within.isfinite().all()
            for buffer, now in zip(self._remembered(), (counts, means, within)):
                buffer.copy_(torch.where(finite, now.detach(), buffer))
        return counts, means, within

    def _remembered(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.counts, self.means, self.scatter


def _standardised(scatter: Tensor, counts: Tensor, means: Tensor, taken: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """One over the root of each dimension's scatter, and the correlations; ``taken``: what was partialled out of it."""
    total = counts.sum()
    own = scatter.diagonal()
    centre = counts @ means / total.clamp(min=1)
    least = total * (1e-5 * centre).square() + 1e-20
    if taken is not None:
        least = least + 1e-5 * taken.diagonal().detach()  # what is left of it by rounding
    live = ~(own <= least)  # what never varies says nothing; NaN is not hidden
    scale = torch.where(live, torch.where(live, own, 1).rsqrt(), 0)
    return scale, scatter * scale * scale[:, None]


def _told_by_targets(scatter: Tensor, dimensions: int, total: Tensor) -> Tensor:
    """Of a scatter of embeddings with targets beside them, what the targets explain of that of the embeddings."""
    across, own = scatter[:dimensions, dimensions:], scatter[dimensions:, dimensions:]
    # a class may be absent, and groups have one class alone: what is singular says nothing
    least = 8 * torch.finfo(own.dtype).eps * total * torch.eye(len(own), dtype=own.dtype, device=own.device)
    return across @ torch.linalg.solve_ex(own + least, across.T)[0]


def _between(counts: Tensor, means: Tensor) -> Tensor:
    """The scatter of the groups' means."""
    apart = means - counts @ means / counts.sum().clamp(min=1)
    return (apart * counts[:, None]).T @ apart


def _ridge(like: Tensor) -> Tensor:
    return RIDGE * torch.eye(len(like), dtype=like.dtype, device=like.device)
