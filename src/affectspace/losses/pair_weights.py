"""Weights of pairs under which their similarity is neutral on average."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

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
        return _add_up(_excess(c, None), None)

    def plus(self, other: "PairSums") -> "PairSums":
        return PairSums(*(a + b for a, b in zip(self, other)))

    def weights(self, c: Tensor) -> Tensor:
        """Weights of some of these pairs; see :func:`balanced_pair_weights`."""
        return self.shares().weights(c)

    def shares(self) -> "PairShares":
        """The weight of a pair above neutral, below and at it; all 0 where the pairs cannot be balanced."""
        # There must be pairs, on both sides of neutral or on none; NaN passes, so that it shows.
        both_or_none = (self.n_above == 0) == (self.n_below == 0)
        can_balance = (both_or_none & (self.n > 0)) | self.above.isnan()
        factor_of = self.n_above * self.below + self.n_below * self.above
        neutral = can_balance.to(self.above.dtype) / self.n.clamp(min=1)
        scale = (self.n_above + self.n_below) * neutral / factor_of.clamp(min=torch.finfo(self.above.dtype).tiny)
        return PairShares(self.below * scale, self.above * scale, neutral)


class PairShares(NamedTuple):
    """Weights of one pair above neutral, one below and one at it."""

    above: Tensor
    below: Tensor
    neutral: Tensor

    def weights(self, c: Tensor) -> Tensor:
        """Weights of pairs with these similarities."""
        return _weights(self, _excess(c, None), None)


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
    excess = _excess(c, mask)
    return _weights(_add_up(excess, mask).shares(), excess, mask)


def _add_up(excess: Tensor, mask: Tensor | None) -> PairSums:
    side = excess.sign()
    one_sided, sided = side.sum(), side.abs_().sum()
    n = torch.tensor(excess.numel(), device=excess.device) if mask is None else mask.sum()
    above, below = excess.clamp(min=0).sum(), -excess.clamp(max=0).sum()
    return PairSums(above, below, ((sided + one_sided) / 2).long(), ((sided - one_sided) / 2).long(), n)


def _weights(shares: PairShares, excess: Tensor, mask: Tensor | None) -> Tensor:
    # Products with signs: to choose by a mask takes ten times as long.
    side = excess.sign()
    weights = side.clamp(min=0).mul_(shares.above).sub_(side.clamp(max=0).mul_(shares.below))
    neutral = side.abs_().neg_().add_(1) if mask is None else mask.to(side.dtype) - side.abs_()
    return weights.add_(neutral.mul_(shares.neutral))


def _excess(c: Tensor, mask: Tensor | None) -> Tensor:
    """By how much pairs lie above neutral similarity; 0 within rounding of it, and outside the mask."""
    excess = nn.functional.hardshrink(c.detach() - 1, 16 * torch.finfo(c.dtype).eps)
    return excess if mask is None else excess.masked_fill(~mask, 0)
