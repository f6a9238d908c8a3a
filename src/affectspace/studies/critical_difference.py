"""Whether methods differ over several data sets, judged by their ranks on each.

Figures of different data sets are not of one scale: an accuracy of 0.6 may be good on one and poor on another. So each
data set ranks the methods, and the ranks are compared. What is counted is *data sets*: repeated runs on one are
averaged before, since they say nothing of other data. With few data sets (below ten or so) only very consistent
differences are found, and methods that are not told apart need not be equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["Friedman", "average_ranks", "critical_difference", "friedman", "indistinct", "wilcoxon_holm"]


@dataclass(frozen=True)
class Friedman:
    """Friedman's test that all methods rank alike.

    Args:
        chi_squared, p: Friedman's statistic, and its p from chi squared with k - 1 degrees of freedom.
        f, p_f: Iman and Davenport's less conservative form, from F with k - 1 and (k - 1)(N - 1); infinite, with
            p 0, where all data sets agree.
    """

    chi_squared: float
    p: float
    f: float
    p_f: float


def average_ranks(figures: ArrayLike, higher_is_better: bool = True) -> np.ndarray:
    """The mean rank of each method over data sets; 1 is the best, equal figures share their mean rank.

    Args:
        figures: ``(data sets, methods)``, one finite figure each.
        higher_is_better: False for errors.

    Returns:
        float64 ``(methods,)`` in [1, methods].

    Raises:
        ValueError: fewer than two methods, no data set, or a figure that is not finite.

    Example:
        >>> average_ranks([[0.9, 0.8, 0.7], [0.6, 0.5, 0.5]])
        array([1.  , 2.25, 2.75])
    """
    table = _table(figures)
    return np.asarray(stats.rankdata(-table if higher_is_better else table, axis=1)).mean(0)


def friedman(figures: ArrayLike) -> Friedman:
    r"""Do all methods rank alike?

    .. math:: \chi^2_F = \frac{12 N}{k (k + 1)} \Big[\sum_j R_j^2 - \frac{k (k + 1)^2}{4}\Big], \qquad
        F = \frac{(N - 1)\, \chi^2_F}{N (k - 1) - \chi^2_F}

    with :math:`R_j` the :func:`average_ranks` of *k* methods on *N* data sets. As in the source, ties are not
    corrected for; many of them make p too large, never too small.

    Args:
        figures: ``(data sets, methods)``, two or more of each; which end is better does not matter.

    Raises:
        ValueError: as :func:`average_ranks`, or a single data set.

    Source: Friedman 1937, 1940; Iman & Davenport 1980; Demšar, "Statistical Comparisons of Classifiers over Multiple
    Data Sets", JMLR 7, 2006, Sec. 3.2.2.

    Example:
        >>> test = friedman([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4], [0.8, 0.9, 0.1], [0.5, 0.4, 0.3]])
        >>> round(test.chi_squared, 3), round(test.p, 3), round(test.f, 3), round(test.p_f, 3)
        (6.5, 0.039, 13.0, 0.007)
    """
    table = _table(figures)
    sets, methods = table.shape
    if sets < 2:
        raise ValueError("one data set ranks the methods once, which is no test; give two or more")
    ranks = average_ranks(table)
    chi = float(12 * sets / (methods * (methods + 1)) * ((ranks**2).sum() - methods * (methods + 1) ** 2 / 4))
    left = sets * (methods - 1) - chi
    f = (sets - 1) * chi / left if left > 1e-9 else float("inf")
    freedom = methods - 1, (methods - 1) * (sets - 1)
    return Friedman(chi, float(stats.chi2.sf(chi, methods - 1)), f, float(stats.f.sf(f, *freedom)))


def critical_difference(methods: int, sets: int, confidence: float = 0.95) -> float:
    r"""By how much the average ranks of two methods must differ at least: Nemenyi's test of all pairs.

    .. math:: \mathrm{CD} = \frac{q_{1-\alpha;\,k,\,\infty}}{\sqrt 2} \sqrt{\frac{k (k + 1)}{6 N}}

    with *q* the quantile of the studentised range.

    Args:
        methods: how many are compared, 2 or more.
        sets: how many data sets ranked them.
        confidence: of all pairs together, in (0, 1).

    Raises:
        ValueError: a number outside of these.

    Source: Nemenyi 1963; Demšar 2006, Sec. 3.2.2 and Table 5.

    Example:
        >>> round(critical_difference(methods=4, sets=14), 2)  # the example of the source
        1.25
    """
    if methods < 2 or sets < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"{methods} methods, {sets} data sets, confidence {confidence}; expected 2 or more, 1 or more, and a share"
        )
    quantile = float(stats.studentized_range.ppf(confidence, methods, np.inf)) / 2**0.5
    return quantile * (methods * (methods + 1) / (6 * sets)) ** 0.5


def wilcoxon_holm(figures: ArrayLike) -> np.ndarray:
    """Adjusted p of each pair of methods: Wilcoxon's signed ranks over the data sets, with Holm's correction.

    Unlike :func:`critical_difference` it looks at how large a difference is, and a pair's p does not hang on which
    other methods were tried, but for their number. With N data sets no p is below 2^(1 - N) before the correction: five
    never reach 0.05.

    Args:
        figures: ``(data sets, methods)``, of figures whose differences can be compared between data sets.

    Returns:
        float64 ``(methods, methods)``, symmetric, 1 on the diagonal and for methods that are always equal.

    Raises:
        ValueError: as :func:`average_ranks`.

    Source: Wilcoxon 1945; Holm 1979; that it is to be preferred: Benavoli, Corani & Mangili, JMLR 17, 2016.

    Example:
        >>> apart = np.arange(8) / 100 + 0.01
        >>> wilcoxon_holm(np.stack([apart, 0 * apart, 0 * apart], 1)).round(4)
        array([[1.    , 0.0234, 0.0234],
               [0.0234, 1.    , 1.    ],
               [0.0234, 1.    , 1.    ]])
    """
    table = _table(figures)
    methods = table.shape[1]
    pairs = list(combinations(range(methods), 2))
    found = [_wilcoxon(table[:, i] - table[:, j]) for i, j in pairs]
    adjusted, least = np.ones((methods, methods)), 0.0
    for done, row in enumerate(np.argsort(found, kind="stable")):
        least = max(least, min(1.0, (len(pairs) - done) * found[row]))
        adjusted[pairs[row]] = adjusted[pairs[row][::-1]] = least
    return adjusted


def indistinct(ranks: ArrayLike, apart: ArrayLike) -> list[tuple[int, ...]]:
    """Groups of methods, neighbours in rank, of whom no two are told apart: what a diagram joins by a bar.

    Args:
        ranks: ``(methods,)``.
        apart: ``(methods, methods)``, symmetric, True where a test tells two apart.

    Returns:
        The largest such groups of two or more, each from its best to its worst method, the best group first.

    Raises:
        ValueError: shapes that do not match.

    Example:
        >>> ranks = np.array([3.143, 2.000, 2.893, 1.964])
        >>> indistinct(ranks, abs(ranks[:, None] - ranks) >= 1.12)
        [(3, 1, 2), (2, 0)]
    """
    order, told = np.argsort(ranks, kind="stable"), np.asarray(apart, dtype=bool)
    if told.shape != (len(order), len(order)):
        raise ValueError(f"{len(order)} ranks need ({len(order)}, {len(order)}) of apart; its shape is {told.shape}")
    told = told[np.ix_(order, order)]
    groups: list[tuple[int, ...]] = []
    reached = 0
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and not told[first : last + 1, last + 1].any():
            last += 1
        if last > first and last > reached:
            groups.append(tuple(int(method) for method in order[first : last + 1]))
        reached = max(reached, last)
    return groups


def _wilcoxon(differences: np.ndarray) -> float:
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)  # pyright: ignore[reportAttributeAccessIssue]


def _table(figures: ArrayLike | Sequence) -> np.ndarray:
    table = np.asarray(figures, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise ValueError(
            f"figures have shape {table.shape}, or are not finite; expected (data sets, methods), two methods or more"
        )
    return table
