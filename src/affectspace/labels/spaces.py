"""Label spaces: which classes there are, and how ratings or own labels become targets over them.

A target is a distribution over the classes; a hard label is a one-hot row, and nothing treats it
apart. Three spaces cover what corpora bring:

===========  ================================================  ==================================
space        from                                              classes
===========  ================================================  ==================================
``Classes``  categorical votes, else the item's own label      unordered
``Poles``    a numeric scale, read as votes for its two ends   two, ordered
``Levels``   own labels or votes, or a scale cut at thresholds  ordered
===========  ================================================  ==================================

A scale whose thresholds are yet to be learned is :class:`Uncut`.
"""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.labels.naming import class_of, lookup_of, refuse, resolve
from affectspace.labels.votes import Targets, column_numbers, judgements, mean_ratings, rows_of, texts, vote_shares

__all__ = ["Classes", "LabelSpace", "Levels", "Poles", "Uncut", "ground_distance"]

OWN_LABEL = "label"  # the dimension that asks for the item's own label, whatever was voted


@dataclass(frozen=True)
class Classes:
    """Unordered categories.

    Votes of the asked dimension are used where the corpus has them: each class's share of an item's
    votes, or the majority where ``soft`` is false (equal leaders share it). Else the item's own
    label is, one-hot; ``dimension="label"`` asks for it even where there are votes.

    A label finds its class through the label maps (the space's own before the corpus's, one leading on
    into the other; ``""`` leaves it out), then by its exact name, then by :func:`shared_emotion`, then
    as a number. A map may name a label by its shared emotion, so ``{"excited": "happy"}`` takes
    ``exc`` along.

    With labels left out, an item is kept only when its leading label lies in the space, ahead of
    every label outside; its votes inside are then shared out anew. So one stray vote for *angry*
    among eight for *disgust* does not make a certain *angry*.

    Args:
        names: the classes, two or more, in the order of the columns.
        soft: shares of the votes, or the majority.
        others: what a label outside the classes is: an ``"error"``, or ``"leave_out"``.
        label_map: own label -> class; ``""`` leaves items with that label out.

    Raises:
        InputError: fewer than two names, or a name twice; a map to no class.

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b"], "label": ["anger", "happiness"]})
        >>> Classes(("angry", "happy")).targets(items).values
        array([[1., 0.],
               [0., 1.]])
        >>> votes = pd.DataFrame({"item": ["a", "a", "a", "b"], "rater": ["1", "2", "3", "1"],
        ...                       "dimension": "emotion", "value": ["anger", "anger", "joy", "joy"]})
        >>> Classes(("angry", "happy")).targets(items, votes, "emotion").values.round(2)
        array([[0.67, 0.33],
               [0.  , 1.  ]])
    """

    names: tuple[str, ...]
    soft: bool = True
    others: Literal["error", "leave_out"] = "error"
    label_map: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "names", _check_names(self.names))
        if self.others not in ("error", "leave_out"):
            raise InputError(f"others is {self.others!r}; legal: 'error', 'leave_out'")
        lookup = lookup_of(self.names)
        for own, shared in self.label_map.items():
            if shared and class_of(shared, lookup) is None and self.others == "error":
                raise InputError(
                    f"the label map leads {own!r} to {shared!r}, which is no class; legal: {', '.join(self.names)}, "
                    "or '' to leave it out"
                )

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = "emotion",
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """Targets of the items of one corpus, in their order.

        Args:
            items: with the columns ``id`` and ``label``.
            ratings: with the columns ``item``, ``rater``, ``dimension``, ``value``.
            dimension: which votes to use.
            label_map: the corpus's own map, applied where the space's has nothing to say.

        Raises:
            InputError: a label outside the classes (unless ``others`` leaves it out), or a dimension
                that is nearly but not quite one the corpus has.
        """
        mapping = {**(label_map or {}), **self.label_map}
        if dimension and dimension != OWN_LABEL and _has_votes(ratings, dimension):
            assert ratings is not None
            judged = judgements(ratings, dimension)
            rows = rows_of(items, judged.items)
            skipped = int((rows_of(items, judged.missing) >= 0).sum())
            return self._from_votes(len(items), rows[rows >= 0], judged.values[rows >= 0], mapping, dimension, skipped)
        return self._from_labels(items, mapping)

    def _from_labels(self, items: pd.DataFrame, mapping: Mapping[str, str]) -> Targets:
        codes, labels = pd.factorize(texts(items, "label"))
        classes = self._resolve(labels, codes[codes >= 0], mapping, "item")
        classes = np.append(classes, -1)  # a missing label has the code -1
        values = np.full((len(items), len(self.names)), np.nan)
        found = classes[codes] >= 0
        values[found] = np.eye(len(self.names))[classes[codes[found]]]
        why = np.array([*[f"label {label!r} is left out" for label in labels], "no label"], dtype=object)
        return Targets(values, _reasons(why[codes], found), "label")

    def _from_votes(
        self, n: int, rows: np.ndarray, votes: np.ndarray, mapping: Mapping[str, str], dimension: str, skipped: int
    ) -> Targets:
        codes, labels = pd.factorize(votes)
        classes = self._resolve(labels, codes, mapping, "vote")
        left_out = np.flatnonzero(classes < 0)
        # votes per item and class, and beside them per item and label that is left out
        columns = classes.copy()
        columns[left_out] = len(self.names) + np.arange(len(left_out))
        width = len(self.names) + len(left_out)
        counts = np.bincount(rows * width + columns[codes], minlength=n * width).reshape(n, width)
        inside, outside = counts[:, : len(self.names)], counts[:, len(self.names) :]
        values = vote_shares(inside, self.soft)
        stray = (outside.max(1) >= inside.max(1)) & (outside.max(1) > 0) if len(left_out) else np.zeros(n, bool)
        values[stray] = np.nan
        why = np.where(stray, "the most voted label is left out", f"no vote on {dimension!r}")
        return Targets(values, _reasons(why, ~np.isnan(values[:, 0])), "ratings", skipped)

    def _resolve(self, labels, codes: np.ndarray, mapping: Mapping[str, str], what: str) -> np.ndarray:
        """The class of each distinct label, -1 where it is left out."""
        classes, unknown = resolve(labels, self.names, mapping)
        if len(unknown) and self.others == "error":
            refuse(labels, np.bincount(codes, minlength=len(labels)), unknown, self.names, what)
        return classes


