"""How far predicted distributions lie from raters' distributions, and whether confidence can be believed."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from affectspace.metrics._inputs import distributions, leading_classes

__all__ = ["expected_calibration_error", "jensen_shannon"]


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    r"""Jensen-Shannon divergence in bits, mean over items. In [0, 1], lower is better; 0 only for equal rows.

    .. math:: JS(p, q) = \tfrac12 KL(p \,\|\, m) + \tfrac12 KL(q \,\|\, m), \qquad m = \tfrac{p + q}{2}

    The divergence, not its square root (the distance). Symmetric, and finite where a probability is 0.
    Rows are scaled to sum to one exactly.

    Args:
        p, q: probabilities, shape ``(items, classes)``; class indices ``(items,)`` are one-hot.

    Raises:
        ValueError: shapes that differ, no items, NaN, negative entries, rows that do not sum to one.

    Source: Lin, "Divergence measures based on the Shannon entropy", 1991.

    Example:
        >>> jensen_shannon([[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]])
        0.5
    """
    width = next((np.shape(x)[1] for x in (p, q) if np.ndim(x) == 2), None)
    first, second = distributions(p, width, "p"), distributions(q, width, "q")
    if first.shape != second.shape:
        raise ValueError(f"p has shape {first.shape} and q {second.shape}; give the same items and classes")
    first, second = first / first.sum(1, keepdims=True), second / second.sum(1, keepdims=True)
    middle = (first + second) / 2
    bits = (rel_entr(first, middle) + rel_entr(second, middle)).sum(1) / (2 * np.log(2))
    return float(np.clip(bits, 0, 1).mean())


def expected_calibration_error(probabilities: ArrayLike, truth: ArrayLike, bins: int = 15) -> float:
    r"""Mean gap between confidence and accuracy. In [0, 1], lower is better.

    .. math:: ECE = \sum_b \frac{n_b}{n} \left|\mathrm{acc}_b - \mathrm{conf}_b\right|

    Confidence is the largest probability. Bins are of equal width, open below and closed above:
    ``(b / bins, (b + 1) / bins]``. Right is what the tie rule of
    :mod:`affectspace.metrics.classification` calls right. It rewards giving the base rate to every
    item, so read it beside UAR.

    Args:
        probabilities: shape ``(items, classes)``.
        truth: class indices ``(items,)`` or probabilities ``(items, classes)``.
        bins: at least 1.

    Raises:
        ValueError: shapes that do not match, no items, NaN, rows that do not sum to one, no bins.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Example:
        Four predictions at 75 %, three of them right, are calibrated; two right leave a gap:

        >>> sure = [[0.75, 0.25]] * 4
        >>> expected_calibration_error(sure, [0, 0, 0, 1]), expected_calibration_error(sure, [0, 0, 1, 1])
        (0.0, 0.25)
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; at least 1 is needed")
    if np.ndim(probabilities) != 2:
        raise ValueError(f"probabilities has shape {np.shape(probabilities)}; expected (items, classes)")
    given = distributions(probabilities, None, "probabilities")
    leading = leading_classes(truth, given.shape[1])
    if len(leading) != len(given):
        raise ValueError(f"probabilities has {len(given)} items and truth {len(leading)}; give both for the same items")
    guess = given.argmax(1)
    confidence = given.max(1)
    right = leading[np.arange(len(guess)), guess]
    edges = np.arange(1, bins) / bins
    place = np.searchsorted(edges, confidence, side="left")
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(given))
