r"""Learning how far classes lie apart from the features of the network that tells them apart.

The ranks of the paper fill 0..1 whatever the distances are: among classes that are all equally far,
they turn the accidents of one training into distances as large as true ones. Two figures tell:
:func:`relation_strength` without the diagonal, and how alike the learned distances of several seeds
are. Collecting more items does not help, since the accidents are the network's and not the
sample's. ``tolerance`` does: distances that differ by less are tied, and share their mean rank.
"""

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.inputs import check_embeddings, wide

__all__ = ["NEUTRAL", "ClassFeatures", "learned_ground_distance", "relation_strength"]

#: The distance between classes of which nothing is known: the mean rank, at which both variants of
#: :class:`affectspace.losses.guided_emd.GuidedEMDLoss` neither reward nor charge a prediction.
NEUTRAL = 0.5


class ClassFeatures(nn.Module):
    r"""Mean feature vector of each class, gathered batch by batch during training.

    .. math:: a_i = \frac{\sum_n t_{ni}\, x_n / \lVert x_n \rVert_1}{\sum_n t_{ni}}

    The state is two buffers, saved in the ``state_dict``: ``sums`` ``(classes, dimensions)`` and
    ``counts`` ``(classes,)``. Both are additive: to gather over several processes, sum each over them
    (``torch.distributed.all_reduce``) before ``centroids()``. Batches are added by a matrix product,
    in a fixed order, so that the same batches give the same bits.

    Args:
        classes: how many classes there are.
        dimensions: how many numbers a feature vector has.
        dtype: of the buffers; float32 keeps four digits or more over a million batches, float64
            more, where the device has it.

    Cost: batch x classes x dimensions multiplications and no gradient an ``update``.

    Source: Hou, Yu & Samaras 2016, Sec. 3.1.

    Example:
        >>> features = ClassFeatures(classes=2, dimensions=2)
        >>> features.update(torch.tensor([[1.0, 3.0], [2.0, 2.0], [0.0, 5.0]]), torch.tensor([0, 0, 1]))
        >>> features.centroids()
        tensor([[0.3750, 0.6250],
                [0.0000, 1.0000]])
    """

    sums: Tensor
    counts: Tensor

    def __init__(self, classes: int, dimensions: int, dtype: torch.dtype = torch.float32):
        super().__init__()
        if classes < 1 or dimensions < 1:
            raise ValueError(f"there are {classes} classes and {dimensions} dimensions; expected 1 or more of each")
        self.register_buffer("sums", torch.zeros(classes, dimensions, dtype=dtype))
        self.register_buffer("counts", torch.zeros(classes, dtype=dtype))

    def extra_repr(self) -> str:
        return f"classes={self.sums.shape[0]}, dimensions={self.sums.shape[1]}"

    @torch.no_grad()
    def update(self, features: Tensor, targets: Tensor) -> None:
        """Add a batch.

        Args:
            features: ``(items, dimensions)``; each row is divided by the sum of its absolute values,
                and a row of zeros stays one.
            targets: ``(items,)`` class indices or ``(items, classes)`` probabilities, by which an
                item counts in each class.

        Raises:
            ValueError: shapes that do not match, targets that are not probabilities, or buffers that
                were cast to less than float32, where counts stop growing at a few hundred.
        """
        classes, dimensions = self.sums.shape
        if self.sums.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"the sums were cast to {self.sums.dtype}; cast the model without them, to count exactly")
        check_embeddings("features", features, len(targets))
        if features.shape[-1] != dimensions:
            raise ValueError(f"features have {features.shape[-1]} dimensions; there were to be {dimensions}")
        with torch.autocast(features.device.type, enabled=False):
            rows = wide(features)
            rows = nn.functional.normalize(rows, p=1.0, dim=-1, eps=torch.finfo(rows.dtype).tiny)
            shares = as_distribution(targets, classes).to(rows.dtype)
            self.sums += (shares.mT @ rows).to(self.sums.dtype)
            self.counts += shares.sum(0).to(self.counts.dtype)

    @property
    def present(self) -> Tensor:
        """``(classes,)``, True for the classes that some item was given for."""
        return self.counts > 0

    def centroids(self) -> Tensor:
        """``(classes, dimensions)`` means of what was gathered; rows of zeros for classes that are not ``present``."""
        return self.sums / torch.where(self.present, self.counts, 1).unsqueeze(-1)

    def reset(self) -> None:
        """Forget everything, as at the start of an epoch."""
        self.sums.zero_()
        self.counts.zero_()