@dataclass(frozen=True)
class Poles:
    r"""The two ends of a numeric scale, each rating being a vote split between them.

    .. math:: r \mapsto \left[\frac{high - r}{high - low},\; \frac{r - low}{high - low}\right]

    averaged over raters. The map is linear, so the mean of the votes is the vote of the mean, and a
    published mean gives the same target as the ratings behind it. The middle of the scale is a tie,
    ``[0.5, 0.5]``.

    Args:
        names: the low end, the high end.
        low, high: the ends of the scale.

    Raises:
        InputError: not two different names, or ``low`` not below ``high``.

    Example:
        >>> items = pd.DataFrame({"id": ["a"]})
        >>> ratings = pd.DataFrame({"item": ["a", "a"], "rater": ["1", "2"],
        ...                         "dimension": "valence", "value": ["1", "3"]})
        >>> Poles().targets(items, ratings, "valence").values
        array([[0.75, 0.25]])
    """

    names: tuple[str, ...] = ("negative", "positive")
    low: float = 1.0
    high: float = 5.0

    def __post_init__(self):
        object.__setattr__(self, "names", _check_names(self.names))
        if len(self.names) != 2:
            raise InputError(f"poles are the two ends of a scale; {len(self.names)} names were given: {self.names}")
        if not -np.inf < self.low < self.high < np.inf:
            raise InputError(f"the scale runs from {self.low} to {self.high}; low must be less than high, both finite")

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = "valence",
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """Targets of the items of one corpus, in their order; ``label_map`` plays no part in a scale.

        Raises:
            InputError: the corpus has no ratings of ``dimension``, or one is off the scale.
        """
        mean, skipped = _scale_means(items, ratings, dimension, self.low, self.high)
        width = self.high - self.low
        values = np.stack([(self.high - mean) / width, (mean - self.low) / width], 1)
        return Targets(values, _reasons(f"no rating of {dimension!r}", ~np.isnan(mean)), "ratings", skipped)


@dataclass(frozen=True)
class Levels:
    """Ordered classes, the lowest first.

    Without thresholds the levels are named labels, read as :class:`Classes` reads them (votes as
    shares, else the own label). With thresholds a numeric dimension is cut: the mean rating ``r``
    belongs to level ``k`` when ``thresholds[k-1] <= r < thresholds[k]``, one-hot. The dimension
    ``"label"`` cuts the item's own label, read as a number; where nobody rates a dimension, it is the
    column of the items that bears its name, such as an age.

    Args:
        names: the levels; may be left out with thresholds, by which they then are named, in as many digits as tell
            them apart.
        thresholds: strictly increasing, one fewer than the levels.

    Raises:
        InputError: fewer than two levels, thresholds that do not increase or do not fit the names.

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b"], "label": ["19", "40"]})
        >>> Levels(("young", "old"), thresholds=(40,)).targets(items, None, "label").values
        array([[1., 0.],
               [0., 1.]])
        >>> Levels(thresholds=(2.5, 3.5)).names
        ('below 2.5', '2.5 to 3.5', '3.5 and above')
    """

    names: tuple[str, ...] = ()
    thresholds: tuple[float, ...] | None = None

    def __post_init__(self):
        cuts = None if self.thresholds is None else tuple(float(cut) for cut in self.thresholds)
        object.__setattr__(self, "thresholds", cuts)
        if cuts is not None:
            if not cuts or not np.isfinite(cuts).all() or any(b <= a for a, b in pairwise(cuts)):
                raise InputError(
                    f"thresholds are {list(cuts)}; give finite numbers that increase strictly, at least one"
                )
            if not self.names:
                told = _in_digits(cuts)
                between = [f"{a} to {b}" for a, b in pairwise(told)]
                object.__setattr__(self, "names", (f"below {told[0]}", *between, f"{told[-1]} and above"))
            if len(self.names) != len(cuts) + 1:
                raise InputError(
                    f"{len(cuts)} thresholds cut a scale into {len(cuts) + 1} levels, but {len(self.names)} are named: "
                    f"{', '.join(self.names)}"
                )
        object.__setattr__(self, "names", _check_names(self.names))

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = OWN_LABEL,
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """Targets of the items of one corpus, in their order.

        Raises:
            InputError: as :meth:`Classes.targets`; with thresholds as :meth:`Uncut.targets`.
        """
        if self.thresholds is None:
            return Classes(self.names).targets(items, ratings, dimension, label_map)
        whole = Uncut().targets(items, ratings, dimension)
        assert whole.numbers is not None
        level = np.searchsorted(self.thresholds, whole.numbers, side="right")
        values = np.full((len(items), len(self.names)), np.nan)
        values[whole.usable] = np.eye(len(self.names))[level[whole.usable]]
        return replace(whole, values=values)


