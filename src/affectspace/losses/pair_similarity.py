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

from affectspace.labels.geometry import Geometry
from affectspace.labels.geometry import geometry as geometry_named
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.divergences import ConvexFunction, Divergence, divergence, f_spl, f_spl_slope
from affectspace.losses.gradients import with_gradients
from affectspace.losses.inputs import beside, both_or_neither, check_embeddings, label_rows
from affectspace.losses.pair_blocks import Block, blocks_of_pairs, sum_over_blocks
from affectspace.losses.pair_weights import PairShares, PairSums, balanced_pair_weights

__all__ = ["InBatchFSimilarityLoss", "TripletFSimilarityLoss", "balanced_pair_weights"]

Tables = tuple[Tensor, Tensor]
IN_CACHE = 2**15
"""So many pairs at a time: what is computed of them on the way need not leave the cache."""


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

    Cost: time grows with the number of pairs. Of up to 1,024 items, or of a million items times
    rows of a reference, all pairs are held at once; of more, a million at a time, with the gradient
    found along the way, so that memory stays where it is. The loss is differentiable once. Of your
    own f, parameters of an ``nn.Module`` get theirs too; a plain function that uses tensors which need
    a gradient takes all pairs at once.

    Under ``torch.compile`` there is no graph break with targets as probabilities (class indices are
    counted first), but values are not checked, the warning is not given and all pairs are held at once.

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
        both_or_neither(reference, reference_targets)
        labels, other_labels = label_rows(beside(embeddings, targets), reference_targets)
        check_embeddings("embeddings", embeddings, len(labels))
        if reference is not None:
            check_embeddings("reference", reference, len(other_labels))
        # bfloat16 holds three digits, which a difference of nearly equal vectors does not survive
        with torch.autocast(embeddings.device.type, enabled=False):
            given = (embeddings,) if reference is None else (embeddings, reference)
            points = self.geometry.embedding_points(*given)
            tables = points[0], labels
            others = None if reference is None else (points[1], other_labels)
            blocks = blocks_of_pairs(len(labels), None if others is None else len(other_labels))
            if len(blocks) == 1 or not self._can_stream(embeddings.device):
                return self._at_once(embeddings, tables, others)
            return self._streamed(embeddings, tables, others, blocks)

    def _can_stream(self, device: torch.device) -> bool:
        # A gradient found in blocks must know what it is for: a module tells its parameters. A plain function
        # may use tensors from outside of it, which only the graph of all pairs at once can find.
        if torch.compiler.is_compiling():
            return False
        one = torch.ones(1, device=device)
        return isinstance(self.f, nn.Module) or not f_spl(one, one, self.divergence).requires_grad

    def _at_once(self, embeddings: Tensor, tables: Tables, others: Tables | None) -> Tensor:
        c = self._label_similarity(tables[1], None if others is None else others[1])
        shares = PairSums.of(c).shares()
        if not torch.compiler.is_compiling() and not shares.neutral:
            return nothing_to_learn(embeddings, _why_unbalanced(c))
        return 2 * self._weighted_sum(tables[0], None if others is None else others[0], c, shares)

    def _streamed(self, embeddings: Tensor, tables: Tables, others: Tables | None, blocks: list[Block]) -> Tensor:
        sums, least, most = None, 2.0, 0.0
        right = tables[1] if others is None else others[1]
        with torch.no_grad():
            for rows, columns in blocks:
                c = self._label_similarity(tables[1][rows], None if columns is None else right[columns])
                sums = PairSums.of(c) if sums is None else sums.plus(PairSums.of(c))
                if c.numel():
                    least, most = min(least, c.min().item()), max(most, c.max().item())
        assert sums is not None
        shares = sums.shares()
        if not shares.neutral:
            return nothing_to_learn(embeddings, _why_unbalanced(torch.tensor([least, most])))

        def value(
            points: Tensor, labels: Tensor, points_met: Tensor | None = None, met: Tensor | None = None
        ) -> Tensor:
            return self._weighted_sum(points, points_met, self._label_similarity(labels, met), shares)

        return 2 * sum_over_blocks(value, blocks, tables, others, list(self.parameters()))

    def _label_similarity(self, labels: Tensor, others: Tensor | None) -> Tensor:
        if others is None:
            return self.geometry.label_similarity_pairs(labels)
        return self.geometry.label_similarity_matrix(labels, others)

    def _similarity(self, points: Tensor, others: Tensor | None) -> Tensor:
        if others is None:
            return self.geometry.point_similarity_pairs(points)
        return self.geometry.point_similarity_matrix(points, others)

    def _weighted_sum(self, points: Tensor, others: Tensor | None, c: Tensor, shares: PairShares) -> Tensor:
        norms = None
        if self.divergence.curvature is not None and not c.requires_grad and not torch.compiler.is_compiling():
            norms = self.geometry.point_norms(points, others)
        if norms is None:
            return (shares.weights(c) * f_spl(self._similarity(points, others), c, self.divergence)).sum()
        # The gradient by the norms is known, and takes far fewer passes over the pairs than autograd does.
        value, gradient = _value_and_gradient(self.geometry, self.divergence, norms.detach(), c, shares)
        return with_gradients(value, [gradient], [norms]) if norms.requires_grad else value


def _value_and_gradient(
    geometry: Geometry, f: Divergence, norms: Tensor, c: Tensor, shares: PairShares
) -> tuple[Tensor, Tensor]:
    """The weighted sum of the losses of pairs, and its gradient by the norms, a few at a time that fit a cache."""
    gradient, value = torch.empty_like(norms), norms.new_zeros(())
    for norm, label, out in zip(*(each.view(-1).split(IN_CACHE) for each in (norms, c, gradient))):
        s, slope = geometry.similarity_and_slope(norm)
        losses, by_s = f_spl_slope(s, label, f)
        weights = shares.weights(label)
        value += (weights * losses).sum()
        torch.mul(by_s, slope * weights, out=out)
    return value, gradient


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
        labels, _ = label_rows(beside(embeddings, targets))
        check_embeddings("embeddings", embeddings, len(labels))
        _check_triplets(triplets, len(labels))
        if not len(triplets):
            return nothing_to_learn(embeddings, "there is no triplet; see BalancedTriplets.without_triplet")
        anchor, partners = triplets[:, :1], triplets[:, 1:]
        with torch.autocast(embeddings.device.type, enabled=False):
            c = self.geometry.label_similarity(labels[anchor], labels[partners])
            s = self.geometry.embedding_similarity(embeddings[anchor], embeddings[partners])
            return f_spl(s, c, self.divergence).sum(-1).mean()


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
