"""Whether training procedures differ, judged from runs with several seeds.

What these tests answer, and what they do not: the seeds of a study vary all that is drawn in
training (how a network begins, the order of its items, dropout, augmentation, drawn triplets), while the
training items, the settings chosen and the test items stay the same. So a small p says that the
*training procedures* differ **on these test items**. Whether they would on items of other speakers
is another question, which :mod:`affectspace.metrics.speaker_intervals` asks. Tukey's test allows for all
pairs of recipes within one split; nothing here corrects for looking at several splits.

All functions take plain sequences of figures, one a seed. What cannot be tested is ``None``, and
``reason`` says why: no function returns NaN or fails for having too few runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

__all__ = ["Anova", "Difference", "Estimate", "Tukey", "hedges_g", "mean_interval", "one_way_anova", "paired", "tukey"]

NO_SPREAD = "every seed of a recipe gives the same figure, so there is no spread to judge a difference by"
NOT_A_NUMBER = "a figure is not a number"


@dataclass(frozen=True)
class Estimate:
    """A figure and where it lies with the stated confidence; None, with a reason, where that cannot be told."""

    value: float | None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    n: int = 0
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Anova:
    """One-way analysis of variance; figures are None, with a reason, where there is nothing to analyse.

    Args:
        f: between-group over within-group mean square, at least 0.
        df_between, df_within: degrees of freedom.
        p: of so large an F, were all means equal.
        eta_squared: share of the runs' variance that the recipes explain, in [0, 1]; too high in few runs.
        omega_squared: the same, nearly without bias; slightly below 0 where there is no effect.
    """

    f: float | None = None
    df_between: int | None = None
    df_within: int | None = None
    p: float | None = None
    eta_squared: float | None = None
    omega_squared: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Difference:
    """Mean of group ``one`` less that of group ``other``, its simultaneous interval, and its adjusted p."""

    one: int
    other: int
    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None

    def turned(self) -> "Difference":
        """The same seen from the other group.

        Example:
            >>> Difference(0, 1, 2.0, 1.0, 4.0, 0.01).turned()
            Difference(one=1, other=0, value=-2.0, low=-4.0, high=-1.0, p=0.01)
        """
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Difference(self.other, self.one, -self.value, low, high, self.p)


@dataclass(frozen=True)
class Tukey:
    """All pairs of groups, and why they have no intervals where they have none."""

    pairs: tuple[Difference, ...]
    reason: str = ""

    def between(self, one: int, other: int) -> Difference:
        """The difference of two groups, seen from ``one``.

        Raises:
            ValueError: there are no such two groups.
        """
        for pair in self.pairs:
            if {pair.one, pair.other} == {one, other} and one != other:
                return pair if pair.one == one else pair.turned()
        raise ValueError(f"there is no pair of groups {one} and {other}")


def one_way_anova(groups: Sequence[ArrayLike]) -> Anova:
    r"""Do several groups have one mean?

    .. math:: F = \frac{SS_b / (k - 1)}{SS_w / (N - k)} \qquad
        \eta^2 = \frac{SS_b}{SS_b + SS_w} \qquad
        \omega^2 = \frac{SS_b - (k - 1)\,MS_w}{SS_b + SS_w + MS_w}

    with :math:`SS_b` and :math:`SS_w` the sums of squares between and within the *k* groups of *N*
    figures together. Assumes independent figures, normal within a group, of one variance; with
    groups of about one size it bears departures from that well.

    Args:
        groups: one sequence of figures a group; groups may differ in size.

    Source: Fisher, "Statistical Methods for Research Workers", 1925; omega squared: Hays,
    "Statistics for Psychologists", 1963.

    Example:
        >>> result = one_way_anova([[6, 8, 4, 5, 3, 4], [8, 12, 9, 11, 6, 8], [13, 9, 11, 8, 7, 12]])
        >>> round(result.f, 2), result.df_between, result.df_within, round(result.p, 4)
        (9.26, 2, 15, 0.0024)
        >>> one_way_anova([[0.5], [0.6]]).reason
        'one run of each recipe has no spread to judge a difference by; train more seeds'
    """
    figures = _groups(groups)
    k, count = len(figures), sum(map(len, figures))
    if reason := _untestable(figures):
        return Anova(reason=reason)
    grand = np.concatenate(figures).mean()
    between = float(sum(len(g) * (g.mean() - grand) ** 2 for g in figures))
    within = _within(figures)
    if _is_nothing(within, figures):
        return Anova(df_between=k - 1, df_within=count - k, reason=NO_SPREAD)
    mean_within = within / (count - k)
    f = between / (k - 1) / mean_within
    return Anova(
        f=f,
        df_between=k - 1,
        df_within=count - k,
        p=float(stats.f.sf(f, k - 1, count - k)),
        eta_squared=between / (between + within),
        omega_squared=(between - (k - 1) * mean_within) / (between + within + mean_within),
    )


def tukey(groups: Sequence[ArrayLike], confidence: float = 0.95) -> Tukey:
    r"""Which groups differ: Tukey's honest significant difference, with Kramer's form for unequal sizes.

    .. math:: \bar x_i - \bar x_j \pm q_{1-\alpha;\,k,\,N-k}
        \sqrt{\frac{MS_w}{2}\left(\frac{1}{n_i} + \frac{1}{n_j}\right)}

    with *q* the quantile of the studentised range. All intervals together hold with the stated
    confidence, and an adjusted p below :math:`\alpha` is the same as an interval without zero.

    Args:
        groups: one sequence of figures a group.
        confidence: of all intervals together.

    Source: Tukey, "The Problem of Multiple Comparisons", 1953; Kramer, Biometrics 12, 1956; that
    Kramer's form is conservative: Hayter, Annals of Statistics 12, 1984.

    Example:
        >>> result = tukey([[6, 8, 4, 5, 3, 4], [8, 12, 9, 11, 6, 8], [13, 9, 11, 8, 7, 12]])
        >>> pair = result.between(1, 0)
        >>> round(pair.value, 2), round(pair.low, 2), round(pair.high, 2), round(pair.p, 3)
        (4.0, 0.81, 7.19, 0.014)
    """
    figures = _groups(groups)
    pairs = list(combinations(range(len(figures)), 2))
    usable = [(i, j) for i, j in pairs if len(figures[i]) and len(figures[j])]
    plain = [(i, j, float(figures[i].mean() - figures[j].mean())) for i, j in usable]
    reason = _untestable(figures)
    within = 0.0 if reason else _within(figures)
    if not reason and _is_nothing(within, figures):
        reason = NO_SPREAD
    if reason:
        return Tukey(tuple(Difference(*each) for each in plain if np.isfinite(each[2])), reason)
    k, df = len(figures), sum(map(len, figures)) - len(figures)
    quantile = _studentised_quantile(confidence, k, df)
    found = []
    for i, j, value in plain:
        error = float(np.sqrt(within / df / 2 * (1 / len(figures[i]) + 1 / len(figures[j]))))
        p = float(np.clip(stats.studentized_range.sf(abs(value) / error, k, df), 0, 1))
        found.append(Difference(i, j, value, value - quantile * error, value + quantile * error, p))
    return Tukey(tuple(found))


def hedges_g(one: ArrayLike, other: ArrayLike, confidence: float = 0.95) -> Estimate:
    r"""The difference of two means in units of the spread over seeds.

    .. math:: g = J(m)\,\frac{\bar x_1 - \bar x_2}{s_p} \qquad
        J(m) = \frac{\Gamma(m/2)}{\sqrt{m/2}\;\Gamma((m-1)/2)} \qquad m = n_1 + n_2 - 2

    with :math:`s_p` the pooled standard deviation; *J* takes away the bias of few runs. The interval is
    that of the true effect: it inverts the noncentral t distribution of the uncorrected figure, exactly
    so for normal figures of one variance, and is not shrunk by *J* with the estimate. Seeds spread
    little, so that here an effect is "large" (0.8) much sooner than in studies of people.

    Source: Hedges, Journal of Educational Statistics 6, 1981; interval: Steiger & Fouladi 1997.

    Example:
        >>> g = hedges_g([2, 3, 4], [1, 2, 3])
        >>> round(g.value, 3), round(g.low, 3), round(g.high, 3)
        (0.798, -0.785, 2.684)
    """
    a, b = _groups([one, other])
    if len(a) < 2 or len(b) < 2:
        return Estimate(None, n=len(a) + len(b), reason="the spread needs at least two seeds of each recipe")
    if reason := _untestable([a, b]):
        return Estimate(None, n=len(a) + len(b), reason=reason)
    m = len(a) + len(b) - 2
    within = _within([a, b])
    if _is_nothing(within, [a, b]):
        return Estimate(None, n=m + 2, reason=NO_SPREAD)
    d = float((a.mean() - b.mean()) / np.sqrt(within / m))
    correction = float(np.exp(special.gammaln(m / 2) - special.gammaln((m - 1) / 2)) / np.sqrt(m / 2))
    scale = float(np.sqrt(1 / len(a) + 1 / len(b)))
    tail = (1 - confidence) / 2
    low, high = (_noncentrality(d / scale, m, share) for share in (1 - tail, tail))
    return Estimate(correction * d, low * scale, high * scale, n=m + 2)


def mean_interval(figures: ArrayLike, confidence: float = 0.95) -> Estimate:
    r"""Mean over seeds, its sample standard deviation, and the interval of the mean.

    .. math:: \bar x \pm t_{1-\alpha/2;\,n-1}\,\frac{s}{\sqrt n}

    The interval is of the mean that infinitely many seeds would have, not of where one run falls:
    that is what the standard deviation tells.

    Source: Student, Biometrika 6, 1908.

    Example:
        >>> mean = mean_interval([1.0, 2.0, 3.0])
        >>> mean.value, mean.sd, round(mean.low, 3), round(mean.high, 3)
        (2.0, 1.0, -0.484, 4.484)
        >>> mean_interval([0.5]).reason
        'one run has no spread'
    """
    (values,) = _groups([figures])
    if not len(values):
        return Estimate(None, reason="there is no run")
    if not np.isfinite(values).all():
        return Estimate(None, n=len(values), reason=NOT_A_NUMBER)
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(mean, n=1, reason="one run has no spread")
    sd = float(values.std(ddof=1))
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * sd / len(values) ** 0.5
    return Estimate(mean, mean - half, mean + half, sd, len(values))


def paired(one: ArrayLike, other: ArrayLike, confidence: float = 0.95) -> Estimate:
    r"""Mean difference of runs with equal seeds, its interval, and the p of the paired t test.

    .. math:: \bar\delta \pm t_{1-\alpha/2;\,n-1}\,\frac{s_\delta}{\sqrt n} \qquad \delta_i = x_i - y_i

    Networks of one seed begin alike, and where that makes their figures go together, this is sharper
    than :func:`tukey`; it knows of no other recipes, though, and corrects for none.

    Args:
        one, other: figures of the same seeds in the same order.

    Raises:
        ValueError: they differ in number.

    Source: Student, Biometrika 6, 1908.

    Example:
        >>> round(paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).p, 4)
        0.0742
    """
    a, b = _groups([one, other])
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} figures are no pairs; give those of the same seeds")
    found = mean_interval(a - b, confidence)
    if found.sd is None or found.value is None:
        return found
    if _is_nothing(found.sd**2 * (found.n - 1), [a, b]):
        return Estimate(found.value, n=found.n, sd=0.0, reason="the difference is the same for every seed")
    t = found.value / (found.sd / found.n**0.5)
    p = float(2 * stats.t.sf(abs(t), found.n - 1))
    return Estimate(found.value, found.low, found.high, found.sd, found.n, p)


def _groups(groups: Sequence[ArrayLike]) -> list[np.ndarray]:
    figures = [np.asarray(group, dtype=np.float64) for group in groups]
    if shapes := [f.shape for f in figures if f.ndim != 1]:
        raise ValueError(f"a group of figures has shape {shapes[0]}; give one figure a seed")
    return figures


def _untestable(figures: Sequence[np.ndarray]) -> str:
    if len(figures) < 2:
        return "there is one recipe, and nothing to compare it with"
    if any(not len(f) for f in figures):
        return "a recipe has no finished run"
    if not all(np.isfinite(f).all() for f in figures):
        return NOT_A_NUMBER
    if all(len(f) == 1 for f in figures):
        return "one run of each recipe has no spread to judge a difference by; train more seeds"
    return ""


def _within(figures: Sequence[np.ndarray]) -> float:
    return float(sum(((f - f.mean()) ** 2).sum() for f in figures))


def _is_nothing(square: float, figures: Sequence[np.ndarray]) -> bool:
    """Whether a sum of squares is rounding error of the figures it comes from."""
    size = max(float(np.abs(f).max()) for f in figures)
    return square <= sum(map(len, figures)) * (8 * np.finfo(float).eps * size) ** 2


@lru_cache(maxsize=256)  # it takes a tenth of a second, and every split of a study asks for the same one
def _studentised_quantile(confidence: float, k: int, df: int) -> float:
    return float(stats.studentized_range.ppf(confidence, k, df))


@lru_cache(maxsize=1)
def _gauss() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(400)


def _noncentrality(t: float, df: int, share: float) -> float:
    """The noncentrality under which a t at most this large has probability ``share``.

    That probability is the mean of Phi(t sqrt(V / m) - shift) over V from chi square with m degrees of
    freedom, taken over its quantiles; scipy's own function gives NaN for large effects of few runs.
    """
    nodes, weights = _gauss()
    places = t * np.sqrt(stats.chi2.ppf((nodes + 1) / 2, df) / df)

    def above(shift: float) -> float:
        return float(weights @ special.ndtr(places - shift)) / 2 - share

    return float(optimize.brentq(above, places.min() - 10, places.max() + 10, xtol=1e-9))  # pyright: ignore[reportArgumentType]
