"""Cross-entropy guided by squared earth mover's distances between classes that are learned on the way."""

from typing import Literal

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.ground_distance import NEUTRAL, ClassFeatures, learned_ground_distance, relation_strength
from affectspace.losses.inputs import beside, wide
from affectspace.losses.softmax import log_softmax

__all__ = ["GuidedEMDLoss", "guided_emd"]

Form = Literal["paper", "released"]
Variant = Literal["xemd1", "xemd2"]

#: omega and mu of the paper's two variants. Its text says that mu is negative, and then gives the
#: sizes 0.5 and 0.25: added as they stand, no prediction near the truth would ever be rewarded.
VARIANTS: dict[str, tuple[float, float]] = {"xemd1": (1.0, -0.5), "xemd2": (2.0, -0.25)}


def guided_emd(
    probabilities: Tensor,
    target: Tensor,
    ground_distance: Tensor,
    omega: float = 1.0,
    mu: float = -0.5,
    form: Form = "paper",
) -> Tensor:
    r"""Squared predictions, charged by how far their class lies from the true class *k*.

    .. math:: \sum_{i=1}^{C} p_i^2 \left(D_{ik}^{\omega} + \mu\right)

    With a negative :math:`\mu`, predictions of classes nearer than :math:`(-\mu)^{1/\omega}` are
    rewarded; both variants of the paper turn at D = 1/2, the mean of a learned distance.

    Args:
        probabilities: ``(items, classes)``, rows summing to one; they are not checked.
        target: ``(items,)`` class indices, or ``(items, classes)`` probabilities, over which the
            expectation is taken.
        ground_distance: ``(classes, classes)``, 0 or more; row: the class predicted, column: the
            true class.
        omega: exponent, above 0; the larger, the more only far classes are charged.
        mu: what is added to every distance.
        form: ``"paper"``, or ``"released"``: :math:`(p_i - 1_{i=k})^2` in place of :math:`p_i^2`, and a
            distance of 1 between each class and itself, so that what is missing from the true
            class is charged, as a known release computes it.

    Returns:
        ``(items,)`` in float32 or better; in the paper's form, with a :math:`\mu` of 0 or less, at least
        :math:`\mu` and below :math:`\max(D^\omega) + \mu`, or 0 where that is negative.

    Raises:
        ValueError: shapes that do not match, targets that are not probabilities, omega of 0 or less.

    Cost: a few tensors of items x classes; soft targets take items x classes^2 multiplications. It
    traces under ``torch.compile`` without a graph break with targets of either kind.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural
    Networks", 2016, Eq. 16.

    Example:
        The truth is rewarded, a near class less, and a far one charged:

        >>> distance = torch.tensor([[0.0, 0.25, 0.75], [0.25, 0.0, 0.25], [0.75, 0.25, 0.0]])
        >>> guided_emd(torch.eye(3), torch.tensor([0, 0, 0]), distance)
        tensor([-0.5000, -0.2500,  0.2500])
    """
    if not omega > 0:
        raise ValueError(f"omega is {omega}; an exponent of distances is above 0")
    if form not in ("paper", "released"):
        raise ValueError(f"form is {form!r}; choose one of 'paper', 'released'")
    classes = _check_rows("probabilities", probabilities, target)
    if ground_distance.shape != (classes, classes):
        raise ValueError(f"ground_distance has shape {tuple(ground_distance.shape)}; expected ({classes}, {classes})")
    with torch.autocast(probabilities.device.type, enabled=False):
        return _charged(wide(probabilities), as_distribution(target, classes), ground_distance, omega, mu, form)


