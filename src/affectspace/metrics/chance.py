"""What uniformly random predictions would score."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from affectspace.metrics._inputs import class_count, leading_classes

__all__ = ["chance_uar"]


def chance_uar(truth: ArrayLike, classes: int | None = None) -> float:
    r"""Expected UAR when every item's prediction is drawn uniformly from the classes that occur in the truth.

    These are the classes that the UAR is a mean over, so an answer that is always the same is never above chance where
    each of them has an item of its own. Without ties it is one over their number; tied items are right more often, and
    raise it. In [1 / classes, 1]; it has no direction: it is what to compare a UAR with.

    With :math:`C` classes that occur, let class *c* have :math:`U` items of its own and share others with
    :math:`m - 1` tied classes each. Its recall is :math:`(X + B) / (U + B + M)`: own items found,
    tied items predicted *c*, and :math:`1/m` for each tied item missed. The expectation of this
    ratio is not the ratio of the expectations, and is taken exactly, by

    .. math:: E\left[\frac{U/C + B}{U + S}\right] = \int_0^\infty e^{-Us}\, E\left[(U/C + B)\, e^{-Ss}\right] ds,
        \qquad S = B + M,

    where the items being independent makes the inner expectation a product. Exact to the precision
    of the quadrature (about 1e-8) when every class that occurs has at least one item of its own. A class that
    occurs in ties alone may have no item at all in a draw; it then counts with its mean over the
    draws in which it has one.

    Args:
        truth: class indices ``(items,)`` or probabilities ``(items, classes)``; see
            :mod:`affectspace.metrics.classification` for ties.
        classes: how many classes are named, where ``truth`` does not show it; those that do not occur change nothing.

    Raises:
        ValueError: as :func:`affectspace.metrics.uar`.

    Example:
        >>> chance_uar([0, 0, 0, 1])
        0.5
        >>> chance_uar([0, 0, 0, 2], classes=4)  # two of four occur
        0.5
        >>> round(chance_uar([[1, 0], [0, 1], [0.5, 0.5]]), 6)  # (1/2 + (1/2 + 1)/2) / 2 for either class
        0.625
    """
    count = class_count([truth], classes)
    leading = leading_classes(truth, count)
    leading = leading[:, leading.any(0)]
    count = leading.shape[1]
    sizes = leading.sum(1)
    own = leading[sizes == 1].sum(0)
    tied = {int(m): leading[sizes == m].sum(0) for m in np.unique(sizes[sizes > 1])}
    if not tied:
        return 1 / count  # what an answer that is always the same reaches, to the last bit
    shared = [tuple((m, int(t[c])) for m, t in tied.items() if t[c]) for c in range(count)]
    return float(np.mean([_expected_recall(int(own[c]), ties, count) for c, ties in enumerate(shared)]))


@lru_cache(maxsize=1024)  # the same items are scored after every epoch, and by every run of a study
def _expected_recall(own: int, tied: tuple[tuple[int, int], ...], classes: int) -> float:
    """Of a class with ``own`` items and, for each ``(m, items)``, those that it shares with ``m - 1`` others."""
    if not tied:
        return 1 / classes
    from scipy.integrate import quad  # which takes half a second to load, and most truths tie nothing

    m, items = np.array(tied).T
    hit, miss, elsewhere = np.full(len(m), 1 / classes), (classes - m) / classes, (m - 1) / classes
    scale = own + float((items * (hit + miss / m)).sum())  # expected weight: the integrand falls off as exp(-y)

    def integrand(y: float) -> float:
        s = y / scale
        each = hit * np.exp(-s) + miss * np.exp(-s / m) + elsewhere
        all_items = np.exp((items * np.log(each)).sum() - own * s)
        return (own / classes + (items * hit * np.exp(-s) / each).sum()) * all_items / scale

    value = quad(integrand, 0, np.inf, epsabs=1e-10, epsrel=1e-10, limit=200)[0]
    never = 0.0 if own else float(np.exp((items * np.log(elsewhere)).sum()))
    return value / (1 - never)
