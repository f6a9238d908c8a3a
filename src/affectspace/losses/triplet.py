"""Triplet losses over every triplet of a batch, the semi-hard ones, or the hardest of each anchor."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.losses.gradients import once
from affectspace.losses.inputs import both_or_neither, check_embeddings, hard_classes, wide
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
        kind: ``"hinge"``, max(0, t); ``"soft_margin"``, log(1 + exp t), which never lets go.
        triplets: ``"all"``; ``"semi_hard"``, those with :math:`d_{ap} < d_{an} < d_{ap} + m`;
            ``"hard"``, each anchor's farthest positive with its nearest negative (of equal ones the first).
        average: ``"all"`` these triplets, or the ``"active"`` among them, whose loss is above 0: the
            gradient then stays as large when few are left. A soft margin leaves all of them active.
        normalise: compare the directions of the embeddings (scaled to length one) and not the embeddings.
        squared: the squared distance in place of the distance.
        block: about how many distances to hold at once; more is not faster.

    Shape:
        embeddings ``(items, dimensions)``; targets ``(items,)`` class indices of 0 or more, or
        ``(items, classes)`` probabilities, of which the most likely class counts; the loss is a
        scalar, at least 0, in float32 or better. With a reference ``(rows, dimensions)`` (another
        modality, a memory bank, what other processes gathered) the anchors are the items, and
        positives and negatives the rows of the reference, none of which is taken for the item
        itself; it receives its gradient unless detached.

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
    differentiable once. Equal embeddings pull and push in no direction: their gradient is 0.
    Under ``torch.compile`` there is no graph break (but for a soft margin without ``normalise``,
    whose range of distances must be known); values are not checked, nobody is warned, and rows of
    the reference count as positives of any anchor until compared, which makes it slower than eager.

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
        kind: Literal["hinge", "soft_margin"] = "hinge",
        triplets: Literal["all", "semi_hard", "hard"] = "all",
        average: Literal["all", "active"] = "all",
        normalise: bool = True,
        squared: bool = False,
        block: int = 2**19,
    ):
        super().__init__()
        _one_of("kind", kind, ("hinge", "soft_margin"))
        _one_of("triplets", triplets, ("all", "semi_hard", "hard"))
        _one_of("average", average, ("all", "active"))
        if not math.isfinite(margin) or (triplets == "semi_hard" and margin <= 0):
            raise ValueError(f"margin is {margin}; expected a finite number, above 0 for semi-hard triplets")
        if block < 1:
            raise ValueError(f"block is {block}; it must hold at least 1 distance")
        self.margin = float(margin)
        self.kind = kind
        self.triplets = triplets
        self.average = average
        self.normalise = normalise
        self.squared = squared
        self.block = block

    def extra_repr(self) -> str:
        names = ("margin", "kind", "triplets", "average", "normalise", "squared")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        reference: Tensor | None = None,
        reference_targets: Tensor | None = None,
    ) -> Tensor:
        both_or_neither(reference, reference_targets)
        classes = hard_classes(targets.to(embeddings.device))
        check_embeddings("embeddings", embeddings, len(classes))
        with torch.autocast(embeddings.device.type, enabled=False):
            items = self._prepared(embeddings)
            if reference is None or reference_targets is None:
                rows, row_classes, places = items, classes, torch.arange(len(items), device=items.device)
            else:
                row_classes = hard_classes(reference_targets)
                check_embeddings("reference", reference, len(row_classes))
                if reference.shape[1] != embeddings.shape[1]:
                    raise ValueError(
                        f"the reference has {reference.shape[1]} dimensions and the embeddings "
                        f"{embeddings.shape[1]}; they are compared, so give both the same"
                    )
                rows, places = self._prepared(reference).to(items.dtype), None
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

    def _prepared(self, embeddings: Tensor) -> Tensor:
        embeddings = wide(embeddings)
        return nn.functional.normalize(embeddings, dim=1) if self.normalise else embeddings

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
        if self.kind == "hinge":
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
                squared = measure(part)
                same = classes[part, None] == row_classes
                nearest = squared.masked_fill(same, math.inf).argmin(1)
                if places is not None:
                    same.scatter_(1, places[part, None], False)
                hardest.append(torch.stack([squared.masked_fill_(~same, -math.inf).argmax(1), nearest]))
        positive, negative = torch.cat(hardest, 1)
        # These few are measured once more, with a graph of their own.
        near, far = (items - rows[positive]).norm(dim=1), (items - rows[negative]).norm(dim=1)
        if self.squared:
            near, far = near.square(), far.square()
        gap = (near - far + self.margin).masked_fill(lonely, -math.inf)
        loss = gap.relu() if self.kind == "hinge" else nn.functional.softplus(gap, threshold=50)
        counts = gap > 0 if self.average == "active" and self.kind == "hinge" else ~lonely
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
            distances = measure(part) if squared else measure(part).sqrt_()
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
                item, row = measure.items[part], measure.rows
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
    """Squared distances of blocks of items to all rows, from one product of matrices.

    Small ones come out of that as the noise of larger numbers; they are measured again by subtracting.
    """

    close = 1e-3  # of the two lengths squared: rounding changes larger distances by some 1e-4 of themselves

    def __init__(self, items: Tensor, rows: Tensor, places: Tensor | None):
        # The nearer the origin, the smaller the rounding; distances do not depend on it.
        centre = rows.mean(0)
        self.items, self.rows, self.places = items - centre, rows - centre, places
        self.item_lengths, self.row_lengths = self.items.square().sum(1), self.rows.square().sum(1)

    def __call__(self, part: slice) -> Tensor:
        """``(items of the part, rows)``, 0 at an item's own place among the rows."""
        items, lengths = self.items[part], self.item_lengths[part, None]
        squared = torch.addmm(self.row_lengths, items, self.rows.T, alpha=-2).add_(lengths)
        close = squared < torch.add(self.row_lengths, lengths).mul_(self.close)
        if self.places is not None:
            squared.scatter_(1, self.places[part, None], 0)
            close.scatter_(1, self.places[part, None], False)
        if torch.compiler.is_compiling():
            noise = torch.add(self.row_lengths, lengths).mul_(16 * torch.finfo(squared.dtype).eps)
            return squared.masked_fill_(squared < noise, 0)
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
