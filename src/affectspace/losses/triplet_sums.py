"""Sums over all triplets of an anchor, and their slopes, without a list of triplets.

The triplets of an anchor are every one of its positives with every one of its negatives, and the
loss of each depends on the two distances only through their difference. So a sum over P x N of
them can be had from P + N numbers: by sorting where the loss has a corner (:func:`hinge_sums`), by
polynomials where it is smooth (:class:`SmoothSums`).

Everything here works on a block of anchors: ``distances`` ``(anchors, rows)`` to every row of the
reference; ``same`` ``(anchors, rows)``, True for rows of the anchor's own class, itself included;
``own`` ``(anchors, most)``, the distances to its positives, with ``valid`` False where an anchor
has fewer.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["SmoothSums", "TripletSums", "hinge_sums", "pairwise_sums", "rank"]


@dataclass(frozen=True)
class TripletSums:
    """What a block of anchors adds to the loss.

    Args:
        value: ``(anchors,)`` sums of the losses of each anchor's triplets.
        chosen: ``(anchors,)`` int64, how many triplets those were.
        active: ``(anchors,)`` int64, how many of them had a loss above 0.
        slopes: ``(anchors, rows)`` derivatives of the values by the distances, 0 at rows of the own class.
        own_slopes: ``(anchors, most)`` derivatives by the distances to the positives.
    """

    value: Tensor
    chosen: Tensor
    active: Tensor
    slopes: Tensor
    own_slopes: Tensor


def rank(ascending: Tensor, values: Tensor, strictly: bool = False) -> Tensor:
    """How many entries of each ascending row are at most (or strictly below) each value of that row.

    As ``torch.searchsorted``, but every value takes the same steps, which a processor need not
    guess: three times as fast for values in no order.

    Args:
        ascending: ``(rows, entries)``, each row ascending.
        values: ``(rows, values)``.
        strictly: count entries below the value, and not those equal to it.

    Returns:
        int64, shape of ``values``; ``entries`` at most wherever the value is below infinity.

    Example:
        >>> rank(torch.tensor([[1.0, 2.0, 2.0]]), torch.tensor([[0.5, 2.0, 9.0]]))
        tensor([[0, 3, 3]])
    """
    step = 1 << max(ascending.shape[1].bit_length() - 1, 0)
    room = 2 * step - 1 - ascending.shape[1]
    table = torch.nn.functional.pad(ascending, (0, room), value=math.inf)
    found = torch.zeros_like(values, dtype=torch.long)
    # added up as floating point, in which a comparison costs a fifth of one that makes booleans
    entry, place = torch.empty_like(values), torch.zeros_like(values)
    while step:
        if step == (table.shape[1] + 1) // 2:
            entry.copy_(table[:, step - 1 : step].expand_as(entry))
        else:
            torch.gather(table[:, step - 1 :], 1, found, out=entry)
        below = entry.lt_(values) if strictly else entry.le_(values)
        found.copy_(place.add_(below, alpha=step))
        step //= 2
    return found


def hinge_sums(
    distances: Tensor, same: Tensor, own: Tensor, valid: Tensor, margin: float, semi_hard: bool = False
) -> TripletSums:
    r"""Sums of :math:`\max(0, d_{ap} - d_{an} + m)`, exactly, in O(rows log most) for each anchor.

    The loss is piecewise linear: of a negative it only matters how many of the sorted positives lie
    above :math:`d_{an} - m`, and their sum; of a positive, how many negatives lie below it. Semi-hard
    triplets are those positives less the ones above :math:`d_{an}`.
    """
    count = valid.sum(1)
    ascending, order = own.masked_fill(~valid, math.inf).sort(1)
    kept = torch.arange(own.shape[1], device=own.device) < count[:, None]
    # sums of differences keep their digits when both sides are measured from the same place
    centre = (ascending.masked_fill(~kept, 0).sum(1, keepdim=True) / count[:, None].clamp(min=1)) + margin
    exact = torch.float64 if own.device.type == "cpu" else own.dtype
    reach = (ascending + margin - centre).masked_fill(~kept, 0).to(exact)
    above = torch.nn.functional.pad(reach.flip(1).cumsum(1).flip(1), (0, 1))
    left = (count[:, None] - torch.arange(own.shape[1] + 1, device=own.device)).clamp(min=0)

    first = rank(ascending + margin, distances)
    edges = [(first, 1)]
    if semi_hard:
        # not below the first: a margin lost in the rounding of long distances leaves none, and not minus one
        edges.append((rank(ascending, distances, strictly=True).maximum(first), -1))
    # beyond all positives, an own row is no negative of any
    edges = [(place.masked_fill_(same, own.shape[1]), sign) for place, sign in edges]
    slopes = torch.zeros_like(distances)
    begun = torch.zeros(len(own), own.shape[1] + 1, dtype=own.dtype, device=own.device)
    one = torch.ones((), dtype=own.dtype, device=own.device).expand_as(distances)
    for place, sign in edges:
        slopes.sub_(left.to(own.dtype).gather(1, place), alpha=sign)
        begun.add_(torch.zeros_like(begun).scatter_add_(1, place, one), alpha=sign)
    value = (begun * above).sum(1) + (distances - centre).mul_(slopes).sum(1)
    active = (begun.long() * left).sum(1)
    own_slopes = torch.zeros_like(own).scatter_(1, order, begun.cumsum(1)[:, :-1] * kept)
    chosen = active if semi_hard else count * (same.shape[1] - same.sum(1))
    return TripletSums(value, chosen, active, slopes, own_slopes)


def pairwise_sums(
    distances: Tensor, same: Tensor, own: Tensor, valid: Tensor, margin: float, semi_hard: bool = False
) -> TripletSums:
    r"""Sums of :math:`\log(1 + e^{d_{ap} - d_{an} + m})`, one positive after the other, for distances of any size."""
    slopes, own_slopes = torch.zeros_like(distances), torch.zeros_like(own)
    value = torch.zeros(len(own), dtype=own.dtype, device=own.device)
    chosen = torch.zeros(len(own), dtype=torch.long, device=own.device)
    for positive in range(own.shape[1]):
        gap = own[:, positive, None] - distances
        takes = valid[:, positive, None] & ~same
        if semi_hard:
            takes = takes & (gap < 0) & (gap > -margin)
        gap.add_(margin)
        value += torch.where(takes, torch.nn.functional.softplus(gap, threshold=50), 0).sum(1)
        rising = gap.sigmoid_() * takes
        slopes -= rising
        own_slopes[:, positive] = rising.sum(1)
        chosen += takes.sum(1)
    # a NaN that no triplet takes must show as well
    value = value + 0 * distances.sum(1)
    return TripletSums(value, chosen, chosen, slopes, own_slopes)


class SmoothSums:
    r"""Sums of :math:`\log(1 + e^{d_{ap} - d_{an} + m})` for distances within a bound, without sorting.

    There the loss is, to rounding, a polynomial of the two distances: its nearest singularity lies
    :math:`i\pi` away from the real line, so that the error of interpolation in K Chebyshev nodes
    falls like :math:`\rho^{-K}`, with :math:`\rho = \pi/h + \sqrt{1 + (\pi/h)^2}` and h half the
    bound (6.4 for unit vectors). The sum over all pairs of a positive and a negative is then
    :math:`\sum_{jk} A_{jk} P_j N_k`, where P and N are the sums of the Chebyshev polynomials over
    the positives and over the negatives: O(rows K) for each anchor. The slopes likewise.

    Args:
        bound: no distance is above it, but for rounding.
        margin: m.
        dtype: of the computation. Its rounding is relative to the loss of a triplet that misses by
            the whole bound; what all triplets of far classes lose together may be far less.

    Example:
        >>> SmoothSums(2.0, 0.1, torch.float32).nodes, SmoothSums(2.0, 0.1, torch.float64).nodes
        (13, 24)
    """

    def __init__(self, bound: float, margin: float, dtype: torch.dtype):
        self.half = max(bound, 1e-3) / 2
        ratio = math.pi / self.half
        # three more than the rate asks for: it leaves out a factor, and the slopes need a digit more
        digits = -math.log(torch.finfo(dtype).eps / 8)
        self.nodes = math.ceil(digits / math.log(ratio + math.sqrt(1 + ratio**2))) + 3
        self.margin = margin
        self.dtype = dtype

    def suits(self, positives: int) -> bool:
        """False where distances may be so long that going through this many positives one by one is no slower."""
        return self.nodes <= max(64, 4 * positives)

    def __call__(self, distances: Tensor, same: Tensor, own: Tensor, valid: Tensor) -> TripletSums:
        loss, slope = self._tables(own.device)
        given = own.dtype
        distances, own = distances.to(self.dtype), own.to(self.dtype)
        negative, positive = (~same).to(own.dtype), valid.to(own.dtype)
        twice, own_twice = distances * (2 / self.half) - 2, own * (2 / self.half) - 2
        positives, _ = self._sums(own_twice, positive)
        negatives, slopes = self._sums(twice, negative, -positives @ slope)
        _, own_slopes = self._sums(own_twice, positive, negatives @ slope.T)
        value = ((positives @ loss) * negatives).sum(1).clamp(min=0)
        chosen = valid.sum(1) * (same.shape[1] - same.sum(1))
        return TripletSums(value, chosen, chosen, slopes.to(given), own_slopes.to(given))

    def _tables(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """``(nodes, nodes)`` coefficients of the loss and of its slope, positive by negative."""
        numbers = torch.arange(self.nodes, dtype=torch.float64)
        angle = (numbers + 0.5) * (math.pi / self.nodes)
        transform = (numbers[:, None] * angle).cos() * (2 / self.nodes)
        transform[0] /= 2
        transform *= torch.where(numbers % 4 < 2, 1.0, -1.0)[:, None]  # see _sums
        node = self.half * (1 + angle.cos())
        gap = node[:, None] - node + self.margin
        smooth = gap.clamp(min=0) + (-gap.abs()).exp().log1p(), gap.sigmoid()
        loss, slope = ((transform @ at_nodes @ transform.T).to(device, self.dtype) for at_nodes in smooth)
        return loss, slope

    def _sums(self, twice: Tensor, weights: Tensor, coefficients: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Each polynomial summed over a row, and their sum with these coefficients at each place.

        The polynomials are Chebyshev's, times the weights, with the signs + + - - + + - -, so that
        each follows from the one before the last by one addition in place. ``twice`` is twice their argument.
        """
        older, newer = weights.clone(), weights * twice / 2
        sums, sign = [older.sum(1), newer.sum(1)], -1
        total = torch.zeros_like(weights)
        if coefficients is not None:
            total = torch.addcmul(older * coefficients[:, :1], newer, coefficients[:, 1:2])
        for k in range(2, self.nodes):
            older.addcmul_(twice, newer, value=sign)
            older, newer, sign = newer, older, -sign
            sums.append(newer.sum(1))
            if coefficients is not None:
                total.addcmul_(newer, coefficients[:, k : k + 1])
        return torch.stack(sums, 1), total