class GuidedEMDLoss(nn.Module):
    r"""Cross-entropy with a squared earth mover's distance that finds the relations of the classes itself.

    .. math:: \frac1N \sum_n \Big[ -\sum_k t_{nk} \log p_{nk}
              + \lambda \sum_k t_{nk} \sum_i p_{ni}^2 \left(D_{ik}^{\omega} + \mu\right) \Big]

    While training, the loss gathers the features' mean of each class; ``epoch_end()`` turns these
    into D. For the first ``warm_up`` epochs :math:`\lambda` is 0. Then it is set once, such that the
    second term is ``ratio`` times smaller than the first:
    :math:`\lambda = (\text{mean CE} / \text{mean} |\text{EMD term}|) / \text{ratio}`, both means over
    the items of the last warm-up epoch, with the D of the epoch before it. (In the first epoch
    there is none, and D is 1/2 off the diagonal: only the true class is then rewarded. With
    ``warm_up=1`` the term is measured by that.)

    Call ``loss(logits, targets, features)`` in each step and ``loss.epoch_end()`` after each epoch.
    There are no additional forward passes. In evaluation mode (``loss.eval()``) nothing is gathered
    and features are not needed.

    Args:
        classes: how many classes there are.
        dimensions: how many numbers a feature vector has; not needed with a given ``ground_distance``.
        variant: ``"xemd1"`` (omega 1, mu -0.5) or ``"xemd2"`` (omega 2, mu -0.25).
        warm_up: epochs of cross-entropy alone, 1 or more.
        ratio: how many times smaller than the cross-entropy the second term is to start with; the
            paper has 3 to 4.
        ground_distance: ``(classes, classes)``, 0 to 1, zero on the diagonal: is used as it is, and
            nothing is learned.
        form: ``"paper"`` or ``"released"``, see :func:`guided_emd`.
        tolerance: None, the paper's ranks, or the share of the mean distance below which two
            distances are tied, see :func:`affectspace.losses.ground_distance.learned_ground_distance`.
            Among classes without relations, ranks spread accidents of one net over 0..1; ties of 0.2
            to 0.3 keep D constant there, and make the steps of a true order coarser.

    Attributes (buffers, so that the ``state_dict`` holds all that a resumed training needs):
        ground_distance: D, ``(classes, classes)``.
        emd_weight: lambda, a scalar; 0 during warm-up.
        epoch: how many epochs have ended.
        strength: :func:`affectspace.losses.ground_distance.relation_strength` at the last
            ``epoch_end()``, the paper's SDD; NaN before, and where D was given.

    Shape:
        logits ``(items, classes)``; targets ``(items,)`` class indices or ``(items, classes)``
        probabilities; features ``(items, dimensions)``, what the last linear layer reads; they get
        no gradient from here. The loss is a scalar in float32 or better, and may be negative.

    Raises:
        ValueError: an option that there is not, shapes that do not match, targets that are not
            probabilities, or no features where D is learned.

    Warns:
        DegenerateBatchWarning: there are no items; the loss is then 0, with a graph.

    A class without any item in an epoch is at :data:`affectspace.losses.ground_distance.NEUTRAL` from the
    others in the next. The logarithm is taken of the logits (``log_softmax``), which is exact for probabilities
    that underflow; the paper adds 1e-6 to them instead, which lets items whose truth is below that go.

    On several processes each gathers its own items. Sum them before each ``epoch_end()``, which then comes to the
    same on all: ``for tensor in loss.gathered(): torch.distributed.all_reduce(tensor)``. Keep the loss out of
    ``DistributedDataParallel``, which would overwrite its buffers by those of the first process.

    It traces under ``torch.compile`` without a graph break, in training too; ``epoch_end()`` is not
    meant to be compiled. Cost beside cross-entropy: items x classes x (classes + dimensions)
    multiplications a step.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural
    Networks", 2016, Sec. 3 and 4.3. The tolerance is ours.

    Example:
        >>> features, targets = torch.tensor([[1.0, 0.0], [0.6, 0.4], [0.0, 1.0]]), torch.tensor([0, 1, 2])
        >>> loss = GuidedEMDLoss(classes=3, dimensions=2, warm_up=1)
        >>> head = torch.nn.Linear(2, 3)
        >>> for epoch in range(2):
        ...     loss(head(features), targets, features).backward()
        ...     loss.epoch_end()
        >>> loss.ground_distance
        tensor([[0.0000, 0.3333, 0.6667],
                [0.3333, 0.0000, 0.5000],
                [0.6667, 0.5000, 0.0000]])
        >>> loss.emd_weight.item() > 0
        True
    """

    ground_distance: Tensor
    emd_weight: Tensor
    epoch: Tensor
    strength: Tensor
    totals: Tensor

    def __init__(
        self,
        classes: int,
        dimensions: int | None = None,
        variant: Variant = "xemd1",
        warm_up: int = 4,
        ratio: float = 3.5,
        ground_distance: Tensor | None = None,
        form: Form = "paper",
        tolerance: float | None = None,
    ):
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant is {variant!r}; choose one of {', '.join(map(repr, VARIANTS))}")
        if form not in ("paper", "released"):
            raise ValueError(f"form is {form!r}; choose one of 'paper', 'released'")
        if warm_up < 1:
            raise ValueError(f"warm_up is {warm_up}; the weight is measured in the last of 1 or more epochs")
        if not ratio > 0:
            raise ValueError(f"ratio is {ratio}; expected a number above 0, 3 to 4 in the paper")
        if tolerance is not None and not tolerance >= 0:
            raise ValueError(f"tolerance is {tolerance}; expected a share of the mean distance, 0 or more, or None")
        if ground_distance is None and dimensions is None:
            raise ValueError("give the features' dimensions to learn a ground distance, or a ground_distance")
        self.variant, self.warm_up, self.ratio, self.tolerance = variant, warm_up, ratio, tolerance
        self.form: Form = form
        self.omega, self.mu = VARIANTS[variant]
        self.features = None
        if ground_distance is None:
            assert dimensions is not None
            self.features = ClassFeatures(classes, dimensions)
            ground_distance = torch.full((classes, classes), NEUTRAL).fill_diagonal_(0)
        self.register_buffer("ground_distance", _given(ground_distance, classes))
        self.register_buffer("emd_weight", torch.zeros(()))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))
        self.register_buffer("strength", torch.full((), torch.nan))
        # of the epoch so far: the cross-entropy of all items, the size of their EMD term, and their number
        self.register_buffer("totals", torch.zeros(3))

    def extra_repr(self) -> str:
        options = ("variant", "warm_up", "ratio", "form", "tolerance")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in options)

    def forward(self, logits: Tensor, targets: Tensor, features: Tensor | None = None) -> Tensor:
        targets = beside(logits, targets)
        classes = _check_rows("logits", logits, targets)
        if classes != len(self.ground_distance):
            raise ValueError(f"logits have {classes} classes; there were to be {len(self.ground_distance)}")
        if not len(logits):
            return nothing_to_learn(logits, "it holds no item")
        if self.training and self.features is not None and features is None:
            raise ValueError("training learns the ground distance from features; give what the last layer reads")
        with torch.autocast(logits.device.type, enabled=False):
            log_p = log_softmax(wide(logits))
            target = as_distribution(targets, classes)
            # a class that a label rules out may be ruled out by the logits too, by -inf
            cross_entropy = -(target * log_p).masked_fill(target == 0, 0).sum(-1)
            emd = _charged(log_p.exp(), target, self.ground_distance, self.omega, self.mu, self.form)
            if self.training:
                if self.features is not None and features is not None:
                    self.features.update(features, targets)
                self._gather(cross_entropy, emd)
            return (cross_entropy + self.emd_weight * emd).mean()

    def epoch_end(self) -> None:
        """Learn D anew from the epoch's features; at the end of the warm-up, set lambda; then start gathering afresh.

        Raises:
            ValueError: nothing was gathered since the last call, what was gathered is not finite, or
                the size of the EMD term is 0, so that lambda cannot be set. Nothing is changed then.
        """
        cross_entropy, emd, items = self.totals.tolist()
        if not items:
            raise ValueError("no item was gathered since the last epoch_end(); call it after training steps")
        centroids = present = None
        if self.features is not None:
            centroids, present = self.features.centroids(), self.features.present
        for name, sums in (("losses", self.totals), ("features", centroids)):
            if sums is not None and not sums.isfinite().all():
                epoch = int(self.epoch) + 1
                raise ValueError(f"some {name} of epoch {epoch} were infinite or NaN; leave such steps out")
        if int(self.epoch) + 1 == self.warm_up:
            if not emd:
                raise ValueError("the EMD term of every item was 0, to which no weight is a share of the cross-entropy")
            self.emd_weight.fill_(cross_entropy / emd / self.ratio)
        if centroids is not None and self.features is not None:
            self.ground_distance.copy_(learned_ground_distance(centroids, present, self.tolerance))
            self.strength.copy_(relation_strength(centroids, present))
            self.features.reset()
        self.totals.zero_()
        self.epoch += 1

    def gathered(self) -> list[Tensor]:
        """The buffers of the epoch so far, all sums, to be added up over processes in place."""
        return [self.totals] if self.features is None else [self.totals, self.features.sums, self.features.counts]

    @torch.no_grad()
    def _gather(self, cross_entropy: Tensor, emd: Tensor) -> None:
        if self.totals.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"the loss was cast to {self.totals.dtype}; cast the model without it, to count exactly")
        items = torch.ones_like(emd)
        self.totals += torch.stack([cross_entropy, emd.abs(), items]).sum(-1).to(self.totals.dtype)