@dataclass(frozen=True)
class Uncut:
    """A numeric label or rating that is not cut into levels yet: a single level, which holds every value.

    Thresholds that are learned come of training items alone, and which items train is known only once it is known
    which have a target.

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b"], "label": ["1.5", "40"]})
        >>> found = Uncut().targets(items)
        >>> found.values.tolist(), found.numbers.tolist()
        ([[1.0], [1.0]], [1.5, 40.0])
    """

    names: tuple[str, ...] = ("any value",)

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = OWN_LABEL,
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """Targets of the items of one corpus, in their order; ``label_map`` plays no part in a scale.

        Raises:
            InputError: a value that is no number, or neither ratings nor a column of items of the name ``dimension``.
        """
        column, skipped = dimension or OWN_LABEL, 0
        own = column == OWN_LABEL or (column in items and column not in _dimensions(ratings))
        if own:
            numbers = column_numbers(items, column)
        else:
            numbers, skipped = _scale_means(items, ratings, column)
        known = ~np.isnan(numbers)
        why = _reasons(f"no {column}" if own else f"no rating of {column!r}", known)
        values = np.where(known, 1.0, np.nan)[:, None]
        return Targets(values, why, "label" if own else "ratings", skipped, numbers)


LabelSpace = Classes | Poles | Levels | Uncut


def ground_distance(space: LabelSpace) -> np.ndarray:
    """What it costs to take one class for another.

    ``|i - j|`` for ordered classes (:class:`Levels`, :class:`Poles`); for :class:`Classes`, where
    no order is known, 1 between any two.

    Returns:
        float64, shape ``(classes, classes)``, symmetric, zero on the diagonal.

    Example:
        >>> ground_distance(Levels(("low", "mid", "high"))).tolist()
        [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """
    rank = np.arange(len(space.names), dtype=float)
    steps = np.abs(rank[:, None] - rank)
    return np.minimum(steps, 1.0) if isinstance(space, Classes) else steps


def _check_names(names) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if len(names) < 2 or twice or "" in names:
        fault = f"{twice[0]!r} is named twice" if twice else "give two names or more, none of them empty"
        raise InputError(f"the classes are {', '.join(map(repr, names)) or 'none'}; {fault}")
    return names


def _in_digits(cuts: Sequence[float]) -> list[str]:
    """Numbers in six digits, or in as many more as it takes to tell them apart."""
    for digits in range(6, 17):
        if len(set(told := [f"{cut:.{digits}g}" for cut in cuts])) == len(cuts):
            return told
    return [repr(cut) for cut in cuts]


def _has_votes(ratings: pd.DataFrame | None, dimension: str) -> bool:
    present = _dimensions(ratings)
    if dimension in present:
        return True
    if near := difflib.get_close_matches(dimension, present, 3, 0.6):
        # falling back to the own label here would hide a misspelling, or votes that were meant
        raise InputError(
            f"the corpus has no votes on {dimension!r}; did you mean {' or '.join(map(repr, near))}? "
            f"dimension = {OWN_LABEL!r} uses the items' own labels"
        )
    return False


def _dimensions(ratings: pd.DataFrame | None) -> list[str]:
    return [] if ratings is None else sorted(ratings["dimension"].dropna().unique().tolist())


def _scale_means(
    items: pd.DataFrame, ratings: pd.DataFrame | None, dimension: str | None, low: float = -np.inf, high: float = np.inf
) -> tuple[np.ndarray, int]:
    present = _dimensions(ratings)
    if ratings is None or dimension is None or dimension not in present:
        near = difflib.get_close_matches(dimension or "", present, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(
            f"the corpus has no ratings of {dimension!r}; {hint}it has: {', '.join(present) or 'none at all'}"
        )
    return mean_ratings(items, ratings, dimension, low, high)


def _reasons(why: np.ndarray | str, has_target: np.ndarray) -> pd.Series:
    return pd.Series(why, index=range(len(has_target)), dtype="string").mask(has_target)
