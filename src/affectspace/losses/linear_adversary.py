"""What the best linear classifier tells of groups, in closed form: embeddings are trained not to tell it."""

import math

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.losses.inputs import check_embeddings, group_numbers, wide

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

    A batch holds too few items for a scatter of many dimensions. While training, counts, means and scatter are those of
    the batch and of the batches before it, which weigh the less the older they are; the gradient is that of the batch,
    as large as though it were all there is. In evaluation mode a batch is looked at beside them, and not remembered.

    Args:
        dimensions: of the embeddings.
        classes: how many groups there are, at least 2.
        memory: over how many items the weight of earlier ones falls to 1/e; some eight times the dimensions, and less
            than an epoch, as a net that changes leaves them behind. 0: only the batch counts, a large one.

    Shape:
        embeddings ``(items, dimensions)``; groups ``(items,)`` whole numbers, -1 where the group is unknown; the loss
        is a scalar in ``[0, 1)``, float32 or better. What it remembers is in ``state_dict()``.

    Raises:
        ValueError: a group outside ``-1..classes - 1``, or shapes that do not match.

    Warns:
        LeftOutWarning: the group of some items is unknown; they count for nothing.
        DegenerateBatchWarning: that of all items is, or with those remembered there are no two groups, or no two items
            of one; the loss is then 0.

    O(items x dimensions² + dimensions³ + classes x dimensions²) time. Under ``torch.compile`` there is no graph break;
    groups are then not checked and nobody is warned. It hides what is linear: a net may still tell the rest.

    Source: Pillai, "Some New Test Criteria in Multivariate Analysis", 1955 (the trace); means and scatters are put
    together as in Chan, Golub & LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
    1979.

    Example:
        >>> adversary = LinearAdversaryLoss(dimensions=1, classes=2)
        >>> z = torch.tensor([[0.0], [0.0], [1.0], [1.0]], requires_grad=True)
        >>> round(adversary(z, torch.tensor([0, 0, 1, 1])).item(), 3)  # 1 / (1 + ridge)
        0.909
    """

    counts: Tensor
    means: Tensor
    scatter: Tensor

    def __init__(self, dimensions: int, classes: int, memory: int = 1024):
        super().__init__()
        for name, count, least in (("dimensions", dimensions, 1), ("classes", classes, 2), ("memory", memory, 0)):
            if count < least:
                raise ValueError(f"{name} is {count}; at least {least}")
        self.dimensions, self.classes, self.memory = dimensions, classes, memory
        self.register_buffer("counts", torch.zeros(classes))
        self.register_buffer("means", torch.zeros(classes, dimensions))
        self.register_buffer("scatter", torch.zeros(dimensions, dimensions))  # around the means of the groups

    def extra_repr(self) -> str:
        return f"dimensions={self.dimensions}, classes={self.classes}, memory={self.memory}"

    @torch.no_grad()
    def logits(self, embeddings: Tensor) -> Tensor:
        """What can be told of each item's group by what is remembered, ``(items, classes)``; no gradient flows.

        Linear discriminant analysis with equal priors; -inf for groups that were never seen, 0 before any was.
        """
        self._check(embeddings)
        with torch.autocast(embeddings.device.type, enabled=False):
            z = wide(embeddings)
            counts, means, within = (each.to(z.dtype) for each in (self.counts, self.means, self.scatter))
            scale, spread, _ = _standardised(counts, means, within)
            # of the scatter within groups, in units of that of all
            weights = torch.linalg.solve_ex(
                spread - _between(counts, means, scale) + _ridge(spread), (means * scale).T
            )[0]
            told = (z * scale) @ weights * counts.sum() - 0.5 * counts.sum() * ((means * scale) * weights.T).sum(1)
            return torch.where((counts > 0) | (counts.sum() == 0), told, -math.inf)

    def forward(self, embeddings: Tensor, groups: Tensor) -> Tensor:
        groups = group_numbers(embeddings, groups, self.classes)
        self._check(embeddings, len(groups))
        look = not torch.compiler.is_compiling()
        known = groups >= 0
        if look and not known.any():
            return nothing_to_learn(
                embeddings, "no item's group is known (all are -1)" if len(groups) else "it holds no item"
            )
        if look:
            leave_out(~known, "their group is unknown (-1)")
        with torch.autocast(embeddings.device.type, enabled=False):
            z = wide(embeddings)
            member = nn.functional.one_hot(groups.clamp(min=0), self.classes).to(z.dtype) * known[:, None]
            own = member.sum(0)
            centres = member.T @ z / own.clamp(min=1)[:, None]
            inside = (z - centres[groups.clamp(min=0)]) * known[:, None]
            counts, means, within = self._with_earlier(own, centres, inside.T @ inside)
            if look and ((counts > 0).sum() < 2 or counts.max() <= 1):
                few = "one group alone" if counts.max() > 1 else "one item of each group"
                return nothing_to_learn(z, f"with what is remembered there is {few}; use batches with several of each")
            scale, spread, total = _standardised(counts, means, within)
            if look and not scale.any():
                return nothing_to_learn(z, "all embeddings are alike")
            told = torch.linalg.solve_ex(spread + _ridge(spread), _between(counts, means, scale))[0]
            value = told.diagonal().sum() / min(self.classes - 1, self.dimensions)
            # the batch is a part of all items that are looked at; its gradient is to be that of all of them
            return value + (value - value.detach()) * (total / own.sum().clamp(min=1) - 1)

    def _check(self, embeddings: Tensor, items: int | None = None) -> None:
        check_embeddings("embeddings", embeddings, items)
        if embeddings.shape[-1] != self.dimensions:
            raise ValueError(
                f"embeddings have {embeddings.shape[-1]} dimensions; the adversary takes {self.dimensions}"
            )

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


def _standardised(counts: Tensor, means: Tensor, within: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One over the root of each dimension's scatter, the correlations of all items, and how many these are."""
    total = counts.sum()
    scatter = within + _between(counts, means, torch.ones_like(means[0]))
    own = scatter.diagonal()
    centre = counts @ means / total.clamp(min=1)
    live = ~(own <= total * (1e-5 * centre).square() + 1e-20)  # what never varies says nothing; NaN is not hidden
    scale = torch.where(live, torch.where(live, own, 1).rsqrt(), 0)
    return scale, scatter * scale * scale[:, None], total


def _between(counts: Tensor, means: Tensor, scale: Tensor) -> Tensor:
    """The scatter of the groups' means, in these units."""
    apart = (means - counts @ means / counts.sum().clamp(min=1)) * scale
    return (apart * counts[:, None]).T @ apart


def _ridge(like: Tensor) -> Tensor:
    return RIDGE * torch.eye(len(like), dtype=like.dtype, device=like.device)
