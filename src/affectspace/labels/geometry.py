r"""How alike two labels are, and how alike two embeddings are, on one scale.

Similarity runs from 0 (as different as can be) over 1 (neutral) to 2 (equal). Each side measures a
distance :math:`d \in [0, 1]` and calls :math:`2 - 2d` the similarity: *C* for labels, *S* for
embeddings. Three pairs of distances are offered:

============== ================================== ================================== =======================
name           label distance                     embedding distance                 S = C for all pairs
============== ================================== ================================== =======================
``chord``      total variation                    chord of the unit sphere / sqrt 2  hard labels, two graded
``angle``      total variation                    angle / (pi / 2)                   two classes
``fisher_rao`` angle between roots / (pi / 2)     angle / (pi / 2)                   any number of classes
============== ================================== ================================== =======================

``chord`` is the one of Zhang et al.; three graded labels lie on a straight line in it, and a sphere
holds none. ``angle`` bends two classes round a quarter circle. In ``fisher_rao`` the embedding
:math:`z = \sqrt p` has :math:`S = C` exactly, and it lives where ReLU and normalisation put it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["GEOMETRIES", "Geometry", "fisher_rao_angle", "geometry", "total_variation"]


NARROW = 16
"""Rows of so few numbers are compared by their differences: products do not pay, and a register holds that many."""


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    r"""Total variation distance of distributions, :math:`\frac12 \sum_i |p_i - q_i|`.

    Args:
        p: probabilities, shape ``(..., classes)``, rows summing to one.
        q: probabilities; the leading dimensions broadcast.

    Returns:
        Distances, shape ``(...)``, in ``[0, 1]``; 1 where the two share no class.

    Example:
        >>> total_variation(torch.tensor([0.75, 0.25]), torch.eye(2)).tolist()
        [0.25, 0.75]
    """
    return TOTAL_VARIATION.paired(p, q)


def fisher_rao_angle(p: Tensor, q: Tensor) -> Tensor:
    r"""Angle between the square roots of distributions, :math:`\arccos \sum_i \sqrt{p_i q_i}`.

    Half of the Fisher-Rao geodesic distance (Rao 1945; Bhattacharyya 1943). It is computed as
    :math:`2 \arcsin(\lVert\sqrt p - \sqrt q\rVert / 2)`, which keeps its digits where the two are
    nearly equal and arccos loses half of them.

    Args:
        p: probabilities, shape ``(..., classes)``, rows summing to one.
        q: probabilities; the leading dimensions broadcast.

    Returns:
        Angles in radians, shape ``(...)``, in ``[0, pi / 2]``; pi / 2 where the two share no class.

    Example:
        >>> fisher_rao_angle(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])) * 4 / torch.pi
        tensor(1.0000)
    """
    return ROOT_ANGLE.paired(p, q) * (math.pi / 2)


class _EuclideanMatrix(torch.autograd.Function):
    """Distances of points of length one or zero in float32, from their products in float64.

    That keeps every digit which points in float32 have, at a fraction of the time of differences.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        x, y = a.double(), b.double()
        squares = x.square().sum(-1, keepdim=True) + y.square().sum(-1)
        square = torch.addmm(squares, x, y.T, alpha=-2).to(a.dtype)
        distance = torch.threshold_(square, 1e-14, 0.0).sqrt_()  # nearer, float32 does not tell points apart
        ctx.save_for_backward(a, b, distance)
        return distance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b, distance = ctx.saved_tensors
        # g / distance, and 0 where that is 0; a mask would take ten times as long
        pull = distance / (distance.square() + 1e-30) * gradients[0]
        of_a = pull.sum(1, keepdim=True) * a - pull @ b if ctx.needs_input_grad[0] else None
        of_b = pull.sum(0)[:, None] * b - pull.T @ a if ctx.needs_input_grad[1] else None
        return of_a, of_b


