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
import warnings
from typing import Any, Literal

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import nothing_to_learn
from affectspace.losses.gradients import once
from affectspace.losses.inputs import beside, wide
from affectspace.losses.softmax import softmax

__all__ = ["EntropicEMDLoss", "NotConvergedWarning", "entropic_emd"]

BLOCK = 2**18
"""Entries of the plans that are held at once: 2 MB in float64, which a processor's cache takes."""

SHORT = 1e-3
"""A Newton step shorter than this (in units of eps) is the last: it leaves about half its square."""


class NotConvergedWarning(UserWarning):
    """Some rows were not solved within the iterations allowed: their values and gradients are rough."""


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
        solve = _solve_opaque if torch.compiler.is_compiling() else _solve
        value, slope_p, slope_t = solve(p, t, distance, regulariser, iterations, tolerance)
        ctx.save_for_backward(slope_p, slope_t, p, t)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        slope_p, slope_t, p, t = ctx.saved_tensors
        needs_p, needs_t, *_ = ctx.needs_input_grad
        by_p = once(grad[:, None] * slope_p, p) if needs_p else None
        by_t = once(grad[:, None] * slope_t, t) if needs_t else None
        return by_p, by_t, None, None, None, None


def _solve(
    p: Tensor, t: Tensor, distance: Tensor, regulariser: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Value ``(batch,)`` and its gradients with respect to p and t, each ``(batch, classes)``."""
    dtype = p.dtype
    inside = torch.float64 if p.device.type == "cpu" else dtype
    p, t, distance = p.detach().to(inside), t.detach().to(inside), distance.detach().to(inside)
    if not p.numel():
        return p.sum(-1).to(dtype), torch.zeros_like(p, dtype=dtype), torch.zeros_like(p, dtype=dtype)
    mass_p, mass_t = p.sum(-1, keepdim=True), t.sum(-1, keepdim=True)
    seen = (mass_p + mass_t).isfinite()
    # rows with NaN are solved as something harmless, and told apart at the end
    p, t = torch.where(seen, p / mass_p, 1 / p.shape[-1]), torch.where(seen, t / mass_t, 1 / p.shape[-1])
    nearest = distance.min()
    cost = (distance - nearest) / regulariser
    farthest = cost.max().item()

    blocks = math.ceil(p.numel() * p.shape[-1] / BLOCK)
    rows = math.ceil(len(p) / blocks)
    solved = [
        _solve_block(p[start : start + rows], t[start : start + rows], cost, farthest, iterations, tolerance)
        for start in range(0, len(p), rows)
    ]
    f, g, wrong = (torch.cat(parts) for parts in zip(*solved))
    if len(wrong):
        warnings.warn(
            f"{len(wrong)} of {len(p)} rows are not solved after {iterations} iterations: the largest marginal error "
            f"is {wrong.max().item():.2g}; raise iterations, or the regulariser {regulariser:.4g} "
            f"(ground distances reach {distance.max().item():.4g})",
            NotConvergedWarning,
            stacklevel=2,
        )
    mean_f, mean_g = (p * f).sum(-1, keepdim=True), (t * g).sum(-1, keepdim=True)
    value = torch.where(seen, (mean_f + mean_g) * regulariser + nearest, torch.nan)[:, 0]
    slopes = ((f - mean_f) * (regulariser / mass_p), (g - mean_g) * (regulariser / mass_t))
    slope_p, slope_t = (torch.where(seen, slope, torch.nan).to(dtype) for slope in slopes)
    return value.to(dtype), slope_p, slope_t


_solve_opaque = torch.library.custom_op("affectspace::entropic_emd", _solve, mutates_args=())


@_solve_opaque.register_fake
def _(
    p: Tensor, t: Tensor, distance: Tensor, regulariser: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    return p.new_empty(len(p)), torch.empty_like(p), torch.empty_like(t)


class _Scaling:
    """Potentials as factors exp(f / eps): every product is with one kernel, which all rows share."""

    neutral = 1.0
    log = staticmethod(torch.log)

    def __init__(self, p: Tensor, t: Tensor, cost: Tensor):
        self.p, self.t, self.kernel = p, t, torch.exp(-cost)
        self.pairs = (self.kernel[:, :, None] * self.kernel[:, None]).flatten(1) if len(cost) <= 64 else None

    def keep(self, rows: Tensor) -> None:
        self.p, self.t = self.p[rows], self.t[rows]

    def of_rows(self, b: Tensor) -> Tensor:
        return _product(self.t * b, self.kernel.T).reciprocal()

    def of_columns(self, a: Tensor) -> Tensor:
        return _product(self.p * a, self.kernel).reciprocal()

    def flow(self, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What arrives in each class, and how much of it shares its origin with what arrives in each other class.

        The latter as ``(rows, classes, classes)`` that are still to be multiplied by ``(rows, classes)`` twice.
        """
        weights = self.t * b
        a = _product(weights, self.kernel.T).reciprocal()
        sent = self.p * a
        if self.pairs is None:
            each = self.kernel * (self.p.sqrt() * a)[:, :, None]
            together = each.mT @ each
        else:
            together = ((sent * a) @ self.pairs).view(-1, *self.kernel.shape)
        return weights * _product(sent, self.kernel), together, weights

    @staticmethod
    def middle(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).rsqrt().reciprocal()

    @staticmethod
    def add(b: Tensor, step: Tensor) -> Tensor:
        return b * (step * math.log2(math.e)).exp2()

    @staticmethod
    def double(b: Tensor) -> Tensor:
        return b.square()


def _product(rows: Tensor, kernel: Tensor) -> Tensor:
    # A processor's library for products wakes its threads for each, which takes longer than a small product itself
    # (as it does for exp and sqrt, in place of which exp2 and rsqrt are taken above).
    if rows.device.type == "cpu" and rows.numel() * len(kernel) <= 2**15:
        return (rows[:, :, None] * kernel).sum(1)
    return rows @ kernel


class _Logarithms:
    """Potentials divided by eps, as they are: several times slower, but nothing under- or overflows."""

    neutral = 0.0

    def __init__(self, p: Tensor, t: Tensor, cost: Tensor):
        self.p, self.t, self.cost = p, t, cost

    def keep(self, rows: Tensor) -> None:
        self.p, self.t = self.p[rows], self.t[rows]

    def of_rows(self, y: Tensor) -> Tensor:
        return -((self.t.log() + y)[:, None] - self.cost).logsumexp(-1)

    def of_columns(self, x: Tensor) -> Tensor:
        return -((self.p.log() + x)[:, None] - self.cost.T).logsumexp(-1)

    def flow(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shares = ((self.t.log() + y)[:, None] - self.cost).softmax(-1)
        each = self.p.sqrt()[:, :, None] * shares
        return (self.p[:, None] @ shares)[:, 0], each.mT @ each, torch.ones_like(y)

    @staticmethod
    def log(y: Tensor) -> Tensor:
        return y

    @staticmethod
    def middle(x: Tensor, y: Tensor) -> Tensor:
        return (x + y) / 2

    @staticmethod
    def add(y: Tensor, step: Tensor) -> Tensor:
        return y + step

    @staticmethod
    def double(y: Tensor) -> Tensor:
        return 2 * y


def _solve_block(
    p: Tensor, t: Tensor, cost: Tensor, farthest: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Potentials of rows and of columns divided by eps, and the marginal errors of rows that were not solved."""
    kind = _Scaling if farthest <= (150 if p.dtype == torch.float64 else 20) else _Logarithms
    form = kind(p, t, cost)
    # right as it is where either side holds one class only: then there is one plan
    result = form.of_columns(torch.full_like(p, kind.neutral))
    active = (((p > 0).sum(-1) > 1) & ((t > 0).sum(-1) > 1)).nonzero()[:, 0]
    wrong = p.new_empty(0)
    if len(active):
        left = kind(p[active], t[active], cost)
        y = _warm_up(left, cost, farthest)
        # what is left of a marginal when each entry of the plan is rounded once
        rounding = 8 * torch.finfo(p.dtype).eps * (1 + farthest)
        for _ in range(iterations):
            step, length, wrong = _newton(left, y)
            y = kind.add(y, step)
            going = ((length > SHORT) | (wrong > tolerance)) & (wrong > rounding)
            if not going.all():
                result[active] = y
                active, y, wrong = active[going], y[going], wrong[going]
                if not len(active):
                    break
                left.keep(going)
        result[active] = y
    x = form.of_rows(result)
    return kind.log(x), kind.log(form.of_columns(x)), wrong


def _warm_up(last: _Scaling | _Logarithms, cost: Tensor, farthest: float) -> Tensor:
    """Column potentials from where Newton's method is fast: solve roughly for a large eps, halve it, and again."""
    kind = type(last)
    x = y = torch.full_like(last.p, kind.neutral)
    for level in range(max(0, math.ceil(math.log2(max(farthest, 1) / 8))), -1, -1):
        form = kind(last.p, last.t, cost / 2**level) if level else last
        for _ in range(2):
            # Both at once and half-way: equal rows keep equal potentials, also where the marginals no longer tell.
            x, y = kind.middle(x, form.of_rows(y)), kind.middle(y, form.of_columns(x))
        for _ in range(4):
            y = form.of_columns(form.of_rows(y))
        if level:
            y = kind.add(y, _newton(form, y)[0])
            x, y = kind.double(form.of_rows(y)), kind.double(y)
    return y


def _newton(form: _Scaling | _Logarithms, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Newton's step on the column potentials, its length, and the mass that is now in wrong classes.

    The dual as a function of g alone has the gradient t - c, where c arrives, and the Hessian
    :math:`\mathrm{diag}(c) - S^\top \mathrm{diag}(p) S`, where S tells where the mass of each class of p goes. Its
    system is solved scaled by the root of c on both sides, so that classes of very small mass do no harm, and with
    :math:`c c^\top` added, since a constant in g changes nothing.
    """
    arrived, together, weights = form.flow(y)
    gap = form.t - arrived
    inverse = arrived.clamp(min=torch.finfo(y.dtype).tiny ** 0.5).rsqrt()
    root = inverse.reciprocal()
    weights = weights * inverse
    hessian = torch.addcmul(
        root[:, :, None] * root[:, None], weights[:, :, None] * weights[:, None], together, value=-1
    )
    hessian.diagonal(dim1=-2, dim2=-1).add_(1 + 64 * torch.finfo(y.dtype).eps)
    step = torch.linalg.solve_ex(hessian, gap * inverse)[0].nan_to_num(0, 0, 0) * inverse
    length = step.amax(-1) - step.amin(-1)
    # The dual is a sum of log-sum-exps: a step of this share of its length always climbs, and tends to a whole one.
    damping = torch.where(length > 0, length.log1p() / length, 1)
    return step * damping[:, None], length, gap.abs().sum(-1)


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
