"""How pages and tables write lists, shares, differences and p values: one way each."""

from math import isfinite

from affectspace.studies.summary import ALPHA
from affectspace.studies.words import counted, listed, named

__all__ = [
    "NONE", "PERCENT", "counted", "ends", "in_percent", "in_points", "listed", "named", "p_value", "percent",
    "signed", "whole_percent",
]  # fmt: skip

NONE = "–"
PERCENT = "\u202f%"  # after a thin space at which no line breaks


def in_percent(share: float) -> str:
    """A share in per cent without the sign, for tables whose heading tells the unit.

    Example:
        >>> in_percent(0.6442), in_percent(float("nan"))
        ('64.4', '–')
    """
    return f"{100 * share:.1f}" if isfinite(share) else NONE


def percent(share: float) -> str:
    """A share in per cent, with the sign."""
    return in_percent(share) + (PERCENT if isfinite(share) else "")


def whole_percent(share: float) -> str:
    """A share in whole per cent, with the sign; only all of it is 100, and only nothing 0.

    Example:
        >>> [whole_percent(share).replace(PERCENT, " %") for share in (0.0, 0.002, 0.506, 0.9951, 1 - 1e-12)]
        ['0 %', 'below 1 %', '51 %', 'over 99 %', '100 %']
    """
    exact = 100 * share
    if 0 < exact < 1:
        return f"below 1{PERCENT}"
    if 99 < exact < 100 - 1e-9:
        return f"over 99{PERCENT}"
    return f"{exact:.0f}{PERCENT}"


def in_points(difference: float) -> float:
    """A difference of UAR in percentage points as it prints; never minus zero."""
    return round(100 * difference, 1) + 0.0


def signed(difference: float, plus: bool = True) -> str:
    """The same with its sign.

    Example:
        >>> signed(0.0162), signed(-0.004), signed(0.0), signed(0.0162, plus=False)
        ('+1.6', '−0.4', '0.0', '1.6')
    """
    value = in_points(difference)
    sign = "−" if value < 0 else "+" if value > 0 and plus else ""
    return f"{sign}{abs(value):.1f}"


def ends(low: float, high: float) -> str:
    """An interval of differences in points.

    Example:
        >>> ends(-0.004, 0.031)
        '−0.4 to 3.1'
    """
    return f"{signed(low, plus=False)} to {signed(high, plus=False)}"


def p_value(p: float) -> str:
    """A p as papers print it, with spaces at which no line breaks.

    Example:
        >>> [p_value(p).replace("\\u00a0", " ") for p in (0.0031, 0.00002, 0.412, 0.0496, 0.9999)]
        ['p = .003', 'p < .001', 'p = .41', 'p = .0496', 'p > .99']
    """
    return _p_value(p).replace(" ", "\u00a0")


def _p_value(p: float) -> str:
    if 0.0495 <= p < ALPHA:  # three digits would print what is told to be below .05 as .050
        return f"p = {min(p, 0.0499):.4f}".replace("0.", ".")
    if p < 0.001:
        return "p < .001"
    if p > 0.995:
        return "p > .99"
    return "p = " + (f"{p:.3f}" if p < 0.0995 else f"{p:.2f}").removeprefix("0")