@dataclass(frozen=True)
class Distance:
    """A distance in [0, 1] between rows: map them to points, take a norm, and rescale it.

    Args:
        points: rows ``(..., n)`` to the points that are compared, same shape.
        order: of the norm between the points, 1 or 2.
        share: the norm to its share of the largest distance there can be.
        slope: the derivative of that.
    """

    points: Callable[[Tensor], Tensor]
    order: float
    share: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]

    def paired(self, a: Tensor, b: Tensor) -> Tensor:
        """``(..., n)`` and ``(..., n)`` to ``(...)``."""
        a, b = self.to_points(a, b)
        return self.share(torch.linalg.vector_norm(a - b, ord=self.order, dim=-1))

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """``(n, k)`` and ``(m, k)`` to ``(n, m)``, holding nothing larger."""
        return self.share(self.norm_matrix(*self.to_points(a, b)))

    def norm_matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """The norm between every point of ``(n, k)`` and every point of ``(m, k)``: ``(n, m)``."""
        narrow = a.shape[-1] <= NARROW
        if self.order == 2 and a.device.type == "cpu" and a.dtype == torch.float32 and not narrow:
            return _EuclideanMatrix.apply(a, b)  # pyright: ignore[reportReturnType]
        # The faster form |a|^2 + |b|^2 - 2 a.b loses half of the digits of a small distance.
        return torch.cdist(a, b, p=self.order, compute_mode="donot_use_mm_for_euclid_dist")

    def pairs(self, a: Tensor) -> Tensor:
        """``(n, k)`` to ``(n (n - 1) / 2)``: every pair once, in the order of ``torch.triu_indices(n, n, 1)``."""
        return self.share(self.norm_pairs(*self.to_points(a)))

    def norm_pairs(self, a: Tensor) -> Tensor:
        """The norm between each pair of different points of ``(n, k)``: ``(n (n - 1) / 2)``."""
        if a.device.type in ("cpu", "cuda"):
            if a.shape[-1] < NARROW:
                a = nn.functional.pad(a, (0, NARROW - a.shape[-1]))  # ten times as fast in whole registers
            return torch.pdist(a, p=self.order)  # five times as fast as the matrix
        rows, columns = torch.triu_indices(len(a), len(a), 1, device=a.device)
        return torch.linalg.vector_norm(a[rows] - a[columns], ord=self.order, dim=-1)

    def to_points(self, *rows: Tensor) -> tuple[Tensor, ...]:
        """The points of each table of rows, all of the widest type among them."""
        dtype = torch.float32
        for each in rows:
            dtype = torch.promote_types(dtype, each.dtype)
        return tuple(self.points(each.to(dtype)) for each in rows)


@dataclass(frozen=True)
class Geometry:
    """What similarity means for labels and for embeddings; both lie in [0, 2], and 1 is neutral.

    Embeddings are compared by direction only, and their entries must be 0 or more, as after ReLU:
    then no two are further apart than a right angle. A zero vector has no direction: it is neutral
    (1) to everything and receives no gradient. Values are float32, or float64 where the input is.
    Between equal embeddings the distance has a corner; its gradient there is taken as 0.

    Args:
        name: the key in :data:`GEOMETRIES`.
        labels: distance of two rows of probabilities.
        embeddings: distance of two rows of non-negative numbers.

    Example:
        >>> half, sure = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]])
        >>> geometry("fisher_rao").label_similarity(half, sure)
        tensor([1.])
        >>> geometry("chord").embedding_similarity_matrix(torch.eye(2), torch.eye(2))
        tensor([[2., 0.],
                [0., 2.]])
    """

    name: str
    labels: Distance
    embeddings: Distance

    def label_similarity(self, p: Tensor, q: Tensor) -> Tensor:
        """C of probabilities ``(..., classes)`` row by row, in [0, 2]; leading dimensions broadcast."""
        return _similarity(self.labels.paired(p, q))

    def label_similarity_matrix(self, p: Tensor, q: Tensor) -> Tensor:
        """C of every row of ``(n, classes)`` with every row of ``(m, classes)``: ``(n, m)`` in [0, 2]."""
        return _similarity(self.labels.matrix(p, q))

    def label_similarity_pairs(self, p: Tensor) -> Tensor:
        """C of each pair of different rows of ``(n, classes)``: ``(n (n - 1) / 2)``, as ``torch.pdist`` orders them."""
        return _similarity(self.labels.pairs(p))

    def embedding_similarity(self, z: Tensor, w: Tensor) -> Tensor:
        """S of embeddings ``(..., dimensions)`` row by row, in [0, 2]; leading dimensions broadcast.

        Raises:
            ValueError: a negative entry.
        """
        empty = _without_direction(z) | _without_direction(w)
        return _similarity(self.embeddings.paired(z, w)).masked_fill(empty, 1.0)

    def embedding_similarity_matrix(self, z: Tensor, w: Tensor) -> Tensor:
        """S of every row of ``(n, dimensions)`` with every row of ``(m, dimensions)``: ``(n, m)`` in [0, 2].

        Raises:
            ValueError: a negative entry.
        """
        return self.point_similarity_matrix(*self.embedding_points(z, w))

    def embedding_similarity_pairs(self, z: Tensor) -> Tensor:
        """S of each pair of different rows of ``(n, dimensions)``: ``(n (n - 1) / 2)``, as ``torch.pdist`` orders them.

        Raises:
            ValueError: a negative entry.
        """
        return self.point_similarity_pairs(*self.embedding_points(z))

    def embedding_points(self, *tables: Tensor) -> tuple[Tensor, ...]:
        """What is compared of embeddings: ``(..., dimensions)`` unit vectors, zero where there is no direction.

        Who compares in blocks makes them once, and goes on with ``point_similarity_matrix`` and ``_pairs``.

        Raises:
            ValueError: a negative entry.
        """
        return self.embeddings.to_points(*tables)

    def point_similarity_matrix(self, p: Tensor, q: Tensor) -> Tensor:
        """S of every point of ``(n, dimensions)`` with every point of ``(m, dimensions)``: ``(n, m)`` in [0, 2]."""
        similarity, empty = _similarity(self.embeddings.share(self.embeddings.norm_matrix(p, q))), _neutral(p, q)
        return similarity if empty is None else similarity.masked_fill(empty, 1.0)

    def point_similarity_pairs(self, p: Tensor) -> Tensor:
        """S of each pair of different points of ``(n, dimensions)``, as ``torch.pdist`` orders them."""
        similarity, empty = _similarity(self.embeddings.share(self.embeddings.norm_pairs(p))), _neutral(p, None)
        return similarity if empty is None else similarity.masked_fill(empty, 1.0)

    def point_norms(self, p: Tensor, q: Tensor | None = None) -> Tensor | None:
        """What S of those points is computed from, in the same order, by ``similarity_and_slope``.

        None where a point has no direction, and so no norm that tells its similarity.
        """
        if _neutral(p, q) is not None:
            return None
        return self.embeddings.norm_pairs(p) if q is None else self.embeddings.norm_matrix(p, q)

    def similarity_and_slope(self, norms: Tensor) -> tuple[Tensor, Tensor]:
        """S of pairs at these ``point_norms``, and its derivative by them, for who goes on without autograd."""
        return _similarity(self.embeddings.share(norms)), self.embeddings.slope(norms).mul_(-2)


