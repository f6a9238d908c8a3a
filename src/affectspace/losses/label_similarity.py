"""How much two items count as alike, by their labels, for losses that pull alike items together."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from affectspace.labels.geometry import GEOMETRIES, Geometry
from affectspace.losses.inputs import hard_classes, label_rows

__all__ = ["LabelSimilarity", "PairWeights", "label_similarity"]

PairWeights = Callable[[Tensor, Tensor], Tensor]
"""Rows ``(b, classes)`` and ``(m, classes)`` of probabilities to ``(b, m)`` numbers."""


@dataclass(frozen=True)
class LabelSimilarity:
    """A similarity of labels that is computed a block of pairs at a time.

    Args:
        name: for messages and representations.
        rows: targets and those of a reference (None: the same items again) to what ``block`` compares, one row an
            item, or class indices.
        block: some rows ``b`` and others ``m`` to ``(b, m)`` weights, a tensor of its own that may be changed.
        symmetric: whether the weight of two items is surely the same either way round.
    """

    name: str
    rows: Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
    block: PairWeights
    symmetric: bool = True


def label_similarity(similarity: str | PairWeights, of_geometry: Callable[[Tensor], Tensor]) -> LabelSimilarity:
    """The similarity of that name, or one's own.

    ================================== ===================================================================
    name                               weight of two items
    ================================== ===================================================================
    ``same_class``                     1 if their most likely classes are equal, else 0
    ``agreement``                      sum_c y_ic y_jc: the chance that a rater of one and a rater of the
                                       other vote alike
    ``chord``, ``angle``, ...          of C in [0, 2] of that geometry (:mod:`affectspace.labels.geometry`),
                                       what the loss makes of it
    a function                         what it makes of rows ``(b, classes)`` and ``(m, classes)``
    ================================== ===================================================================

    Args:
        similarity: a name of the table, or a function.
        of_geometry: C of a geometry to weights.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> import torch
        >>> alike = label_similarity("agreement", lambda c: c / 2)
        >>> rows, others = alike.rows(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), None)
        >>> alike.block(rows[:1], others)
        tensor([[0.5000, 0.5000]])
    """
    if callable(similarity):
        name = getattr(similarity, "__name__", type(similarity).__name__)
        return LabelSimilarity(name, _rows, _Checked(similarity), symmetric=False)
    if similarity == "same_class":
        return LabelSimilarity(similarity, _class_rows, _equal)
    if similarity == "agreement":
        return LabelSimilarity(similarity, _classes_or_rows, _agreement)
    if similarity in GEOMETRIES:
        return LabelSimilarity(similarity, _classes_or_rows, _OfGeometry(GEOMETRIES[similarity], of_geometry))
    known = ", ".join(("same_class", "agreement", *GEOMETRIES))
    raise ValueError(f"similarity {similarity!r} is unknown; choose one of {known}, or give a function of two tables")


# Functions of the module and not of a line, so that a loss can be sent to another process.
def _class_rows(targets: Tensor, others: Tensor | None) -> tuple[Tensor, Tensor]:
    classes = hard_classes(_indices(targets))
    return classes, classes if others is None else hard_classes(_indices(others)).to(classes.device)


def _rows(targets: Tensor, others: Tensor | None) -> tuple[Tensor, Tensor]:
    rows, other_rows = label_rows(_indices(targets), None if others is None else _indices(others).to(targets.device))
    dtype = torch.promote_types(rows.dtype, other_rows.dtype)
    return rows.to(dtype), other_rows.to(dtype)


def _classes_or_rows(targets: Tensor, others: Tensor | None) -> tuple[Tensor, Tensor]:
    """Class indices stay so where all are: one-hot rows of large ones, such as speakers, would fill the memory."""
    hard = all(t is None or (t.ndim == 1 and not t.is_floating_point()) for t in (targets, others))
    return _class_rows(targets, others) if hard else _rows(targets, others)


def _indices(targets: Tensor) -> Tensor:
    # unsigned ones wider than eight bits cannot be compared
    return targets if targets.is_floating_point() or targets.ndim != 1 else targets.long()


def _equal(a: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] == b).float()


def _agreement(a: Tensor, b: Tensor) -> Tensor:
    return _equal(a, b) if a.ndim == 1 else a @ b.T


_MOST_BY_ROUNDING = 1e-3
"""C of labels without a common class is less, since rows sum to one within 1e-4."""


@dataclass(frozen=True)
class _OfGeometry:
    geometry: Geometry
    of_geometry: Callable[[Tensor], Tensor]

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        if a.ndim == 1:
            return self.of_geometry(2 * _equal(a, b))
        c = self.geometry.label_similarity_matrix(a, b)
        # Labels without a common class are as different as can be; rounding of their sums is no similarity.
        if torch.compiler.is_compiling() or (c.numel() and c.amin() < _MOST_BY_ROUNDING):
            c.masked_fill_(a @ b.T == 0, 0.0)
        return self.of_geometry(c)


@dataclass(frozen=True)
class _Checked:
    """Somebody's own function, whose table is looked at and copied, since it may be theirs to keep."""

    similarity: PairWeights

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        weights = self.similarity(a, b)
        if weights.shape != (len(a), len(b)):
            raise ValueError(
                f"similarity made shape {tuple(weights.shape)}; expected {(len(a), len(b))}, a row an item"
            )
        return weights.clone()
