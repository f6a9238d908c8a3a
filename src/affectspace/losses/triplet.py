"""Triplet losses over every triplet of a batch, the semi-hard ones, or the hardest of each anchor."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.losses.gradients import once
from affectspace.losses.inputs import beside, both_or_neither, check_embeddings, hard_classes
from affectspace.losses.streamed import comparable
from affectspace.losses.triplet_sums import SmoothSums, TripletSums, hinge_sums, pairwise_sums

__all__ = ["TripletLoss"]

_LONELY = (
    "an anchor needs another item of its class and one of another class; "
    "draw batches of several classes with several items each"
)


class TripletLoss(nn.Module):
    r"""An item lies nearer to those of its class than to those of other classes, by a margin.

    .. math:: \frac{1}{|T|} \sum_{(a, p, n) \in T} \ell(d_{ap} - d_{an} + m), \qquad
              \ell(t) = \max(0, t) \;\text{or}\; \log(1 + e^t)

    over triplets of an anchor a, a positive p (another item of its class) and a negative n (an item
    of another class); d is the Euclidean distance. No triplet is ever listed: the sums over all of
    them are exact and come from the distances alone, block by block.

    Args:
        margin: m; above 0 for semi-hard triplets.
        form: ``"hinge"``, max(0, t); ``"soft_margin"``, log(1 + exp t), which never lets go.
        triplets: ``"all"``; ``"semi_hard"``, those with :math:`d_{ap} < d_{an} < d_{ap} + m`;
            ``"hard"``, each anchor's farthest positive with its nearest negative (of equal ones the first).
        average: ``"all"`` these triplets, or the ``"active"`` among them, whose loss is above 0: the
            gradient then stays as large when few are left. A soft margin leaves all of them active.
        normalise: compare the directions of the embeddings (scaled to length one) and not the embeddings;
            a row of zeros has none and stays.
        squared: the squared distance in place of the distance.
        block: about how many distances to hold at once; more is not faster.

    Shape:
        embeddings ``(items, dimensions)``; targets ``(items,)`` class indices of 0 or more, or
        ``(items, classes)`` probabilities, of which the most likely class counts; the loss is a
        scalar, at least 0, in float32, or in float64 where either side is. With a reference
        ``(rows, dimensions)`` (another modality, a memory bank, what other processes gathered) the
        anchors are the items, and positives and negatives the rows of the reference, none of which
        is taken for the item itself; it receives its gradient unless detached.

    Raises:
        ValueError: an option that does not exist, targets that are no classes, shapes that do not match.

    Warns:
        LeftOutWarning: some anchors have no positive, or no negative; the loss is the mean over the others' triplets.
        DegenerateBatchWarning: no anchor has both; the loss is then 0, with a graph.

    Where triplets exist and none is active, or none is semi-hard, the loss is 0 with a graph and
    without a warning: there is nothing left to learn from this batch.

    Cost: O(items rows (dimensions + log positives)) time with a hinge, O(items rows dimensions)
    with a soft margin of unit vectors or over the hardest; memory for one block of distances, at
    some 40 bytes each, and for the gradient. A soft margin of semi-hard triplets is summed pair by
    pair, in O(items rows positives) time. Without ``normalise`` a soft margin over all takes some 6
    operations a distance for each unit of the longest distance (in float64 on the CPU; elsewhere in
    the type given, right to some 1e-7 of that distance), or pair by pair where that is less.

    Values and gradients are computed in one pass, and so, but for ``"hard"``, the loss is
    differentiable once. Equal embeddings pull and push in no direction: their gradient is 0. In
    float32 those count as equal whose distance is below 1e-7 of their lengths from the centre of the
    batch (on the CPU; elsewhere only those that are), and of a pair at 3e-4 of them the gradient is
    right to 1e-3.

    Under ``torch.compile`` there is no graph break (but for a soft margin without ``normalise``,
    whose range of distances must be known); values are not checked, nobody is warned, and rows of
    the reference count as positives of any anchor until compared, which makes it slower than eager;
    so does subtracting every pair of rows, in float64 or off the CPU, where eager multiplies them
    and subtracts the near ones only.

    Source: Schroff, Kalenichenko & Philbin, "FaceNet: A Unified Embedding for Face Recognition and
    Clustering", CVPR 2015, Eq. 1-4 (semi-hard); Hermans, Beyer & Leibe, "In Defense of the Triplet
    Loss for Person Re-Identification", 2017, Eq. 5 (hard), Eq. 6 (all), section 3.2 (soft margin).

    Example:
        Two classes on an arc, side by side:

        >>> loss = TripletLoss(margin=0.5)
        >>> angle = torch.tensor([0.0, 0.5, 0.9, 1.4])
        >>> embeddings = torch.stack([angle.cos(), angle.sin()], 1).requires_grad_()
        >>> value = loss(embeddings, torch.tensor([0, 0, 1, 1]))
        >>> round(value.item(), 4)
        0.2118
        >>> value.backward()
        >>> embeddings.grad.shape
        torch.Size([4, 2])
    """

    def __init__(
        self,
        margin: float = 0.2,
        form: Literal["hinge", "soft_margin"] = "hinge",
        triplets: Literal["all", "semi_hard", "hard"] = "all",
        average: Literal["all", "active"] = "all",
        normalise: bool = True,
        squared: bool = False,
        block: int = 2**19,
    ):
        super().__init__()
        _one_of("form", form, ("hinge", "soft_margin"))
        _one_of("triplets", triplets, ("all", "semi_hard", "hard"))
        _one_of("average", average, ("all", "active"))
        if not math.isfinite(margin) or (triplets == "semi_hard" and margin <= 0):
            raise ValueError(f"margin is {margin}; expected a finite number, above 0 for semi-hard triplets")
        if block < 1:
            raise ValueError(f"block is {block}; it must hold at least 1 distance")
        self.margin = float(margin)
        self.form = form
        self.triplets = triplets
        self.average = average
        self.normalise = normalise
        self.squared = squared
        self.block = block

    def extra_repr(self) -> str:
        names = ("margin", "form", "triplets", "average", "normalise", "squared")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        reference: Tensor | None = None,
        reference_targets: Tensor | None = None,
    ) -> Tensor:
        both_or_neither(reference, reference_targets)
        classes = hard_classes(beside(embeddings, targets))
        check_embeddings("embeddings", embeddings, len(classes))
        with torch.autocast(embeddings.device.type, enabled=False):
            row_classes, places = classes, torch.arange(len(classes), device=embeddings.device)
            if reference is not None and reference_targets is not None:
                places = None
                row_classes = hard_classes(beside(embeddings, reference_targets, "reference_targets"))
                check_embeddings("reference", reference, len(row_classes))
            items, others = comparable(embeddings, reference, self.normalise)
            rows = items if others is None else others
            by_class, order = row_classes.sort(stable=True)
            begin = torch.searchsorted(by_class, classes)
            count = torch.searchsorted(by_class, classes, right=True) - begin
            partners = count - int(places is not None)
            lonely = (partners < 1) | (count == len(rows))
            if not torch.compiler.is_compiling() and bool(lonely.all()):
                return nothing_to_learn(items if places is not None else torch.cat([items, rows]), _LONELY)
            leave_out(lonely, _LONELY)
            if self.triplets == "hard":
                return self._hard(items, classes, rows, row_classes, places, lonely)
            return self._streamed(items, rows, places, order, begin, count, classes)

    def _streamed(
        self,
        items: Tensor,
        rows: Tensor,
        places: Tensor | None,
        order: Tensor,
        begin: Tensor,
        count: Tensor,
        classes: Tensor,
    ) -> Tensor:
        # With anchors of one class side by side, a block is as wide as the largest of its classes, not of all.
        by_class = classes.argsort(stable=True)
        if places is not None:
            places = order.argsort()[by_class]
        rows = rows[order]
        return _Streamed.apply(
            items[by_class], rows, begin[by_class], count[by_class], places,
            self._rule(items, rows, count), self.squared, self.average == "active", self.block,
        )  # fmt: skip

    def _rule(
        self, items: Tensor, rows: Tensor, count: Tensor
    ) -> Callable[[Tensor, Tensor, Tensor, Tensor], TripletSums]:
        semi_hard = self.triplets == "semi_hard"
        if self.form == "hinge":
            return partial(hinge_sums, margin=self.margin, semi_hard=semi_hard)
        pairwise = partial(pairwise_sums, margin=self.margin, semi_hard=semi_hard)
        if semi_hard:
            return pairwise
        bound, positives, dtype = 2.0, 0, items.dtype
        if not self.normalise:
            centre = rows.detach().mean(0)
            bound = float(sum((each.detach() - centre).norm(dim=1).max() for each in (items, rows)))
            positives = int(count.max())
            # classes far apart lose less than float32 can tell from 0 beside the longest distance
            dtype = torch.float64 if items.device.type == "cpu" else dtype
        bound = bound**2 if self.squared else bound
        if not math.isfinite(bound):
            return pairwise
        sums = SmoothSums(bound, self.margin, dtype)
        return sums if sums.suits(positives) else pairwise

    def _hard(
        self, items: Tensor, classes: Tensor, rows: Tensor, row_classes: Tensor, places: Tensor | None, lonely: Tensor
    ) -> Tensor:
        hardest: list[Tensor] = []
        with torch.no_grad():
            measure = _Distances(items, rows, places)
            for part in _blocks(len(items), len(rows), self.block):
                distances = measure(part)
                same = classes[part, None] == row_classes
                nearest = distances.masked_fill(same, math.inf).argmin(1)
                if places is not None:
                    same.scatter_(1, places[part, None], False)
                hardest.append(torch.stack([distances.masked_fill_(~same, -math.inf).argmax(1), nearest]))
        positive, negative = torch.cat(hardest, 1)
        # These few are measured once more, with a graph of their own.
        near, far = (items - rows[positive]).norm(dim=1), (items - rows[negative]).norm(dim=1)
        if self.squared:
            near, far = near.square(), far.square()
        gap = (near - far + self.margin).masked_fill(lonely, -math.inf)
        loss = gap.relu() if self.form == "hinge" else nn.functional.softplus(gap, threshold=50)
        counts = gap > 0 if self.average == "active" and self.form == "hinge" else ~lonely
        return loss.sum() / counts.sum().clamp(min=1)


class _Streamed(torch.autograd.Function):
    """The mean of a rule's sums over blocks of anchors, with the gradient found in the same pass."""

    @staticmethod
    def forward(
        ctx: Any,
        items: Tensor,
        rows: Tensor,
        begin: Tensor,
        count: Tensor,
        places: Tensor | None,
        rule: Callable[[Tensor, Tensor, Tensor, Tensor], TripletSums],
        squared: bool,
        active: bool,
        block: int,
    ) -> Tensor:
        measure = _Distances(items, rows, places)
        centred = measure.rows.to(rows.dtype)
        learns = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        item_gradient, row_gradient = torch.empty_like(items), torch.zeros_like(rows)
        value = torch.zeros((), dtype=torch.float64 if items.device.type == "cpu" else items.dtype, device=items.device)
        triplets = torch.zeros((), dtype=torch.long, device=items.device)
        column = torch.arange(len(rows), device=items.device)
        parts = _blocks(len(items), len(rows), block)
        widths = [len(rows)] * len(parts)
        if not torch.compiler.is_compiling():
            widths = torch.stack([count[part].max() for part in parts]).tolist()
        for part, width in zip(parts, widths):
            distances = measure(part, squared)
            first, last = begin[part, None], (begin + count)[part, None]
            place = first + column[:width]
            valid = place < last
            if places is not None:
                valid = valid & (place != places[part, None])
            place = place.clamp(max=len(rows) - 1)
            same = (column >= first) & (column < last)
            sums = rule(distances, same, distances.gather(1, place), valid)
            value += sums.value.sum()
            triplets += (sums.active if active else sums.chosen).sum()
            if learns:
                pull = sums.slopes.scatter_add_(1, place, sums.own_slopes)
                # each distance pulls along the difference of its two rows
                pull = pull.mul_(2) if squared else pull.div_(distances.masked_fill_(distances == 0, math.inf))
                item, row = measure.items[part].to(items.dtype), centred
                item_gradient[part] = torch.addmm(pull.sum(1, keepdim=True) * item, pull, row, alpha=-1)
                row_gradient.addcmul_(pull.sum(0)[:, None], row).addmm_(pull.T, item, alpha=-1)
        triplets = triplets.clamp(min=1).to(value.dtype)
        if learns:
            scale = triplets.to(items.dtype)
            ctx.save_for_backward(item_gradient.div_(scale), row_gradient.div_(scale), items, rows)
        return (value / triplets).to(items.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        item_gradient, row_gradient, items, rows = ctx.saved_tensors
        return once(upstream[0] * item_gradient, items), once(upstream[0] * row_gradient, rows), *[None] * 7


class _Distances:
    """Distances of blocks of items to all rows, from one product of matrices.

    Small ones come out of that as the noise of larger numbers. On the CPU, numbers in float32 are
    therefore multiplied in float64, whose noise lies where float32 tells no two rows apart.
    Elsewhere the small ones are measured again by subtracting; in a compiled graph, which cannot
    know how many those are, all are measured so.
    """

    close = 1e-3  # of the two lengths squared: rounding changes larger distances by some 1e-4 of themselves
    equal = torch.finfo(torch.float32).eps ** 2

    def __init__(self, items: Tensor, rows: Tensor, places: Tensor | None):
        self.dtype = rows.dtype
        self.widened = rows.device.type == "cpu" and rows.dtype == torch.float32
        if self.widened:
            items, rows = items.double(), rows.double()
        # The nearer the origin, the smaller the rounding; distances do not depend on it.
        centre = rows.mean(0)
        self.items, self.rows, self.places = items - centre, rows - centre, places
        self.item_lengths, self.row_lengths = self.items.square().sum(1), self.rows.square().sum(1)

    def __call__(self, part: slice, squared: bool = False) -> Tensor:
        """``(items of the part, rows)``, squared or not, 0 at an item's own place among the rows."""
        if torch.compiler.is_compiling() and not self.widened:
            found = torch.cdist(self.items[part], self.rows, compute_mode="donot_use_mm_for_euclid_dist")
            found = found.square() if squared else found
        else:
            found = self._product(part)
            found = found if squared else found.sqrt_()
        return found if self.places is None else found.scatter_(1, self.places[part, None], 0)

    def _product(self, part: slice) -> Tensor:
        items, lengths = self.items[part], self.item_lengths[part, None]
        squared = torch.addmm(self.row_lengths, items, self.rows.T, alpha=-2).add_(lengths).to(self.dtype)
        scale = torch.add(self.row_lengths.to(self.dtype), lengths.to(self.dtype))
        if self.widened:
            return squared.masked_fill_(squared <= scale.mul_(self.equal), 0)
        close = squared < scale.mul_(self.close)
        if self.places is not None:
            close.scatter_(1, self.places[part, None], False)
        if bool(close.any()):
            for pairs in close.nonzero().split(2**14):
                item, row = pairs.unbind(1)
                squared[item, row] = (items[item] - self.rows[row]).square().sum(1)
        return squared.clamp_(min=0)


def _blocks(items: int, rows: int, block: int) -> list[slice]:
    step = max(1, block // max(rows, 1))
    return [slice(start, start + step) for start in range(0, items, step)]


def _one_of(name: str, given: str, legal: tuple[str, ...]) -> None:
    if given not in legal:
        raise ValueError(f"{name} is {given!r}; choose one of {', '.join(map(repr, legal))}")
