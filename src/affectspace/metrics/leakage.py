"""How much of who speaks, and in which language, can be read off vectors."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cholesky, solve_triangular

__all__ = ["FOLDS", "Classifier", "GroupProbe", "group_probe", "group_probe_within"]

Classifier = Literal["linear", "neighbours"]

FOLDS = 5
BLOCK = 512  # items whose distances to all others are held at a time
K = 5  # neighbours that vote: as many as the least of a group, and fewer than most groups have
SHRINKAGE = 0.1  # of the covariance within groups towards its diagonal, so that many dimensions and few items do


@dataclass(frozen=True)
class GroupProbe:
    """How well a classifier tells groups from vectors that it was not fitted on.

    Args:
        uar: the mean over groups of the share of a group's items that are told rightly, in [0, 1]; a space that
            tells nothing of its groups is at ``chance``.
        chance: of guessing, 1 / groups.
        groups: how many are told apart.
        items: how many are judged.
        left_out: items of groups that have too few, or of no other group beside them.
    """

    uar: float
    chance: float
    groups: int
    items: int
    left_out: int


def group_probe(
    vectors: ArrayLike, groups: ArrayLike, folds: int = FOLDS, seed: int = 0, classifier: Classifier = "linear"
) -> GroupProbe | None:
    r"""How well a classifier tells the group of an item, such as its speaker, from its vector.

    Every item is judged once, by a classifier of the other folds, over which the items of each group are dealt alike.
    The linear one is linear discriminant analysis with equal priors: the group :math:`g` with the highest

    .. math:: m_g^\top S^{-1} x - \tfrac12\, m_g^\top S^{-1} m_g \qquad
        S = (1 - \lambda)\, W + \lambda \operatorname{diag} W, \quad \lambda = 0.1

    where :math:`m_g` are the means of the groups and :math:`W` the covariance within them, each of the items that it
    is fitted on. Shrinking to the diagonal makes the answer that of standardised vectors, whatever the unit of each
    dimension. It is what a linear classifier can read, and no bound on what another could.

    "neighbours" is another, which needs no means: the 5 nearest items in the metric :math:`S^{-1}` of the same
    analysis, :math:`\lVert x - y \rVert^2 = (x - y)^\top S^{-1} (x - y)`, have a vote each, of weight one over the size
    of their group, so that large groups are not guessed for their size; of groups with equal votes it is that of the
    nearest item, and of items equally far away those of earlier rows count as nearer. It tells groups that lie in
    several places, in rings or at one spread in another, which have one mean.

    Args:
        vectors: shape ``(n, dimensions)``, finite.
        groups: integers ``(n,)``; negative ones are not known, and left out.
        folds: at least 2; groups of fewer items are left out and counted.
        seed: by which items are dealt.
        classifier: "linear" or "neighbours".

    Returns:
        None where fewer than two groups have enough items: there is nothing to tell apart.

    Raises:
        ValueError: shapes that do not match, groups that are no integers, values that are not finite, below 2 folds,
            or another classifier.

    Source: probes: Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016; the
    linear classifier: Friedman, "Regularized Discriminant Analysis", 1989; the votes: Fix & Hodges, "Discriminatory
    Analysis", 1951.

    Example:
        >>> group_probe(np.eye(3)[[0, 1, 2] * 10], [0, 1, 2] * 10)
        GroupProbe(uar=1.0, chance=0.3333333333333333, groups=3, items=30, left_out=0)
    """
    points, names = _checked(vectors, groups, folds)
    if classifier not in ("linear", "neighbours"):
        raise ValueError(f"classifier is {classifier!r}; it is 'linear' or 'neighbours'")
    told = _told if classifier == "linear" else _voted
    known = np.flatnonzero(names >= 0)
    _, place, sizes = np.unique(names[known], return_inverse=True, return_counts=True)
    enough = sizes >= folds
    if enough.sum() < 2:
        return None
    rows = known[enough[place]]
    labels = np.unique(names[rows], return_inverse=True)[1]
    fold = _dealt(labels, folds, seed)
    right = np.empty(len(rows), bool)
    for each in range(folds):
        held = fold == each
        right[held] = told(points[rows[~held]], labels[~held], points[rows[held]]) == labels[held]
    count = int(enough.sum())
    recalls = np.bincount(labels, right) / np.bincount(labels)
    return GroupProbe(float(recalls.mean()), 1 / count, count, len(rows), len(known) - len(rows))


def group_probe_within(
    vectors: ArrayLike,
    groups: ArrayLike,
    within: ArrayLike,
    folds: int = FOLDS,
    seed: int = 0,
    classifier: Classifier = "linear",
) -> GroupProbe | None:
    """:func:`group_probe` within each part, such as a corpus: the mean of its UAR, and of chance, over the parts.

    Between parts even the room would tell speakers apart, which says nothing of voices. Each part counts alike; one in
    which there are not two groups to tell apart is left out, its items with it. ``groups`` and ``items`` are of all
    parts together.

    Args:
        vectors, groups, folds, seed, classifier: as for :func:`group_probe`.
        within: integers ``(n,)``; negative ones are not known, and left out.

    Returns:
        None where no part is left.

    Raises:
        ValueError: as :func:`group_probe`.

    Example:
        >>> told = group_probe_within(np.eye(3)[[0, 1, 2] * 10], [0, 1, 2] * 10, [0, 0, 1] * 10)
        >>> told
        GroupProbe(uar=1.0, chance=0.5, groups=2, items=20, left_out=10)
    """
    points, names = _checked(vectors, groups, folds)
    _, parts = _checked(vectors, within, folds)
    known = (names >= 0) & (parts >= 0)
    found = [
        group_probe(points[rows], names[rows], folds, seed, classifier)
        for part in np.unique(parts[known])
        for rows in [np.flatnonzero(known & (parts == part))]
    ]
    there = [each for each in found if each is not None]
    if not there:
        return None
    items = sum(each.items for each in there)
    return GroupProbe(
        float(np.mean([each.uar for each in there])),
        float(np.mean([each.chance for each in there])),
        sum(each.groups for each in there),
        items,
        int(known.sum()) - items,
    )


def _checked(vectors: ArrayLike, groups: ArrayLike, folds: int) -> tuple[np.ndarray, np.ndarray]:
    points, names = np.asarray(vectors), np.asarray(groups)
    if points.ndim != 2 or names.shape != points.shape[:1] or names.dtype.kind not in "iu":
        raise ValueError(
            f"vectors has shape {points.shape} and groups {names.dtype} of shape {names.shape}; "
            "expected (items, dimensions) and integers (items,)"
        )
    if folds < 2:
        raise ValueError(f"folds is {folds}; at least 2 are needed, one to fit on and one to judge")
    if not np.isfinite(points).all():
        row = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
        raise ValueError(f"vectors are not finite in row {row}; leave out items that have none")
    return points, names


def _dealt(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each item: those of each group in turn, in an order by the seed and the group alone."""
    fold = np.empty(len(labels), np.int64)
    for label in range(labels.max() + 1):
        own = np.random.default_rng([seed, label]).permutation(np.flatnonzero(labels == label))
        fold[own] = (np.arange(len(own)) + label) % folds  # of small groups, the odd item is not always the first's
    return fold


