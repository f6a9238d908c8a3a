"""The tests of a study's page in full: each split's analysis of variance, differences to the baseline, all pairs."""

import numpy as np

from affectspace.report.phrases import NONE, PERCENT, ends, p_value, signed
from affectspace.studies.statistics import Estimate
from affectspace.studies.summary import RecipeSummary, SplitSummary

__all__ = ["anova", "differences", "pairs"]


def anova(split: SplitSummary) -> str:
    """The analysis of variance in one line, or why there is none."""
    a = split.anova
    if a.f is None or a.p is None or a.eta_squared is None or a.omega_squared is None:
        return f"No analysis of variance: {a.reason}."
    f = f"{a.f:,.2f}" if a.f < 1e4 else f"{a.f:.2e}"
    share, omega = f"{100 * a.eta_squared:.0f}{PERCENT}", _two(a.omega_squared)
    return (
        f"F({a.df_between}, {a.df_within}) = {f}, {p_value(a.p)}; recipes explain {share} of the runs' variance (η²), "
        f"ω² = {omega}."
    )


def differences(split: SplitSummary) -> list[tuple[str, list[str]]]:
    """A row a recipe: n, difference with Tukey's interval, p, paired, g, over speakers, over speakers and seeds."""
    return [(row.recipe, _cells(row)) for row in split.rows if row.difference is not None]


def pairs(split: SplitSummary) -> list[tuple[str, str, str, str, str]]:
    """Every pair of recipes: names, difference, interval, p."""
    told = []
    for pair in split.tukey.pairs:
        seen = pair if pair.value >= 0 else pair.turned()  # the one ahead first
        interval = NONE if seen.low is None or seen.high is None else ends(seen.low, seen.high)
        p = NONE if seen.p is None else p_value(seen.p)
        told.append((split.tested[seen.one], split.tested[seen.other], signed(seen.value), interval, p))
    return told


def _cells(row: RecipeSummary) -> list[str]:
    value, low, high = row.change
    tukey = signed(value) + ("" if np.isnan(low) else f" ({ends(low, high)})")
    g = NONE if row.g.value is None else f"{_two(row.g.value)}{_interval(row.g)}"
    paired = NONE
    if row.paired.value is not None and row.paired.p is not None:
        interval = ends(row.paired.low or 0.0, row.paired.high or 0.0)
        paired = f"{signed(row.paired.value)} ({interval}), {p_value(row.paired.p)}"
    around = [NONE if each is None else ends(each.low, each.high) for each in (row.speakers, row.speakers_and_seeds)]
    return [str(row.uar.n), tukey, NONE if np.isnan(row.p) else p_value(row.p), paired, g, *around]


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({_two(estimate.low)} to {_two(estimate.high)})"


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