def learned_ground_distance(centroids: Tensor, present: Tensor | None = None, tolerance: float | None = None) -> Tensor:
    r"""Distances between classes, in ``[0, 1)``, from the ranks of the distances of their centroids.

    .. math:: \bar D_{ij} = \lVert a_i - a_j \rVert_2, \qquad
              B_{ij} = \tfrac1C \#\{k : \bar D_{ik} < \bar D_{ij}\}, \qquad D = \tfrac12 (B + B^\top)

    The nearest class has rank 1, after the class itself, so that entries run from 1/C to
    (C - 1)/C and their mean is 1/2, ties apart. (A table in the paper has an entry of 1.00, which
    its equation cannot give.)

    With a tolerance :math:`\tau`, only what is nearer by more than :math:`\tau` times the mean
    distance of two classes counts as smaller, and entries within it of each other share their mean
    rank: each counts the others by half. Then classes whose distances all differ by less get
    D = 1/2 off the diagonal, exactly, while an order of the classes stays one. ``tolerance=0`` ties
    equal entries alone; the paper's rule (None) gives each of several equal entries the least of their ranks.

    Args:
        centroids: ``(classes, dimensions)``.
        present: ``(classes,)``, False for classes without any item; None: all have some. Such a
            class is at the neutral distance, :data:`NEUTRAL`, from every other, and is not counted
            in the ranks nor in C.
        tolerance: a share of the mean distance, 0 or more; None: the paper's rule.

    Returns:
        ``(classes, classes)``, symmetric, zero on the diagonal, float32 or better, without gradient.
        NaN in a centroid gives NaN in its row and column.

    Raises:
        ValueError: shapes that do not match, or a negative tolerance.

    Cost: time in classes^2 x (dimensions + log classes), memory in classes^2.

    Source: Hou, Yu & Samaras 2016, Eq. 12 and 13. The tolerance and the neutral distance are ours.

    Example:
        >>> on_a_line = torch.tensor([[0.0], [1.0], [3.0], [6.0]])
        >>> learned_ground_distance(on_a_line)
        tensor([[0.0000, 0.2500, 0.5000, 0.7500],
                [0.2500, 0.0000, 0.3750, 0.6250],
                [0.5000, 0.3750, 0.0000, 0.3750],
                [0.7500, 0.6250, 0.3750, 0.0000]])
        >>> learned_ground_distance(torch.eye(3), tolerance=0.1)
        tensor([[0.0000, 0.5000, 0.5000],
                [0.5000, 0.0000, 0.5000],
                [0.5000, 0.5000, 0.0000]])
    """
    if tolerance is not None and not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; expected a share of the mean distance, 0 or more, or None")
    distances = _pairwise(centroids)
    classes = len(distances)
    if present is None:
        present = torch.ones(classes, dtype=torch.bool, device=distances.device)
    if present.shape != (classes,):
        raise ValueError(f"present has shape {tuple(present.shape)}; expected ({classes},), a value a class")
    itself = torch.eye(classes, dtype=torch.bool, device=distances.device)
    known = present & present.unsqueeze(-1)
    there = present.sum()
    ranked = distances.masked_fill(~known, torch.inf)
    if tolerance is None:
        ranks = torch.searchsorted(ranked.sort(-1).values, distances)
    else:
        pairs = known & ~itself
        floor = tolerance * distances.masked_fill(~pairs, 0).sum() / pairs.sum().clamp(min=1)
        # a class is nearer to itself than to any other, however wide the tolerance is
        entries = ranked.masked_fill(itself, -torch.inf).sort(-1).values
        smaller = torch.searchsorted(entries, distances - floor)
        not_larger = torch.searchsorted(entries, distances + floor, right=True)
        ranks = (smaller + not_larger - 1) / 2 + 0 * floor
    shares = ranks.to(distances.dtype) / there.clamp(min=1) + 0 * distances
    learned = torch.where(known, (shares + shares.mT) / 2, NEUTRAL)
    return torch.where(itself, distances, learned)


def relation_strength(centroids: Tensor, present: Tensor | None = None, diagonal: bool = True) -> Tensor:
    r"""How strongly classes are related: the standard deviation of the distances of their centroids (SDD).

    .. math:: \mathrm{SDD} = \mathrm{std} \{\bar D_{ij}\}, \qquad \bar D_{ij} = \lVert a_i - a_j \rVert_2

    The paper writes "all entries", which counts the zeros of the diagonal, and so is the default.
    That does not measure relations alone: C classes all at distance m have
    :math:`m \sqrt{C - 1} / C`, a third of m at 8 classes and a thirtieth at 1000. The paper's figures
    (ages .0335 with 8 classes, ages .0164 with 7, aesthetics .0184 with 10, ImageNet .0061 with 1000)
    fit either reading, and the small one may owe much to its 1000 classes. To judge whether classes
    have relations at all, leave the diagonal out: equal distances then give 0. Either grows with the
    scale of the features; compare within one network only, or divide by the mean distance.

    Args:
        centroids: ``(classes, dimensions)``.
        present: ``(classes,)``, False for classes to leave out; None: all count.
        diagonal: count the C zeros between each class and itself too.

    Returns:
        A scalar, 0 or more; 0 where there is no pair of classes. It is the deviation of the entries
        themselves, divided by their number and not by one less.

    Raises:
        ValueError: shapes that do not match.

    Source: Hou, Yu & Samaras 2016, Sec. 4.7.

    Example:
        >>> equally_far = torch.eye(4)
        >>> [round(relation_strength(equally_far, diagonal=d).item(), 3) for d in (True, False)]
        [0.612, 0.0]
    """
    if present is not None:
        if present.shape != centroids.shape[:1]:
            raise ValueError(f"present has shape {tuple(present.shape)}; expected ({len(centroids)},), a value a class")
        centroids = centroids[present]
    distances = _pairwise(centroids)
    if len(distances) < 2:
        return distances.sum()
    if not diagonal:
        distances = distances[~torch.eye(len(distances), dtype=torch.bool, device=distances.device)]
    return distances.std(correction=0)


def _pairwise(centroids: Tensor) -> Tensor:
    check_embeddings("centroids", centroids)
    with torch.autocast(centroids.device.type, enabled=False):
        rows = wide(centroids.detach())
        # by differences: near centroids would lose their digits in a product, and with them their ranks
        return torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