def _told(fitted: np.ndarray, labels: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """The group of each judged item, by linear discriminant analysis of those that it is fitted on."""
    _, asked, means = _whitened(fitted, labels, judged)
    return (asked @ means.T - 0.5 * np.einsum("gd,gd->g", means, means)).argmax(1)


def _voted(fitted: np.ndarray, labels: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """The group of each judged item, by votes of the nearest of those that it is fitted on."""
    x, asked, _ = _whitened(fitted, labels, judged)
    sizes = np.bincount(labels)
    blocks = [asked[start : start + BLOCK] for start in range(0, len(asked), BLOCK)]
    return np.concatenate([_most_votes(labels[_nearest(x, block)], sizes) for block in blocks])


def _nearest(x: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """``(asked, K)`` rows of ``x``, nearest first; of items equally far away those of earlier rows."""
    k = min(K, len(x))
    squared = np.einsum("nd,nd->n", x, x) - 2 * asked @ x.T  # less what all distances of an item have in common
    near = np.argpartition(squared, k - 1, axis=1)[:, :k]
    furthest = np.take_along_axis(squared, near, 1).max(1, keepdims=True)
    torn = np.flatnonzero(np.count_nonzero(squared <= furthest, axis=1) > k)  # items equally far away, not all taken
    near[torn] = np.argsort(squared[torn], axis=1, kind="stable")[:, :k]
    near.sort(axis=1)
    order = np.argsort(np.take_along_axis(squared, near, 1), axis=1, kind="stable")
    return np.take_along_axis(near, order, 1)


def _most_votes(near: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The group with most votes, each worth one over its size; of ``near`` ``(asked, K)``, groups, nearest first."""
    votes, turns = np.zeros((2, len(near), len(sizes)))
    rows = np.arange(len(near))
    for place, group in enumerate(near.T):
        votes[rows, group] += 1 / sizes[group]
        turns[rows, group] += 0.5**place  # more than all of those that are further away together
    tied = votes > (1 - 1e-9) * votes.max(1, keepdims=True)  # equal, but for the rounding of their sums
    return np.where(tied, turns, 0).argmax(1)


def _whitened(fitted: np.ndarray, labels: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both sides, and the means of the groups, in units in which the shrunk covariance within groups is one."""
    centre, spread = fitted.mean(0, dtype=np.float64), fitted.std(0, dtype=np.float64)
    scale = np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, np.inf)  # what never varies says nothing
    x, asked = ((each - centre) / scale for each in (fitted, judged))
    totals = np.bincount(labels)
    members = np.zeros((len(totals), len(x)))
    members[labels, np.arange(len(x))] = 1
    means = members @ x / totals[:, None]
    inside = x - means[labels]
    spreads = inside.T @ inside / len(x)
    own = np.diag(spreads).copy()
    shrunk = (1 - SHRINKAGE) * spreads
    shrunk[np.diag_indices_from(shrunk)] = own + 1e-6  # of groups that are points each, all directions are alike
    root = cholesky(shrunk, lower=True)
    x, asked, means = (solve_triangular(root, each.T, lower=True).T for each in (x, asked, means))
    return x, asked, means
