r"""Contrastive loss of pairs: alike items close together, others at least a margin apart.

.. math:: L = \frac{\sum_p w_p\, d_p^2}{\sum_p w_p}
          + \frac{\sum_p (1 - w_p) \max(0, m - d_p)^2}{\sum_p (1 - w_p)}

over all pairs *p* of the batch, with the Euclidean distance *d* and the weight :math:`w \in [0, 1]` of being
alike. Each side is a mean of its own: with 8 classes one pair in eight is alike, and in one mean the others
would drown it.

Source: Hadsell, Chopra & LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006, Eq. 4
(hard labels, without the halves). The two means and graded w are ours.
"""

import math

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.gradients import needs_gradient, with_gradients
from affectspace.losses.inputs import beside, both_or_neither, check_embeddings
from affectspace.losses.label_similarity import PairWeights, label_similarity
from affectspace.losses.streamed import comparable, parts, side_of_tile

__all__ = ["ContrastivePairsLoss"]


class ContrastivePairsLoss(nn.Module):
    """Pairs of alike items cost their squared distance, other pairs what they lack of a margin (formula above).

    Never holds all pairs: they are gone through in tiles, and the value and its gradient come out of the
    same pass. It is differentiable once. A pair at distance 0 has no direction and moves nobody; in float32
    that is one nearer than about three millionths of how far the batch is spread (a thousandth under
    ``torch.compile``, and on devices other than CPU and CUDA).

    Args:
        margin: m, above 0, the distance beyond which pairs that are not alike cost nothing. Unit vectors are at
            most 2 apart, and random ones about 1.4.
        squared: squares, as in the paper; False: ``d`` and ``max(0, m - d)``, which forgive outliers more
            and pull near pairs as hard as far ones.
        normalise: divide embeddings by their length. A zero vector stays one.
        similarity: what makes w: ``"same_class"`` (1 if the most likely class is the same, else 0),
            ``"agreement"`` (the chance that a rater of one and a rater of the other vote alike), ``"chord"``,
            ``"angle"`` or ``"fisher_rao"`` (C / 2 of :mod:`affectspace.labels.geometry`, where what is within
            rounding of 0 or 1 is that), or a function of rows of probabilities ``(b, classes)`` and
            ``(m, classes)`` to ``(b, m)`` weights in [0, 1], which receives no gradient; within a batch the mean
            of both ways round counts.

    Shape:
        embeddings ``(items, dimensions)``; targets ``(items,)`` class indices or ``(items, classes)``
        probabilities; the loss is a scalar, at least 0, float32 or better. With a reference (another modality,
        a memory bank), the pairs are those of each item with each row of it, and it receives its
        gradient unless it is detached. A side without pairs (all of one class, or all of different ones) adds 0.

    Raises:
        ValueError: a margin that is not above 0, targets that are not probabilities, shapes that do not match,
            weights outside [0, 1].

    Warns:
        DegenerateBatchWarning: there is no pair; the loss is then 0, with a graph.

    Cost: time O(items x rows x dimensions); memory a few tiles of pairs (2 MiB each on a CPU) and
    O(items x dimensions). Similarities are computed twice, first to know how much each side weighs.

    Under ``torch.compile`` there is no graph break, unless your own function meets class indices; values are not
    checked then and nobody is warned.

    Example:
        >>> loss = ContrastivePairsLoss(margin=1.0)
        >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
        >>> round(loss(z, torch.tensor([0, 0, 1])).item(), 4)  # 2 + ((1 - sqrt 0.8)^2 + (1 - sqrt 0.4)^2) / 2
        2.0731
        >>> votes = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
        >>> round(ContrastivePairsLoss(similarity="chord")(z, votes).item(), 4)
        1.2393
    """

    def __init__(
        self,
        margin: float = 1.0,
        squared: bool = True,
        normalise: bool = True,
        similarity: str | PairWeights = "same_class",
    ):
        super().__init__()
        if not 0 < margin < math.inf:
            raise ValueError(f"margin is {margin}; expected a distance above 0 (unit vectors are at most 2 apart)")
        self.margin, self.squared, self.normalise = margin, squared, normalise
        self.alike = label_similarity(similarity, _share)
        self.similarity = similarity  # a function with parameters is a module, and registered as such here

    def extra_repr(self) -> str:
        return (
            f"margin={self.margin}, squared={self.squared}, normalise={self.normalise}, similarity={self.alike.name!r}"
        )

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        reference: Tensor | None = None,
        reference_targets: Tensor | None = None,
    ) -> Tensor:
        both_or_neither(reference, reference_targets)
        labels, other_labels = self.alike.rows(beside(embeddings, targets), reference_targets)
        check_embeddings("embeddings", embeddings, len(labels))
        if reference is not None:
            check_embeddings("reference", reference, len(other_labels))
        if not len(labels) or len(other_labels) <= (reference is None):
            return nothing_to_learn(embeddings, "there is no pair of items; use larger batches")
        # bfloat16 holds three digits, which a difference of nearly equal vectors does not survive
        with torch.autocast(embeddings.device.type, enabled=False):
            z, others = comparable(embeddings, reference, self.normalise)
            graph = needs_gradient(z, others)
            with torch.no_grad():
                value, by_z, by_others = self._over_tiles(z, others, labels, other_labels, graph)
        if not graph:
            return value
        return (
            with_gradients(value, [by_z], [z])
            if others is None
            else with_gradients(value, [by_z, by_others], [z, others])
        )

    def _over_tiles(
        self, z: Tensor, others: Tensor | None, labels: Tensor, other_labels: Tensor, graph: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The value and its gradient by ``z`` and by the others, which is the same tensor where there are none."""
        own, to = others is None, z if others is None else others
        sides, other_sides = parts(len(z), side_of_tile(z)), parts(len(to), side_of_tile(z))
        # Distances are the same both ways round, so that among the items themselves half of the tiles will do.
        tiles = [(rows, columns) for rows in sides for columns in other_sides if not own or columns.start >= rows.start]

        def counted(rows: slice, columns: slice) -> int:
            return 2 if own and rows != columns else 1

        alike = unlike = z.new_zeros(())
        w = z
        for rows, columns in tiles:
            w = self._weights(labels, other_labels, rows, columns, own, z.dtype)
            if own and rows == columns:  # not all ones less the items: small weights would drown in them
                w.fill_diagonal_(0.0)
            alike = alike + counted(rows, columns) * w.sum()
            if own and rows == columns:  # an item is alike itself, and so no pair that costs anything
                w.fill_diagonal_(1.0)
            unlike = unlike + counted(rows, columns) * (1 - w).sum()
        # a side of no weight has no pairs, and its sums are 0
        tiny = torch.finfo(z.dtype).tiny
        share, other_share = (torch.where(total <= tiny, 0.0, 1 / total) for total in (alike, unlike))

        # moving all together changes no distance, and around their centre fewer digits cancel
        centre = to.mean(0)
        z, to = z - centre, to - centre
        square, other_square = (x.square().sum(1, keepdim=True) for x in (z, to))
        # one product of matrices makes |z|^2 - 2 z.o + |o|^2
        left = torch.cat([z, square, torch.ones_like(square)], 1)
        right = torch.cat([-2 * to, torch.ones_like(other_square), other_square], 1)
        room = z.new_empty(sides[0].stop * other_sides[0].stop)
        near = near_hinge = z.new_zeros(())
        by_z = torch.zeros_like(z)
        by_others = by_z if own else torch.zeros_like(to)
        for rows, columns in tiles:
            shape = rows.stop - rows.start, columns.stop - columns.start
            d = torch.mm(left[rows], right[columns].T, out=room[: shape[0] * shape[1]].view(shape))
            if own and rows == columns:
                d.fill_diagonal_(math.inf)  # an item itself is not a near pair
            lengths = square[rows].amax() + other_square[columns].amax()
            rounding = 4 * torch.finfo(z.dtype).eps
            if _can_be_exact(z) and d.amin() < _CLOSE * lengths:
                d.copy_(_exact_squares(z[rows], to[columns]))
                rounding = (16 * torch.finfo(z.dtype).eps) ** 2  # of the gradient, not of the distance any more
            if own and rows == columns:
                d.fill_diagonal_(0.0)
            # a difference of equal embeddings must not be divided by its error, and so what is below rounding is 0
            # lengths may be so different that each pair needs its own
            least = rounding * (lengths if self.normalise else square[rows] + other_square[columns, 0])
            d.masked_fill_(d <= least, 0.0)
            if len(tiles) > 1:  # of a single tile they are still at hand
                w = self._weights(labels, other_labels, rows, columns, own, z.dtype)
                if own and rows == columns:
                    w.fill_diagonal_(1.0)
            unlike_w = 1 - w
            if self.squared:
                near = near + counted(rows, columns) * (w * d).sum()
            d.sqrt_()
            if not self.squared:
                near = near + counted(rows, columns) * (w * d).sum()
            lack = (self.margin - d).clamp_(min=0)
            if self.squared:
                unlike_w *= lack
            near_hinge = near_hinge + counted(rows, columns) * (unlike_w * lack).sum()
            if not graph:
                continue
            d.masked_fill_(d == 0, math.inf)
            if self.squared:
                slope = (w.mul_(2 * share)).sub_(unlike_w.div_(d).mul_(2 * other_share))
            else:
                slope = w.mul_(share).sub_(unlike_w.mul_(lack > 0).mul_(other_share)).div_(d)
            if own:
                slope *= 2
                if rows == columns:  # what cancels leaves rounding
                    slope.fill_diagonal_(0.0)
            by_z[rows] += slope.sum(1, keepdim=True) * z[rows] - slope @ to[columns]
            if not own or rows != columns:
                by_others[columns] += slope.sum(0)[:, None] * to[columns] - slope.T @ z[rows]
        return near * share + near_hinge * other_share, by_z, by_others

    def _weights(
        self, labels: Tensor, other_labels: Tensor, rows: slice, columns: slice, own: bool, dtype: torch.dtype
    ) -> Tensor:
        """How much the pairs of a tile are alike, whatever stands on the diagonal."""
        w = self.alike.block(labels[rows], other_labels[columns]).to(dtype)
        if own and not self.alike.symmetric:
            w = (w + self.alike.block(labels[columns], labels[rows]).T.to(dtype)) / 2
        if not self.alike.symmetric and not torch.compiler.is_compiling():
            outside = (w < 0) | (w > 1.001)  # rows of probabilities may sum to a little more than one
            if outside.any():
                raise ValueError(
                    f"similarity made {w[outside][0].item():.4g}; expected weights of being alike in [0, 1]"
                )
        return w.clamp_(0, 1)


def _share(c: Tensor) -> Tensor:
    # Each side is divided by its own mass: a side of nothing but rounding would count as much as a whole one.
    rounding = 8 * torch.finfo(c.dtype).eps
    w = torch.threshold_(c / -2, rounding - 1, -1.0).neg_()  # a mask would take four times as long
    return torch.threshold_(w, rounding, 0.0)


_CLOSE = 1e-3  # of two lengths squared: rounding changes larger distances by some 1e-4 of themselves


def _can_be_exact(z: Tensor) -> bool:
    # float64 is slow or missing on other devices, and a compiled graph does not look at values
    return z.dtype == torch.float32 and z.device.type in ("cpu", "cuda") and not torch.compiler.is_compiling()


def _exact_squares(z: Tensor, to: Tensor) -> Tensor:
    """Squared distances of rows in float32, without the error of their product (differences take a hundred times as
    long where many are near)."""
    z, to = z.double(), to.double()
    squares = z.square().sum(1, keepdim=True) + to.square().sum(1)
    return squares.addmm_(z, to.T, alpha=-2)
