"""Weights of pairs under which their similarity is neutral on average."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["PairSums", "balanced_pair_weights"]


class PairSums(NamedTuple):
    """All that the weight of one pair has to know of the others; of pairs in blocks, the sums add up.

    Args:
        above: A, by how much similarities above neutral exceed it.
        below: B, by how much those below fall short of it.
        n_above: how many lie above.
        n_below: how many lie below.
        n: how many there are.

    Example:
        >>> c = torch.tensor([2.0, 1.5, 1.5, 0.0, 1.0])
        >>> sums = PairSums.of(c[:2]).plus(PairSums.of(c[2:]))
        >>> bool((sums.weights(c) == balanced_pair_weights(c)).all())
        True
    """

    above: Tensor
    below: Tensor
    n_above: Tensor
    n_below: Tensor
    n: Tensor

    @classmethod
    def of(cls, c: Tensor) -> "PairSums":
        """Of all pairs with these similarities."""
        return _add_up(*_sides(c, None))

    def plus(self, other: "PairSums") -> "PairSums":
        return PairSums(*(a + b for a, b in zip(self, other)))

    def can_balance(self) -> Tensor:
        """True if there are pairs, on both sides of neutral or on none; and for NaN, so that it shows."""
        both_or_none = (self.n_above == 0) == (self.n_below == 0)
        return (both_or_none & (self.n > 0)) | self.above.isnan() | self.below.isnan()

    def weights(self, c: Tensor) -> Tensor:
        """Weights of some of these pairs; see :func:`balanced_pair_weights`."""
        return _weights(self, *_sides(c, None))


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
    sides = _sides(c, mask)
    return _weights(_add_up(*sides), *sides)


def _add_up(excess: Tensor, above: Tensor, below: Tensor, mask: Tensor) -> PairSums:
    return PairSums((excess * above).sum(), -(excess * below).sum(), above.sum(), below.sum(), mask.sum())


def _weights(sums: PairSums, excess: Tensor, above: Tensor, below: Tensor, mask: Tensor) -> Tensor:
    factor_of = sums.n_above * sums.below + sums.n_below * sums.above
    scale = (sums.n_above + sums.n_below) / factor_of.masked_fill(factor_of == 0, 1.0)
    weights = above * (sums.below * scale) + below * (sums.above * scale) + (mask & ~above & ~below)
    return torch.where(sums.can_balance(), weights / sums.n.clamp(min=1), 0.0).to(excess.dtype)


def _sides(c: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    c = c.detach()
    if mask is None:
        mask = torch.ones_like(c, dtype=torch.bool)
    excess = torch.where(mask, c - 1, 0)
    rounding = 16 * torch.finfo(c.dtype).eps
    return excess, mask & (excess > rounding), mask & (excess < -rounding), mask
