"""Classes within classes: a mixture of Gaussians in each class, and the items that stand for its components."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from affectspace.errors import InputError
from affectspace.space.medoids import distances
from affectspace.space.mixture import FEWEST, Covariance, grouped, number_by_bic
from affectspace.space.space import Space

__all__ = ["SubClasses", "find_subclasses", "stability"]


@dataclass(frozen=True)
class SubClasses:
    """The sub-classes of a space, those of the first class first, of one class the largest first.

    Args:
        space: whose they are.
        assignment: ``(items,)`` int64, the sub-class of each item, -1 where its class is unknown.
        classes_of: ``(sub-classes,)`` int64, the class that each lies in.
        means: ``(sub-classes, dimensions)`` float32.
        medoids: ``(sub-classes,)`` int64, the row of the item nearest to each mean.
    """

    space: Space
    assignment: np.ndarray
    classes_of: np.ndarray
    means: np.ndarray
    medoids: np.ndarray

    def __len__(self) -> int:
        return len(self.classes_of)

    @property
    def sizes(self) -> np.ndarray:
        """``(sub-classes,)`` int64, how many items each has."""
        return np.bincount(self.assignment[self.assignment >= 0], minlength=len(self))

    @property
    def names(self) -> tuple[str, ...]:
        """``"happy 1"``, ``"happy 2"``, ...; a class that stays whole keeps its name."""
        within = pd.Series(self.classes_of).groupby(self.classes_of).cumcount() + 1
        whole = np.bincount(self.classes_of, minlength=len(self.space.classes)) == 1
        return tuple(
            self.space.classes[place] if whole[place] else f"{self.space.classes[place]} {number}"
            for place, number in zip(self.classes_of, within)
        )

    @property
    def targets(self) -> np.ndarray:
        """``(items, sub-classes)`` float32, one-hot, for another round of training on them; NaN where unknown."""
        found = np.full((len(self.space), len(self)), np.nan, np.float32)
        known = self.assignment >= 0
        found[known] = np.eye(len(self), dtype=np.float32)[self.assignment[known]]
        return found

    def nearest(self, subclass: int, count: int) -> np.ndarray:
        """Rows of the items of a sub-class that lie nearest to its medoid, the medoid first; at most ``count``."""
        rows = np.flatnonzero(self.assignment == subclass)
        medoid = self.medoids[subclass]
        away = distances(self.space.vectors[rows], self.space.vectors[medoid])
        away[rows == medoid] = -1.0  # before its own copies
        return rows[np.argsort(away, kind="stable")[:count]]

    def relabelled(self) -> Space:
        """The space whose classes are the sub-classes: its labels, targets and names are theirs."""
        names = np.array([*self.names, None], dtype=object)
        items = self.space.items.drop(columns=["target", "probabilities", "prediction"], errors="ignore")
        items = items.assign(parent=self.space.items["label"], label=names[self.assignment])
        return Space(items, self.space.vectors, self.names, self.space.about)


def find_subclasses(
    space: Space,
    components: int | Literal["bic"] = 2,
    seed: int = 0,
    covariance: Covariance = "full",
) -> SubClasses:
    """Fit a mixture of Gaussians within each class by EM, and give each item to its most likely component.

    A round of a deep Gaussian mixture sub-space: train on the sub-classes, embed, and find them anew with one
    component more. A class has at most a tenth as many components as items, so that one of few items, or of
    items that are all alike, stays whole. See :func:`~affectspace.space.mixture.grouped` for what is done where
    items are too few for a covariance in all dimensions.

    Args:
        space: with labels; items without one belong to no sub-class.
        components: how many to look for in each class, or "bic", by which each class has the number (up to 8)
            that explains it best.
        seed: of the starts of EM; the same gives the same sub-classes.
        covariance: what the components may differ in; "full" is the method's.

    Raises:
        InputError: no item has a label, or ``components`` is less than 1.

    Example:
        >>> rows = np.arange(60)
        >>> items = pd.DataFrame({"id": rows.astype(str), "label": np.where(rows < 40, "happy", "sad")})
        >>> vectors = np.stack([rows // 10 % 2 * 10 + rows % 10 / 10, rows % 3], 1)
        >>> found = find_subclasses(Space(items, vectors, ("happy", "sad")), components=2)
        >>> found.names, found.sizes.tolist()
        (('happy 1', 'happy 2', 'sad 1', 'sad 2'), [20, 20, 10, 10])
        >>> items["id"][found.nearest(0, 3)].tolist()
        ['4', '25', '22']
    """
    if components != "bic" and components < 1:
        raise InputError(f"components is {components}; give how many a class is to have, at least 1, or 'bic'")
    labels = space.labels
    if not (labels >= 0).any():
        raise InputError("no item of the space has a label, so there are no classes to look into")
    assignment = np.full(len(space), -1, np.int64)
    classes_of, means, medoids = [], [], []
    for place in range(len(space.classes)):
        rows = np.flatnonzero(labels == place)
        if not len(rows):
            continue
        vectors = space.vectors[rows]
        own_seed = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
        wanted = number_by_bic(vectors, seed=own_seed, covariance=covariance) if components == "bic" else components
        found = grouped(vectors, max(1, min(wanted, len(rows) // FEWEST)), own_seed, covariance)
        for group in range(found.max() + 1):
            members = rows[found == group]
            assignment[members] = len(classes_of)
            mean = space.vectors[members].mean(0, dtype=np.float64)
            classes_of.append(place)
            means.append(mean)
            medoids.append(members[distances(space.vectors[members], mean).argmin()])
    return SubClasses(
        space, assignment, np.array(classes_of, np.int64), np.array(means, np.float32), np.array(medoids, np.int64)
    )


def stability(
    space: Space,
    components: int | Literal["bic"] = 2,
    seeds: Sequence[int] = range(5),
    covariance: Covariance = "full",
) -> pd.DataFrame:
    """How far the sub-classes of different seeds agree: 1 where all find the same, about 0 where chance decides.

    Args:
        space, components, covariance: as for :func:`find_subclasses`.
        seeds: two or more.

    Returns:
        One row a class: ``class``, ``items``, ``components`` (the most that a seed found), and the ``mean`` and
        ``lowest`` adjusted Rand index over pairs of seeds; NaN for a class that stays whole, in which there is
        nothing to agree on.

    Raises:
        InputError: fewer than two seeds, or what :func:`find_subclasses` raises.

    Source: Hubert & Arabie, "Comparing partitions", 1985.

    Example:
        >>> rows = np.arange(40)
        >>> items = pd.DataFrame({"id": rows.astype(str), "label": "happy"})
        >>> vectors = np.stack([rows // 20 * 10 + rows % 20 / 10, rows % 3], 1)
        >>> stability(Space(items, vectors, ("happy",)), 2, range(3))["lowest"].tolist()
        [1.0]
    """
    if len(seeds) < 2:
        raise InputError(f"{len(seeds)} seeds cannot disagree; give two or more")
    found = [find_subclasses(space, components, seed, covariance) for seed in seeds]
    labels, rows = space.labels, []
    for place, name in enumerate(space.classes):
        of_class = labels == place
        most = max(int((each.classes_of == place).sum()) for each in found)
        pairs = [
            adjusted_rand_score(one.assignment[of_class], other.assignment[of_class])
            for one, other in combinations(found, 2)
        ]
        told = (float(np.mean(pairs)), float(np.min(pairs))) if most > 1 else (np.nan, np.nan)
        rows.append((name, int(of_class.sum()), most, *told))
    return pd.DataFrame(rows, columns=["class", "items", "components", "mean", "lowest"])