def _charged(p: Tensor, shares: Tensor, ground_distance: Tensor, omega: float, mu: float, form: Form) -> Tensor:
    charges = ground_distance.to(p.dtype) ** omega + mu
    shares = shares.to(p.dtype)
    if form == "paper":
        return (p.square() * (shares @ charges.mT)).sum(-1)
    others = charges.masked_fill(torch.eye(len(charges), dtype=torch.bool, device=charges.device), 0)
    # (1 - p)^2 is kept as it is: multiplied out, a probability near 1 would lose its digits
    missed = (shares * (1 - p).square()).sum(-1) * (1 + mu)
    return (p.square() * (shares @ others.mT)).sum(-1) + missed


def _check_rows(name: str, rows: Tensor, targets: Tensor) -> int:
    if rows.ndim != 2 or not rows.is_floating_point() or targets.shape[:1] != rows.shape[:1]:
        given = f"{rows.dtype} of shape {tuple(rows.shape)} for targets of shape {tuple(targets.shape)}"
        raise ValueError(f"{name} are {given}; expected floating point (items, classes), a row a target")
    return rows.shape[-1]


def _given(ground_distance: Tensor, classes: int) -> Tensor:
    if ground_distance.shape != (classes, classes):
        raise ValueError(f"ground_distance has shape {tuple(ground_distance.shape)}; expected ({classes}, {classes})")
    rows = wide(ground_distance.detach()).clone()
    if not ((rows >= 0) & (rows <= 1)).all():
        span = f"{rows.min():.4f} to {rows.max():.4f}"
        raise ValueError(f"ground_distance goes from {span}; divide by its largest entry, to 0..1")
    if rows.diagonal().any():
        raise ValueError("ground_distance is not 0 between each class and itself; set its diagonal to 0")
    return rows
