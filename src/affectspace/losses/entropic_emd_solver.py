"""Solves entropic transport between rows of class distributions: Sinkhorn's iterations, then Newton's steps."""

import math
import warnings

import torch
from torch import Tensor

from affectspace.losses.entropic_emd_potentials import Logarithms, Scaling

__all__ = ["NotConvergedWarning", "solve"]

BLOCK = 2**18
"""Entries of the plans that are held at once: 2 MB in float64, which a processor's cache takes."""

SHORT = 1e-3
"""A Newton step shorter than this (in units of eps) is the last: it leaves about half its square."""


class NotConvergedWarning(UserWarning):
    """Some rows were not solved within the iterations allowed: their values and gradients are rough."""


def solve(
    p: Tensor, t: Tensor, distance: Tensor, regulariser: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The entropic earth mover's distance of each row and its gradients with respect to p and t.

    Args:
        p: probabilities ``(batch, classes)``; a row with NaN gives NaN and touches no other.
        t: likewise.
        distance: ``(classes, classes)``, 0 or more.
        regulariser: eps, above 0.
        iterations: Newton steps at most.
        tolerance: mass of a row that its plan may leave in wrong classes before the last step.

    Returns:
        Values ``(batch,)``, and two gradients ``(batch, classes)``, all in the type of ``p``.

    Warns:
        NotConvergedWarning: rows are left after the last iteration.

    Example:
        >>> p, t = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.0, 1.0]])
        >>> solve(p, t, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), 0.1, 100, 1e-6)[0]  # half of the mass moves by 1
        tensor([0.5000])
    """
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


def _solve_block(
    p: Tensor, t: Tensor, cost: Tensor, farthest: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Potentials of rows and of columns divided by eps, and the marginal errors of rows that were not solved."""
    kind = Scaling if farthest <= (150 if p.dtype == torch.float64 else 20) else Logarithms
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


def _warm_up(last: Scaling | Logarithms, cost: Tensor, farthest: float) -> Tensor:
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


def _newton(form: Scaling | Logarithms, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
