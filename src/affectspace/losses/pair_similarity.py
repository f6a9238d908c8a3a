r"""f-Similarity Preservation over the pairs of a batch, or over triplets that a sampler drew.

The pairs are **balanced**: similarities above and below neutral weigh the same,

.. math:: \sum_p w_p\,(C_p - 1) = 0, \qquad \sum_p w_p = 1

What that buys, and what it does not:

* It is *not* needed for S = C. Each pair costs a Bregman divergence, at least 0 and 0 only at
  S = C, so embeddings that can reach S = C on all pairs minimise every weighting of them.
* It makes neutral the zero of learning. Of all embeddings that find every pair equally alike, the
  best has S = mean of C under the weights, for every f, and
  :math:`\sum_p w_p\,\mathrm{fSPL}(s, C_p) = \sum_p w_p\,\mathrm{fSPL}(\bar C, C_p) + \mathrm{fSPL}(s, \bar C)`.
  Balanced, :math:`\bar C` is 1: telling nothing costs the f-divergence :math:`D_f(C \Vert 1)` of
  similarity from the uniform distribution over the pairs, which is the information in them and the
  value that the theorem of the paper names; and mapping every item to one point (S = 2) costs
  fSPL(2, 1) on top, however lopsided the labels. Unweighted, where most pairs are alike, that
  collapse is nearly free.
* Where S = C cannot be reached (see :mod:`affectspace.labels.geometry`), or not yet, the weights
  share out the error: balanced, the rarer side is not given up for the more frequent one.

Source of the loss, the triplets and the theorem: Zhang, Kong, Essl & Mower Provost, AAAI 2019.
Weighting all pairs of a batch instead of drawing triplets is ours.
"""

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.labels.geometry import geometry as geometry_named
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.divergences import ConvexFunction, Divergence, divergence, f_spl

__all__ = ["InBatchFSimilarityLoss", "TripletFSimilarityLoss", "balanced_pair_weights"]


