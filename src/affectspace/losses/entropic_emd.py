r"""Earth mover's distance between class distributions under any ground distance, smoothed by entropy.

.. math:: \mathrm{OT}_\varepsilon(p, t) = \min_{T 1 = p,\; T^\top 1 = t,\; T \ge 0}
    \sum_{ij} T_{ij} D_{ij} + \varepsilon\, \mathrm{KL}(T \,\|\, p \otimes t)

Three definitions are in use. They share the plan T, and differ in value and gradient:

============================== =========================== ==================================================
what is added to <T, D>        value                       where
============================== =========================== ==================================================
:math:`\varepsilon` KL(T|p t)  this one                    geomloss (``debias=False``, eps = ``blur**p``),
                                                           POT's ``solve_batch`` with ``reg_type="kl"``
:math:`-\varepsilon` H(T)      less eps (H(p) + H(t))      POT's ``solve_batch`` as it comes
nothing (T stays as it is)     less eps KL(T|p t)          Cuturi's dual-Sinkhorn divergence, POT's
                                                           ``sinkhorn2``
============================== =========================== ==================================================

The first is the one to train on: the second rewards a prediction for its own entropy. The third, the cost of the
transport alone, is not what its plan minimises, so that the dual potential is not its gradient; it is not offered.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.entropic_emd_solver import NotConvergedWarning, solve
from affectspace.losses.gradients import once
from affectspace.losses.inputs import beside, wide
from affectspace.losses.softmax import softmax

__all__ = ["EntropicEMDLoss", "NotConvergedWarning", "entropic_emd"]


def entropic_emd(
    prediction: Tensor,
    target: Tensor,
    ground_distance: Tensor,
    regulariser: float = 0.1,
    iterations: int = 100,
    tolerance: float = 1e-6,
) -> Tensor:
    r"""Entropic earth mover's distance of each row, with the exact gradient.

    .. math:: \min_{T 1 = p,\; T^\top 1 = t,\; T \ge 0}
        \langle T, D\rangle + \varepsilon\, \mathrm{KL}(T \,\|\, p \otimes t)
        = \max_{f, g} \langle p, f\rangle + \langle t, g\rangle \quad\text{where}\quad
        f_i = -\varepsilon \log \sum_j t_j e^{(g_j - D_{ij}) / \varepsilon}

    A few Sinkhorn iterations, at regularisers that halve down to the one asked for, are followed by Newton's method on
    the potential g, which doubles the digits at each step where Sinkhorn's iterations would need thousands. By
    the envelope theorem the gradient is the pair of potentials, f for the prediction and g for the target, each less
    its mean under its own row (both rows are divided by their sums, so that a change of mass alone changes nothing).
    Where the target is one-hot there is one plan only, the value is :math:`\sum_i p_i D_{ik}`, and nothing iterates.

    The gradient with respect to an entry that is 0 is the one-sided one, towards more mass. Where the rows agree to
    rounding and the regulariser is below about 1/40 of all distances, the potentials are determined to rounding too.

    Values are float64 inside on a CPU, else float32 (float64 where an input is); float32 or better comes back.
    It is differentiable once. ``torch.compile`` takes the solver as one call that it does not look into.

    Args:
        prediction: probabilities, shape ``(batch, classes)``, rows summing to one.
        target: probabilities, same shape; a hard label is a one-hot row.
        ground_distance: D, shape ``(classes, classes)``: what it costs to move mass from class *i* of the
            prediction to class *j* of the target, 0 or more. It receives no gradient.
        regulariser: eps, above 0, in units of the ground distance. Towards 0 the distance becomes the earth
            mover's; towards infinity the mean cost of independent draws from the two.
        iterations: Newton steps at most; ten are common, and thirty where eps is a thousandth of D.
        tolerance: mass of a row that its plan may leave in wrong classes before the last step. The last step must
            also be shorter than 1e-3 eps, so that the potentials are right to about 1e-6 eps.

    Returns:
        Distances, shape ``(batch,)``, 0 or more; that of equal rows is above 0 unless they are one-hot, since entropy
        spreads the plan. A row with NaN is NaN, and so is its gradient; other rows are not touched.

    Raises:
        ValueError: shapes that do not match, entries below 0, rows that do not sum to one, a ground distance that is
            negative, not finite or asks for a gradient, or a regulariser, number of iterations or tolerance that is
            not above 0. While ``torch.compile`` traces, values are not looked at.

    Warns:
        NotConvergedWarning: rows are left after the last iteration; names the largest marginal error.

    Cost:
        Time grows with ``batch * classes**3`` for each Newton step, of the rows that are not yet solved; memory with
        ``batch * classes``, and 2 MB for the plans of a block of rows (one row's plan, if that is larger).

    Source: Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", 2013 (iterations); Feydy et
    al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences", 2019 (this definition
    and its gradient); Sun & Tran-Dinh, "Generalized self-concordant functions", 2019 (length of a Newton step).

    Example:
        >>> circle = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
        >>> p, t = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[0.5, 0.0, 0.5]])
        >>> entropic_emd(p, t, circle, regulariser=0.01)  # 0.5 is moved by 1; KL is log 2
        tensor([0.5069])
        >>> entropic_emd(p, t, circle, regulariser=1e4)  # all draws differ but those of class 0
        tensor([0.7500])
    """
    _check(prediction, target, ground_distance, regulariser, iterations, tolerance)
    dtype = torch.promote_types(torch.promote_types(prediction.dtype, target.dtype), torch.float32)
    with torch.autocast(prediction.device.type, enabled=False):
        distance = ground_distance.to(torch.promote_types(dtype, ground_distance.dtype))
        settings = (float(regulariser), int(iterations), float(tolerance))
        return _EntropicEMD.apply(prediction.to(dtype), target.to(dtype), distance, *settings)  # type: ignore[return-value]


class EntropicEMDLoss(nn.Module):
    """Entropic (Sinkhorn) earth mover's distance as a loss on logits, for classes with any distances between them.

    Use it where the classes lie on no line (emotions on a circle, a tree, a learned matrix); on a line
    :class:`OrderedEMDLoss` is exact, and faster. See :func:`entropic_emd` for the definition and the cost.

    Args:
        ground_distance: ``(classes, classes)`` numbers of 0 or more: what it costs to predict row *i* where column
            *j* is true. A buffer: it is saved with the module and moves with it.
        regulariser: eps, above 0, in units of the ground distance.
        iterations: Newton steps at most.
        tolerance: mass that a plan may leave in wrong classes before the last step.
        reduction: ``"mean"`` over the batch, ``"sum"``, or ``"none"``.

    Shape:
        logits ``(batch, classes)``; targets ``(batch,)`` class indices or ``(batch, classes)`` probabilities; the
        loss is a scalar, or ``(batch,)`` without reduction, at least 0, in float32 or better.

    Raises:
        ValueError: as :func:`entropic_emd`, or a reduction that is none of the three.

    Warns:
        DegenerateBatchWarning: there are no items; the loss is then 0, with a graph.
        NotConvergedWarning: rows are left after the last iteration.

    Example:
        >>> apart = (torch.arange(4)[:, None] - torch.arange(4)).abs()
        >>> around = torch.minimum(apart, 4 - apart)  # four classes on a circle
        >>> loss = EntropicEMDLoss(around)
        >>> logits = torch.zeros(2, 4, requires_grad=True)
        >>> loss(logits, torch.tensor([0, 3]))
        tensor(1., grad_fn=<MeanBackward0>)
    """

    ground_distance: Tensor

    def __init__(
        self,
        ground_distance: Tensor,
        regulariser: float = 0.1,
        iterations: int = 100,
        tolerance: float = 1e-6,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ):
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction is {reduction!r}; choose mean, sum or none")
        _check_settings(ground_distance, regulariser, iterations, tolerance)
        self.register_buffer("ground_distance", wide(ground_distance).clone())
        self.regulariser, self.iterations, self.tolerance = regulariser, iterations, tolerance
        self.reduction = reduction

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        if logits.ndim != 2 or len(logits) != len(targets):
            given = f"{tuple(logits.shape)} and targets {tuple(targets.shape)}"
            raise ValueError(f"logits have shape {given}; expected (batch, classes), a row a target")
        target = as_distribution(beside(logits, targets), logits.shape[-1])
        if not len(logits) and self.reduction != "none":
            return nothing_to_learn(logits, "it holds no item")
        prediction = softmax(wide(logits))
        settings = (self.regulariser, self.iterations, self.tolerance)
        distance = entropic_emd(prediction, target, self.ground_distance, *settings)
        return distance if self.reduction == "none" else getattr(distance, self.reduction)()


class _EntropicEMD(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, p: Tensor, t: Tensor, distance: Tensor, regulariser: float, iterations: int, tolerance: float
    ) -> Tensor:
        solver = _solve_opaque if torch.compiler.is_compiling() else solve
        value, slope_p, slope_t = solver(p, t, distance, regulariser, iterations, tolerance)
        ctx.save_for_backward(slope_p, slope_t, p, t)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        slope_p, slope_t, p, t = ctx.saved_tensors
        needs_p, needs_t, *_ = ctx.needs_input_grad
        by_p = once(grad[:, None] * slope_p, p) if needs_p else None
        by_t = once(grad[:, None] * slope_t, t) if needs_t else None
        return by_p, by_t, None, None, None, None


_solve_opaque = torch.library.custom_op("affectspace::entropic_emd", solve, mutates_args=())


@_solve_opaque.register_fake
def _(
    p: Tensor, t: Tensor, distance: Tensor, regulariser: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    return p.new_empty(len(p)), torch.empty_like(p), torch.empty_like(t)


def _check(
    prediction: Tensor, target: Tensor, distance: Tensor, regulariser: float, iterations: int, tolerance: float
) -> None:
    if prediction.ndim != 2 or prediction.shape != target.shape:
        given = f"{tuple(prediction.shape)} and target {tuple(target.shape)}"
        raise ValueError(f"prediction has shape {given}; expected (batch, classes) of both")
    if distance.shape != (prediction.shape[-1],) * 2:
        expected = f"({prediction.shape[-1]}, {prediction.shape[-1]})"
        raise ValueError(f"ground_distance has shape {tuple(distance.shape)}; expected {expected}, a row a class")
    if torch.compiler.is_compiling():
        return
    _check_settings(distance, regulariser, iterations, tolerance)
    for name, rows in (("prediction", prediction), ("target", target)):
        if not rows.is_floating_point():
            raise ValueError(f"{name} is {rows.dtype}; expected probabilities in floating point")
        if (rows < 0).any():
            raise ValueError(f"a row of {name} holds {rows[rows < 0][0].item():.4f}; probabilities are 0 or more")
        off = (wide(rows).sum(-1) - 1).abs()
        if (off > (1e-4 if rows.dtype in (torch.float32, torch.float64) else 1e-2)).any():
            mass = wide(rows).sum(-1)[off.nan_to_num().argmax()]
            raise ValueError(
                f"a row of {name} sums to {mass:.4f}; both sides need the same mass: divide rows by their sums"
            )


def _check_settings(distance: Tensor, regulariser: float, iterations: int, tolerance: float) -> None:
    if distance.ndim != 2 or distance.shape[0] != distance.shape[1] or not distance.numel():
        raise ValueError(f"ground_distance has shape {tuple(distance.shape)}; expected (classes, classes)")
    if distance.requires_grad:
        raise ValueError("ground_distance asks for a gradient and would get none; give ground_distance.detach()")
    if not ((distance >= 0) & distance.isfinite()).all():
        bad = distance[~((distance >= 0) & distance.isfinite())][0].item()
        raise ValueError(f"ground_distance holds {bad:.4g}; distances are finite and 0 or more")
    for name, number in (("regulariser", regulariser), ("iterations", iterations), ("tolerance", tolerance)):
        if not 0 < number < math.inf:
            raise ValueError(f"{name} is {number}; it must be above 0 and finite")
