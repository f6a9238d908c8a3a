"""Whether two methods differ on one data set, judged from random splits of it."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from affectspace.studies.statistics import Estimate, mean_interval

__all__ = ["resampled"]


def resampled(one: ArrayLike, other: ArrayLike, test_to_train: float, confidence: float = 0.95) -> Estimate:
    r"""Mean difference over random splits, its interval and p, with the splits' overlap allowed for.

    .. math:: \bar\delta \pm t_{1-\alpha/2;\,n-1}\, s_\delta \sqrt{\frac1n + \frac{n_2}{n_1}}

    The splits of one data set share most of their items, so that their figures go together, and the ordinary paired t
    test finds differences that are not there; :math:`n_2 / n_1` widens its interval.

    Args:
        one, other: figures of the same splits in the same order.
        test_to_train: tested items over those that a model was made of, such as 1/3 for a quarter tested.
        confidence: of the interval.

    Returns:
        The estimate; figures are None, with a reason, where there is nothing to judge by.

    Raises:
        ValueError: they differ in number, or a ratio that is not above 0.

    Source: Nadeau & Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.

    Example:
        >>> found = resampled([0.8, 0.7, 0.9, 0.8], [0.6, 0.6, 0.7, 0.7], test_to_train=1 / 3)
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3), round(found.p, 3)
        (0.15, 0.01, 0.29, 0.042)
    """
    if not test_to_train > 0:
        raise ValueError(f"test_to_train is {test_to_train}; it is tested over training items, above 0")
    a, b = (np.asarray(figures, dtype=np.float64) for figures in (one, other))
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} and {len(b)} figures are no pairs; give those of the same splits")
    found = mean_interval(a - b, confidence)
    if found.value is None or found.sd is None:
        return found
    if found.sd <= 8 * np.finfo(float).eps * max(1.0, float(np.abs(a).max())):
        return Estimate(found.value, n=found.n, sd=0.0, reason="the difference is the same on every split")
    error = found.sd * (1 / found.n + test_to_train) ** 0.5
    half = float(stats.t.ppf((1 + confidence) / 2, found.n - 1)) * error
    p = float(2 * stats.t.sf(abs(found.value) / error, found.n - 1))
    return Estimate(found.value, found.value - half, found.value + half, found.sd, found.n, p)
