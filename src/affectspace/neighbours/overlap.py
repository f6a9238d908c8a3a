"""Whether the same emotion of several languages lies in one place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from affectspace.neighbours.nearest import Neighbours

__all__ = ["Overlap", "SameClass", "overlap", "same_class_among"]

K = 10


@dataclass(frozen=True)
class Overlap:
    """How languages lie over each other; all but the last two in [0, 1].

    Args:
        same_class: of an item's nearest items of other languages, the share of its own class; higher is better.
        same_class_chance: the same of items of other languages at random.
        other_language: of an item's nearest items of all, the share of other languages.
        other_language_chance: the same of all items at random: as many as there are where languages are mixed.
        items: how many were asked.
        k: how many neighbours, at most.
    """

    same_class: float
    same_class_chance: float
    other_language: float
    other_language_chance: float
    items: int
    k: int


@dataclass(frozen=True)
class SameClass:
    """How many neighbours of other languages share the class of those that ask; both shares in [0, 1].

    Args:
        share: of an item's nearest items, those of its own class; higher is better.
        chance: the same of those items at random.
        items: how many were asked.
    """

    share: float
    chance: float
    items: int


def overlap(vectors: ArrayLike, classes: ArrayLike, languages: ArrayLike, k: int = K) -> Overlap | None:
    """Whether an item's neighbours in other languages share its class, and whether languages are mixed at all.

    Each item is asked for its k nearest items of *other* languages, and the share of them that has its class; and for
    its k nearest of all others, and the share of them that is of another language. Both are means over the items.
    The first says whether the emotions of languages lie alike, the second whether the languages lie in one place: a
    space may keep languages apart, and yet have their emotions side by side.

    Args:
        vectors: shape ``(n, dimensions)``, finite.
        classes: integers ``(n,)``; items of unknown class (negative) are left out.
        languages: integers ``(n,)``; negative ones are not known, and left out.
        k: how many neighbours, at least 1; fewer where there are fewer.

    Returns:
        None where the items left are of fewer than two languages.

    Raises:
        ValueError: shapes that do not match, classes or languages that are no integers, and values as for
            :class:`~affectspace.neighbours.nearest.Neighbours`.

    Example:
        Two languages far apart, whose emotions lie alike:

        >>> told = overlap([[0.0], [1.0], [9.0], [10.0]], classes=[0, 1, 1, 0], languages=[0, 0, 1, 1], k=1)
        >>> told.same_class, told.same_class_chance, told.other_language, round(told.other_language_chance, 3)
        (0.5, 0.5, 0.0, 0.667)
    """
    points, emotions, spoken, _ = _known(vectors, classes, languages)
    names, sizes = np.unique(spoken, return_counts=True)
    if len(names) < 2:
        return None
    near = Neighbours(points)
    rows = near.of_items(min(k, len(points) - 1))[1]
    away = spoken[rows] != spoken[:, None]
    same, by_chance = np.empty(len(points)), np.empty(len(points))
    for name in names:
        own, others = np.flatnonzero(spoken == name), np.flatnonzero(spoken != name)
        same[own], by_chance[own] = _same(near, points, emotions, own, others, k)
    strangers = (sizes * (len(points) - sizes)).sum() / (len(points) * (len(points) - 1))
    return Overlap(
        float(same.mean()), float(by_chance.mean()), float(away.mean()), float(strangers), len(points), rows.shape[1]
    )


def same_class_among(
    vectors: ArrayLike, classes: ArrayLike, languages: ArrayLike, asked: ArrayLike, k: int = K
) -> SameClass | None:
    """Whether some items, such as those of a language never heard, lie among others of their class.

    Each asked item's k nearest of the items that are *not* asked and of another language than its own: the share of
    them that has its class, as a mean over the asked items.

    Args:
        vectors, classes, languages, k: as for :func:`overlap`.
        asked: bool ``(n,)``, who is asked; all others are looked among.

    Returns:
        None where nobody is asked who has others of another language.

    Raises:
        ValueError: as for :func:`overlap`, or ``asked`` of another shape or type.

    Example:
        >>> same_class_among([[0.0], [1.0], [0.1], [0.8]], [0, 1, 0, 1], [0, 0, 1, 1], [False, False, True, True], k=1)
        SameClass(share=1.0, chance=0.5, items=2)
    """
    who = np.asarray(asked)
    if who.shape != np.shape(classes) or who.dtype.kind != "b":
        raise ValueError(
            f"asked is {who.dtype} of shape {who.shape}; expected a bool for each item, of shape {np.shape(classes)}"
        )
    points, emotions, spoken, known = _known(vectors, classes, languages)
    who = who[known]
    sides = [
        (np.flatnonzero(who & (spoken == name)), np.flatnonzero(~who & (spoken != name)))
        for name in np.unique(spoken[who])
    ]
    sides = [(own, others) for own, others in sides if len(others)]
    if not sides:
        return None
    near = Neighbours(points)
    same, by_chance = zip(*(_same(near, points, emotions, own, others, k) for own, others in sides))
    shares, chances = np.concatenate(same), np.concatenate(by_chance)
    return SameClass(float(shares.mean()), float(chances.mean()), len(shares))


def _known(
    vectors: ArrayLike, classes: ArrayLike, languages: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What is known of items of known class and language, and which these are."""
    points, emotions, spoken = np.asarray(vectors), np.asarray(classes), np.asarray(languages)
    for name, each in (("classes", emotions), ("languages", spoken)):
        if points.ndim != 2 or each.shape != points.shape[:1] or each.dtype.kind not in "iu":
            raise ValueError(
                f"vectors has shape {points.shape} and {name} {each.dtype} of shape {each.shape}; "
                "expected (items, dimensions) and integers (items,)"
            )
    known = (emotions >= 0) & (spoken >= 0)
    return points[known], emotions[known], spoken[known], known


def _same(
    near: Neighbours, points: np.ndarray, emotions: np.ndarray, own: np.ndarray, others: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of the k others nearest to each own item, and of all others, the share of its class."""
    found = near.search(points[own], min(k, len(others)), among=others)[1]
    by_chance = np.bincount(emotions[others], minlength=emotions.max() + 1) / len(others)
    return (emotions[found] == emotions[own, None]).mean(1), by_chance[emotions[own]]
