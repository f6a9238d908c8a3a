"""A mixture of Gaussians by EM, from starts good enough to find groups that are not what spreads items most."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

__all__ = ["Covariance", "fitted", "from_k_means", "k_means"]

Covariance = Literal["full", "tied", "diag", "spherical"]

STARTS = 4  # EM only climbs to the next hill, so the best of some starts is taken
TRIED, KEPT, SHORT = 16, 3, 10  # short climbs of one common covariance, how many of them go on, and their steps
FLOOR = 1e-3  # added to every variance, so that none is singular


def fitted(points: np.ndarray, components: int, covariance: Covariance = "full", state: int = 0) -> GaussianMixture:
    """The likeliest mixture of Gaussians that EM finds from many starts.

    k-means begins with what spreads items most, and a net that was trained on classes leaves within them spread that
    has to do with no group: from there, EM with a covariance for each component ends on a hill well below that of the
    groups, and on others in other runs. One **common** covariance has few numbers to fit and a smoother hill. So it
    is fitted first: 16 short climbs, half from k-means and half from random items, of which the likeliest 3 go
    on to the top and the best begins the mixture that was asked for. That one is kept unless EM from plain k-means, of
    2 starts, ends likelier, as it does where components differ in shape and not in place.

    Args:
        points: ``(items, dimensions)``, centred, of mean variance about 1.
        components: how many, at least 1 and at most as many as different points.
        covariance: as of :class:`sklearn.mixture.GaussianMixture`.
        state: of the starts.

    Source: Biernacki, Celeux & Govaert, "Choosing starting values for the EM algorithm", 2003, for the short climbs.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> places = np.arange(300) % 2  # told by the first number, eight standard deviations apart
        >>> points = np.stack([places * 8 - 4 + rng.normal(size=300), *4 * rng.normal(size=(3, 300))], 1) / 3
        >>> found = fitted(points, 2).predict(points)
        >>> bool(max((found == places).mean(), (found != places).mean()) > 0.95)
        True
    """
    plain = from_k_means(points, components, covariance, state, STARTS // 2)
    if components == 1:
        return plain
    short = [_from(points, each, "tied", SHORT) for each in _starts(points, components, state)]
    short = sorted((each for each in short if each), key=_likelihood, reverse=True)[:KEPT]
    long = [_from(points, each.predict(points), "tied") for each in short]
    if best := max((each for each in long if each), key=_likelihood, default=None):
        begun = _from(points, best.predict(points), covariance)
        if begun and _likelihood(begun) > _likelihood(plain):
            return begun
    return plain


def from_k_means(
    points: np.ndarray, components: int, covariance: Covariance = "full", state: int = 0, starts: int = STARTS
) -> GaussianMixture:
    """The likeliest mixture that EM finds from k-means alone: a quick look, as of :func:`fitted`."""
    return _climbed(points, components, covariance, n_init=starts, random_state=state)


def k_means(groups: int, state: int, starts: int = STARTS) -> KMeans:
    """k-means, the best of some starts."""
    return KMeans(groups, n_init=starts, random_state=state)  # pyright: ignore[reportArgumentType]


def _starts(points: np.ndarray, components: int, state: int) -> Iterator[np.ndarray]:
    """Groupings ``(items,)`` to begin with."""
    rng = np.random.default_rng(state)
    for _ in range(TRIED // 2):
        with _unconverged():  # fewer places than components are fewer components
            assignment = k_means(components, int(rng.integers(2**31)), 1).fit_predict(points)
        yield assignment
        centres = points[rng.choice(len(points), components, replace=False)]
        yield ((centres**2).sum(1) / 2 - points @ centres.T).argmin(1)


def _from(
    points: np.ndarray, assignment: np.ndarray, covariance: Covariance, steps: int = 100
) -> GaussianMixture | None:
    """EM from a grouping, with what its groups have in common as the first covariance; None where it has one group."""
    groups, assignment = np.unique(assignment, return_inverse=True)
    sizes, dimensions = np.bincount(assignment), points.shape[1]
    if len(groups) == 1:
        return None
    means = np.stack([points[assignment == group].mean(0) for group in range(len(groups))])
    rest = points - means[assignment]
    common = rest.T @ rest / len(points) + FLOOR * np.eye(dimensions)
    first = {
        "tied": lambda: np.linalg.inv(common),
        "full": lambda: np.repeat(np.linalg.inv(common)[None], len(groups), 0),
        "diag": lambda: np.repeat(1 / np.diag(common)[None], len(groups), 0),
        "spherical": lambda: np.full(len(groups), dimensions / np.trace(common)),
    }[covariance]()
    given = {"weights_init": sizes / len(points), "means_init": means, "precisions_init": first}
    return _climbed(points, len(groups), covariance, max_iter=steps, **given)


def _climbed(points: np.ndarray, components: int, covariance: Covariance, **given: Any) -> GaussianMixture:
    with _unconverged():  # the last step still is a mixture
        return GaussianMixture(components, covariance_type=covariance, reg_covar=FLOOR, **given).fit(points)


@contextmanager
def _unconverged() -> Iterator[None]:
    """Without scikit-learn's warnings of what has not converged, or has fewer groups than were asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _likelihood(mixture: GaussianMixture) -> float:
    return float(mixture.lower_bound_)
