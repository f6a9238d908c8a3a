"""Items to groups by a mixture of Gaussians, where items are few and dimensions many too."""

import numpy as np

from affectspace.space.em import Covariance, fitted, from_k_means, k_means

__all__ = ["Covariance", "grouped", "number_by_bic"]

ITEMS_A_DIMENSION = 5  # fewer of a component's items than this for each dimension do not tell its covariance
FEWEST = 10  # items a component, below which k-means groups them
FITTED = 20_000  # items that a mixture is fitted to; more change nothing but the time
ROWS = 65_536
MOST_BY_BIC = 8


def grouped(vectors: np.ndarray, groups: int, seed: int = 0, covariance: Covariance = "full") -> np.ndarray:
    """The group of each item, by EM.

    A full covariance of d dimensions has d (d + 1) / 2 numbers, which fifty items in 64 dimensions cannot give.
    So EM sees the items in their leading principal directions: as many as leave each component five items a
    dimension. Groups that lie apart are what spreads items most, so these directions keep them. Where a group
    would have fewer than ten items, k-means in all dimensions takes its place (all covariances one circle).
    A 1000th of the mean variance is added to every variance, so a component that shrinks to one item does not fail.
    EM begins as :func:`~affectspace.space.em.fitted` tells.

    Args:
        vectors: ``(items, dimensions)``.
        groups: how many; fewer are found where there are fewer different vectors, or a component gets no item.
        seed: of the starts. The same gives the same groups.
        covariance: as of :class:`sklearn.mixture.GaussianMixture`.

    Returns:
        int64 ``(items,)``, from 0, the largest group first.

    Example:
        >>> two = np.concatenate([np.zeros((30, 3)), np.ones((20, 3))]) + np.arange(50)[:, None] % 5 / 50
        >>> np.bincount(grouped(two, 2))
        array([30, 20])
    """
    points = _scaled(vectors)
    if points is None or groups < 2:
        return np.zeros(len(vectors), np.int64)
    rng = np.random.default_rng(seed)
    sample = points if len(points) <= FITTED else points[np.sort(rng.choice(len(points), FITTED, replace=False))]
    groups = min(groups, len(np.unique(sample, axis=0)))
    few = len(points) < FEWEST * groups
    if not few:
        axes = _axes(sample, len(sample) // groups // ITEMS_A_DIMENSION)
        sample, points = sample @ axes, points @ axes
    state = int(rng.integers(2**31))
    model = k_means(groups, state).fit(sample) if few else fitted(sample, groups, covariance, state)
    blocks = [model.predict(points[start : start + ROWS]) for start in range(0, len(points), ROWS)]
    return _by_size(np.concatenate(blocks))


def number_by_bic(vectors: np.ndarray, most: int = MOST_BY_BIC, seed: int = 0, covariance: Covariance = "full") -> int:
    """How many components explain the items best for their number of parameters, from 1 to ``most``.

    All numbers are compared in the same principal directions, those that ``most`` components can afford, and
    no more than ``most``: so many components span no more.

    Source: Schwarz, "Estimating the dimension of a model", 1978.

    Example:
        >>> apart = np.random.default_rng(0).normal(size=(90, 2)) + 9 * (np.arange(90) % 3)[:, None]
        >>> number_by_bic(apart)
        3
    """
    points = _scaled(vectors)
    most = min(most, len(vectors) // FEWEST)
    if points is None or most < 2:
        return 1
    rng = np.random.default_rng(seed)
    if len(points) > FITTED:
        points = points[np.sort(rng.choice(len(points), FITTED, replace=False))]
    points = points @ _axes(points, min(most, len(points) // most // ITEMS_A_DIMENSION))
    most = min(most, len(np.unique(points, axis=0)))
    state = int(rng.integers(2**31))
    costs = [from_k_means(points, k, covariance, state).bic(points) for k in range(1, most + 1)]
    return int(np.argmin(costs)) + 1


def _scaled(vectors: np.ndarray) -> np.ndarray | None:
    """Centred, of mean variance 1, in float64; None where all are one point."""
    points = np.asarray(vectors, dtype=np.float64)
    points = points - points.mean(0)
    # The largest entry first, so that squares stay in range.
    peak = np.abs(points).max(initial=0.0)
    if peak <= 1e-12 * np.abs(vectors).max(initial=0.0):
        return None
    points /= peak
    return points / np.sqrt((points**2).mean())


def _axes(points: np.ndarray, most: int) -> np.ndarray:
    """The leading principal directions ``(dimensions, at most `most`, at least 1)``."""
    _, axes = np.linalg.eigh(points.T @ points)
    return axes[:, ::-1][:, : max(1, most)]


def _by_size(assignment: np.ndarray) -> np.ndarray:
    """Groups numbered anew, the largest first; of two as large, the one that holds the earlier item."""
    found, first, sizes = np.unique(assignment, return_index=True, return_counts=True)
    numbers = np.empty(found.max() + 1, np.int64)
    numbers[found[np.lexsort([first, -sizes])]] = np.arange(len(found))
    return numbers[assignment]