def geometry(name: str) -> Geometry:
    """The geometry of that name.

    Raises:
        ValueError: there is none of that name; the message lists those there are.

    Example:
        >>> geometry("angle").name
        'angle'
    """
    if name not in GEOMETRIES:
        raise ValueError(f"geometry {name!r} is unknown; choose one of {', '.join(GEOMETRIES)}")
    return GEOMETRIES[name]


def _similarity(distance: Tensor) -> Tensor:
    similarity = torch.rsub(distance, 2, alpha=2)
    if not similarity.requires_grad:
        return similarity.clamp_(0, 2)
    # A distance may round to more than 1. Its value is set right; its gradient is left as it is,
    # or two embeddings at a right angle could never be drawn together.
    return similarity + (similarity.clamp(0, 2) - similarity).detach()


def _peak(z: Tensor) -> Tensor:
    return z.detach().abs().amax(-1, keepdim=True)


def _without_direction(z: Tensor) -> Tensor:
    return ~z.detach().any(-1)


def _neutral(p: Tensor, q: Tensor | None) -> Tensor | None:
    """The pairs of points of which one has no direction; None: there are none."""
    of_p = _without_direction(p)
    of_q = None if q is None else _without_direction(q)
    if not torch.compiler.is_compiling() and not of_p.any() and (of_q is None or not of_q.any()):
        return None
    if of_q is not None:
        return of_p[:, None] | of_q
    rows, columns = torch.triu_indices(len(p), len(p), 1, device=p.device)
    return of_p[rows] | of_p[columns]


def _unit(z: Tensor) -> Tensor:
    if not torch.compiler.is_compiling() and (z < 0).any():
        raise ValueError(
            f"an embedding holds {z.min().item():.4g}; similarity needs entries of 0 or more: "
            "put a ReLU (or softplus, or abs) after the layer"
        )
    # Dividing by the largest entry first keeps the squares of very small and large vectors in range.
    # It cancels in the unit vector, so that it needs no gradient.
    peak = _peak(z)
    z = z / peak.masked_fill(peak == 0, 1.0)
    length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    return z / length.masked_fill(length == 0, 1.0)


def _quarter_turns(chord: Tensor) -> Tensor:
    return (chord / 2).clamp_(max=1.0).asin_().mul_(4 / math.pi)


def _quarter_turns_slope(chord: Tensor) -> Tensor:
    return (chord / 2).square_().neg_().add_(1).rsqrt_().mul_(2 / math.pi)


# Named, as a loss with a nameless function could not be sent to another process.
def _as_they_are(p: Tensor) -> Tensor:
    return p


def _half(norm: Tensor) -> Tensor:
    return norm / 2


def _half_slope(norm: Tensor) -> Tensor:
    return torch.full_like(norm, 0.5)


def _of_a_right_angle(chord: Tensor) -> Tensor:
    return chord / math.sqrt(2)


def _of_a_right_angle_slope(chord: Tensor) -> Tensor:
    return torch.full_like(chord, 1 / math.sqrt(2))


TOTAL_VARIATION = Distance(points=_as_they_are, order=1.0, share=_half, slope=_half_slope)
ROOT_ANGLE = Distance(points=torch.sqrt, order=2.0, share=_quarter_turns, slope=_quarter_turns_slope)
CHORD = Distance(points=_unit, order=2.0, share=_of_a_right_angle, slope=_of_a_right_angle_slope)
ANGLE = Distance(points=_unit, order=2.0, share=_quarter_turns, slope=_quarter_turns_slope)

GEOMETRIES: dict[str, Geometry] = {
    each.name: each
    for each in (
        Geometry("chord", labels=TOTAL_VARIATION, embeddings=CHORD),
        Geometry("angle", labels=TOTAL_VARIATION, embeddings=ANGLE),
        Geometry("fisher_rao", labels=ROOT_ANGLE, embeddings=ANGLE),
    )
}
"""The geometries by name."""