def balanced_pair_weights(c: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Weights of pairs under which their similarity is neutral on average.

    Pairs above 1 share one factor and pairs below 1 another; neutral pairs keep 1 / (number of
    pairs), and so the other pairs together keep their share:

    .. math:: w_p \propto B \;(C_p > 1), \quad A \;(C_p < 1), \qquad
              A = \sum_{C_p > 1} (C_p - 1), \quad B = \sum_{C_p < 1} (1 - C_p)

    Pairs within rounding of 1 count as neutral.

    Args:
        c: similarities of labels, any shape, in ``[0, 2]``.
        mask: True for the pairs that count, same shape; None: all.

    Returns:
        Weights, shape of ``c``, at least 0, summing to one, with :math:`\sum_p w_p (C_p - 1) = 0`
        to rounding. All zero where no weights can do that: no pairs, or none on one of the sides.

    Example:
        >>> balanced_pair_weights(torch.tensor([2.0, 1.5, 1.5, 0.0, 1.0]))
        tensor([0.1600, 0.1600, 0.1600, 0.3200, 0.2000])
    """
    c = c.detach()
    if mask is None:
        mask = torch.ones_like(c, dtype=torch.bool)
    excess = torch.where(mask, c - 1, 0)
    neutral = excess.abs() <= 16 * torch.finfo(c.dtype).eps
    above, below = mask & ~neutral & (excess > 0), mask & ~neutral & (excess < 0)
    a, b = (excess * above).sum(), -(excess * below).sum()
    n_above, n_below, n = above.sum(), below.sum(), mask.sum()
    factor_of = n_above * b + n_below * a
    scale = (n_above + n_below) / factor_of.masked_fill(factor_of == 0, 1.0)
    weights = above * (b * scale) + below * (a * scale) + (mask & neutral)
    possible = ((n_above == 0) == (n_below == 0)) & (n > 0)
    weights = torch.where(possible | a.isnan() | b.isnan(), weights / n.clamp(min=1), 0.0)
    return weights.to(c.dtype)


class InBatchFSimilarityLoss(nn.Module):
    """f-Similarity Preservation over all pairs of a batch, weighted so that they balance.

    Needs no triplets: every pair of different items takes part, at one forward pass an item. Two
    times the weighted mean, so that it compares with :class:`TripletFSimilarityLoss`, which adds
    up two pairs an anchor.

    Args:
        f: ``"kl"``, ``"reverse_kl"``, ``"pearson"``, ``"squared_hellinger"``, ``"jensen_shannon"``,
            or your own convex function of a tensor (it needs a second derivative).
        geometry: ``"chord"`` (the paper), ``"angle"`` or ``"fisher_rao"``, see
            :mod:`affectspace.labels.geometry`.

    Shape:
        embeddings ``(items, dimensions)``, entries 0 or more; targets ``(items,)`` class indices or
        ``(items, classes)`` probabilities; the loss is a scalar, at least 0, float32 or better.
        With a reference (embeddings of another modality, a memory bank), the pairs are those of
        each item with each row of the reference, which receives a gradient unless detached.

    Raises:
        ValueError: a negative entry, targets that are not probabilities, shapes that do not match.

    Warns:
        DegenerateBatchWarning: the pairs cannot be balanced (fewer than two items, or all pairs on
            one side of neutral); the loss is then 0, with a graph.

    Under ``torch.compile`` there is no graph break with targets as probabilities (class indices are
    counted first), but values are not checked and the warning is not given.

    Example:
        >>> loss = InBatchFSimilarityLoss("kl", "fisher_rao")
        >>> votes = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.5, 0.5], [0.0, 1.0]])
        >>> loss(votes.sqrt(), votes).item() < 1e-6
        True
    """

    def __init__(self, f: str | ConvexFunction | Divergence = "kl", geometry: str = "chord"):
        super().__init__()
        self.divergence = divergence(f)
        self.geometry = geometry_named(geometry)
        self.f = f  # a function with parameters is a module, and registered as such here

    def extra_repr(self) -> str:
        return f"f={self.divergence.name!r}, geometry={self.geometry.name!r}"

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        reference: Tensor | None = None,
        reference_targets: Tensor | None = None,
    ) -> Tensor:
        if (reference is None) != (reference_targets is None):
            raise ValueError("a reference needs both its embeddings and its targets; give the two, or neither")
        classes = _count_classes(targets, reference_targets)
        labels = _rows("embeddings", embeddings, as_distribution(targets, classes))
        # bfloat16 holds three digits, which a difference of nearly equal vectors does not survive
        with torch.autocast(embeddings.device.type, enabled=False):
            if reference is None or reference_targets is None:
                c = self.geometry.label_similarity_pairs(labels)
                s = self.geometry.embedding_similarity_pairs(embeddings)
            else:
                others = _rows("reference", reference, as_distribution(reference_targets, classes))
                c = self.geometry.label_similarity_matrix(labels, others)
                s = self.geometry.embedding_similarity_matrix(embeddings, reference)
            weights = balanced_pair_weights(c)
            if not torch.compiler.is_compiling() and not weights.any():
                return nothing_to_learn(embeddings, _why_unbalanced(c))
            return 2 * (weights * f_spl(s, c, self.divergence)).sum()


class TripletFSimilarityLoss(nn.Module):
    """f-Similarity Preservation over triplets: the paper's own form.

    The mean over triplets of the loss of (anchor, similar) plus that of (anchor, dissimilar). The
    triplets must balance: C(a, s) + C(a, d) = 2, as those of
    :class:`affectspace.samplers.BalancedTriplets` do to 0.01.

    Args:
        f: as for :class:`InBatchFSimilarityLoss`.
        geometry: as for :class:`InBatchFSimilarityLoss`.

    Shape:
        embeddings ``(items, dimensions)``, entries 0 or more; targets ``(items,)`` class indices or
        ``(items, classes)`` probabilities; triplets ``(triplets, 3)`` integer rows of anchor,
        similar and dissimilar item within the batch; the loss is a scalar, at least 0.

    Raises:
        ValueError: a negative entry, targets that are not probabilities, shapes that do not match,
            or a row that is not in the batch.

    Warns:
        DegenerateBatchWarning: there is no triplet; the loss is then 0, with a graph.

    Under ``torch.compile`` as for :class:`InBatchFSimilarityLoss`.

    Example:
        >>> loss = TripletFSimilarityLoss("pearson", "chord")
        >>> loss(torch.eye(2)[[0, 0, 1]], torch.tensor([0, 0, 1]), torch.tensor([[0, 1, 2]])).item() < 1e-12
        True
    """

    def __init__(self, f: str | ConvexFunction | Divergence = "kl", geometry: str = "chord"):
        super().__init__()
        self.divergence = divergence(f)
        self.geometry = geometry_named(geometry)
        self.f = f

    def extra_repr(self) -> str:
        return f"f={self.divergence.name!r}, geometry={self.geometry.name!r}"

    def forward(self, embeddings: Tensor, targets: Tensor, triplets: Tensor) -> Tensor:
        labels = _rows("embeddings", embeddings, as_distribution(targets, _count_classes(targets, None)))
        _check_triplets(triplets, len(labels))
        if not len(triplets):
            return nothing_to_learn(embeddings, "there is no triplet; see BalancedTriplets.without_triplet")
        anchor, partners = triplets[:, :1], triplets[:, 1:]
        with torch.autocast(embeddings.device.type, enabled=False):
            c = self.geometry.label_similarity(labels[anchor], labels[partners])
            s = self.geometry.embedding_similarity(embeddings[anchor], embeddings[partners])
            return f_spl(s, c, self.divergence).sum(-1).mean()


def _count_classes(targets: Tensor, others: Tensor | None) -> int:
    # Of hard labels only their being equal matters, so that any number of classes above all of them will do.
    tables = [t for t in (targets, others) if t is not None]
    for table in tables:
        if table.ndim != 1:
            return table.shape[-1]
    return 1 + max((int(t.max()) for t in tables if t.numel()), default=0)


def _rows(name: str, embeddings: Tensor, labels: Tensor) -> Tensor:
    if embeddings.ndim != 2 or len(embeddings) != len(labels):
        expected = f"({len(labels)}, dimensions), a row a target"
        raise ValueError(f"{name}: shape {tuple(embeddings.shape)}; expected {expected}")
    return labels


def _check_triplets(triplets: Tensor, items: int) -> None:
    if triplets.ndim != 2 or triplets.shape[-1] != 3 or triplets.is_floating_point():
        raise ValueError(
            f"triplets: {triplets.dtype} of shape {tuple(triplets.shape)}; expected integers (triplets, 3)"
        )
    if torch.compiler.is_compiling():
        return
    if (outside := triplets[(triplets < 0) | (triplets >= items)]).numel():
        raise ValueError(
            f"a triplet names row {outside[0].item()} of a batch of {items}; legal are 0..{items - 1}, "
            "and an anchor without partners is left out"
        )


def _why_unbalanced(c: Tensor) -> str:
    if not c.numel():
        return "there is no pair of items; use a batch of at least two"
    side, other = ("above", "below") if c.max() > 1 else ("below", "above")
    return (
        f"no pair lies {other} neutral similarity ({c.min():.2f} to {c.max():.2f}), so that those {side} cannot be "
        "balanced; use larger batches, or batches that mix the classes"
    )
