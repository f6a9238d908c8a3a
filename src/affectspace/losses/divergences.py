r"""f-Similarity Preservation: what it costs that embeddings are S alike where labels are C alike.

For a convex *f* with :math:`f(1) = 0` and its conjugate :math:`f^*`, the gain of a pair is
:math:`C f'(S) - f^*(f'(S))` and its loss is how much of the best gain is missed. Since
:math:`f^*(f'(S)) = S f'(S) - f(S)`, that is a Bregman divergence:

.. math:: \mathrm{fSPL}(S, C) = f(C) - f(S) - f'(S)\,(C - S)

It is never negative, and zero only where S = C if *f* is strictly convex.

Source: Zhang, Kong, Essl & Mower Provost, "f-Similarity Preservation Loss for Soft Labels: A
Demonstration on Cross-Corpus Speech Emotion Recognition", AAAI 2019, Table 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

__all__ = ["DIVERGENCES", "Divergence", "bregman", "divergence", "f_spl", "f_spl_slope"]

ConvexFunction = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Divergence:
    """A convex function and the loss of a pair that follows from it.

    Args:
        name: the key in :data:`DIVERGENCES`.
        f: elementwise convex function of a tensor of numbers above 0, with f(1) = 0.
        closed_form: (S, C), both above 0, to the Bregman divergence of ``f``.
        curvature: f'', the second derivative of ``f``; None: it is left to autograd.
    """

    name: str
    f: ConvexFunction
    closed_form: Callable[[Tensor, Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor] | None = None


def bregman(f: ConvexFunction, s: Tensor, c: Tensor) -> Tensor:
    r"""Bregman divergence :math:`f(c) - f(s) - f'(s)(c - s)`, with f' by automatic differentiation.

    Args:
        f: any elementwise function of a tensor; convex, or the result may be negative. To train, it
            needs a second derivative above 0: the gradient is :math:`f''(s)(s - c)`.
        s: numbers where f is differentiable, any shape.
        c: numbers, same shape or one that broadcasts.

    Returns:
        Divergences, shape of ``s`` and ``c`` broadcast; differentiable in both.

    Raises:
        ValueError: f changes the shape.

    Example:
        >>> bregman(torch.square, torch.tensor([1.0, 2.0]), torch.tensor([4.0, 2.0]))
        tensor([9., 0.])
    """

    def total(t: Tensor) -> tuple[Tensor, Tensor]:
        value = f(t)
        if value.shape != t.shape:
            raise ValueError(f"f made shape {tuple(value.shape)} of {tuple(t.shape)}; it must act on each element")
        return value.sum(), value

    slope, at_s = torch.func.grad(total, has_aux=True)(s)
    return f(c) - at_s - slope * (c - s)


def f_spl(s: Tensor, c: Tensor, f: str | ConvexFunction | Divergence = "kl", eps: float = 1e-12) -> Tensor:
    r"""f-Similarity Preservation Loss of each pair.

    ================== =================================== ==========================================
    name               f(t)                                loss of S and C
    ================== =================================== ==========================================
    kl                 t log t                             S - C log S - C + C log C
    reverse_kl         -log t                              log S + C/S - log C - 1
    pearson            (t - 1)^2                           (C - S)^2
    squared_hellinger  (sqrt t - 1)^2                      sqrt S + C / sqrt S - 2 sqrt C
    jensen_shannon     t log t - (t + 1) log((t + 1) / 2)  (C+1) log((1+S) / (1+C)) + C log(C / S)
    ================== =================================== ==========================================

    Args:
        s: similarity of the embeddings, any shape, in ``[0, 2]``; one that rounding left below 0 counts as 0.
        c: similarity of the labels, same shape or one that broadcasts, in ``[0, 2]``.
        f: a name of the table, or your own convex function of a tensor (see :func:`bregman`).
        eps: added to both similarities, so that logarithms, divisions and their gradients stay
            finite at 0. (The paper adds it to denominators and inside logarithms only, which makes
            the loss of S = C = 0 negative; elsewhere the two agree to rounding.)

    Returns:
        Losses, shape of ``s`` and ``c`` broadcast, at least 0 up to rounding, and 0 where S = C.

    Raises:
        ValueError: a name that is not in the table.

    Example:
        >>> s, c = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 2.0])
        >>> f_spl(s, c, "pearson")
        tensor([0., 1.])
        >>> f_spl(s, c, lambda t: t**4)
        tensor([ 0., 11.])
    """
    s, c = s.clamp(min=0) + eps, c.clamp(min=0) + eps
    if callable(f):
        return bregman(f, s, c)
    return divergence(f).closed_form(s, c)


def f_spl_slope(s: Tensor, c: Tensor, f: Divergence, eps: float = 1e-12) -> tuple[Tensor, Tensor]:
    r"""The loss of each pair, and its derivative by S, :math:`f''(S)(S - C)`, where ``f`` has a curvature.

    Args:
        s: as for :func:`f_spl`.
        c: as for :func:`f_spl`.
        f: one of the table.
        eps: as for :func:`f_spl`.

    Example:
        >>> f_spl_slope(torch.tensor([0.5, 1.0]), torch.tensor([1.0, 1.0]), divergence("pearson"))
        (tensor([0.2500, 0.0000]), tensor([-1., 0.]))
    """
    assert f.curvature is not None
    s, c = s.clamp(min=0).add_(eps), c.clamp(min=0).add_(eps)
    return f.closed_form(s, c), f.curvature(s) * (s - c)


def divergence(f: str | ConvexFunction | Divergence) -> Divergence:
    """The divergence of that name, or the one that follows from your own convex function.

    Raises:
        ValueError: there is none of that name; or the function is not convex on [0, 2], where the
            loss would reward embeddings for moving away from their labels. (A function that is an
            ``nn.Module``, with parameters of its own, is taken at its word.)

    Example:
        >>> divergence("pearson").f(torch.tensor(3.0))
        tensor(4.)
    """
    if isinstance(f, str):
        if f not in DIVERGENCES:
            raise ValueError(f"divergence {f!r} is unknown; choose one of {', '.join(DIVERGENCES)}, or give a function")
        return DIVERGENCES[f]
    if isinstance(f, Divergence):
        return f
    if not isinstance(f, nn.Module):
        _refuse_concave(f)
    return Divergence(getattr(f, "__name__", type(f).__name__), f, partial(bregman, f))


def _refuse_concave(f: ConvexFunction) -> None:
    t = torch.linspace(0, 2, 201, dtype=torch.float64)[1:]
    value = f(t).detach()
    bend = value[2:] - 2 * value[1:-1] + value[:-2]
    lowest = bend.argmin()
    if bend[lowest] < -1e-9 * (1 + value.abs().max()):
        raise ValueError(f"f is not convex: it bends down near {t[lowest + 1]:.2f}; the loss needs f'' >= 0 on [0, 2]")


# In each closed form equal terms meet inside one logarithm or one square, so that S = C gives
# exactly 0 and float32 keeps the digits of a small loss.
def _kl(s: Tensor, c: Tensor) -> Tensor:
    return s - c - c * torch.log(s / c)


def _reverse_kl(s: Tensor, c: Tensor) -> Tensor:
    return c / s - 1 - torch.log(c / s)


def _pearson(s: Tensor, c: Tensor) -> Tensor:
    return (c - s).square()


def _squared_hellinger(s: Tensor, c: Tensor) -> Tensor:
    return (s.sqrt() - c.sqrt()).square() / s.sqrt()


def _jensen_shannon(s: Tensor, c: Tensor) -> Tensor:
    return (c + 1) * torch.log((1 + s) / (1 + c)) + c * torch.log(c / s)


# The gradient of each loss by S is curvature(S) (S - C).
def _curvature_kl(s: Tensor) -> Tensor:
    return s.reciprocal()


def _curvature_reverse_kl(s: Tensor) -> Tensor:
    return s.square().reciprocal()


def _curvature_pearson(s: Tensor) -> Tensor:
    return torch.full_like(s, 2.0)


def _curvature_squared_hellinger(s: Tensor) -> Tensor:
    return (s * s.sqrt()).reciprocal() / 2


def _curvature_jensen_shannon(s: Tensor) -> Tensor:
    return (s * (s + 1)).reciprocal()


# Named, as a loss with a nameless function could not be sent to another process.
def _f_kl(t: Tensor) -> Tensor:
    return t * t.log()


def _f_reverse_kl(t: Tensor) -> Tensor:
    return -t.log()


def _f_pearson(t: Tensor) -> Tensor:
    return (t - 1).square()


def _f_squared_hellinger(t: Tensor) -> Tensor:
    return (t.sqrt() - 1).square()


def _f_jensen_shannon(t: Tensor) -> Tensor:
    return t * t.log() - (t + 1) * ((t + 1) / 2).log()


DIVERGENCES: dict[str, Divergence] = {
    each.name: each
    for each in (
        Divergence("kl", _f_kl, _kl, _curvature_kl),
        Divergence("reverse_kl", _f_reverse_kl, _reverse_kl, _curvature_reverse_kl),
        Divergence("pearson", _f_pearson, _pearson, _curvature_pearson),
        Divergence("squared_hellinger", _f_squared_hellinger, _squared_hellinger, _curvature_squared_hellinger),
        Divergence("jensen_shannon", _f_jensen_shannon, _jensen_shannon, _curvature_jensen_shannon),
    )
}
"""The five divergences of the paper by name."""
