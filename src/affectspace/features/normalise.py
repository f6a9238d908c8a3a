"""z-normalisation: whose mean and variance an item is given."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError

__all__ = ["SCOPES", "Normaliser", "Statistics"]

SCOPES = ("none", "item", "speaker", "corpus", "train")
CONSTANT = 1e-7  # a spread below this share of the mean is rounding, as float32 holds seven digits


@dataclass(frozen=True)
class Statistics:
    """Mean and scale of every dimension, float32; the scale of a constant dimension is 1."""

    mean: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True)
class Normaliser:
    """Mean and scale for every item: ``(values - mean) / scale``, dimension by dimension.

    Statistics are those of a population of frames. Only **training items** shape them: an item is
    given the statistics of its group's training items, and where its group has none, those of all
    training items. So nothing that is tested has any part in how it, or anything else, is normalised.

    Args:
        scope: one of ``SCOPES``.
        transductive: a group without training items was given its own statistics.
        pooled: the statistics of all training items; None for ``"none"`` and ``"item"``.
        groups: the statistics of groups by name.

    Example:
        Two corpora, one of them much louder; its last item is kept for testing:

        >>> clips = [np.array([[0.0], [2.0]]), np.array([[10.0], [14.0]]), np.array([[50.0]])]
        >>> normaliser = Normaliser.fit(clips, "corpus", train=[0, 1], groups=["soft", "loud", "loud"])
        >>> mean, scale = normaliser(2)
        >>> mean.tolist(), scale.tolist()
        ([12.0], [2.0])
    """

    scope: str
    transductive: bool = False
    pooled: Statistics | None = None
    groups: Mapping[str, Statistics] = field(default_factory=dict)
    _clips: Sequence[np.ndarray] = field(default=(), repr=False, compare=False)
    _row_groups: Sequence[str | None] = field(default=(), repr=False, compare=False)

    @classmethod
    def fit(
        cls,
        clips: Sequence[np.ndarray],
        scope: str,
        train: Sequence[int] | np.ndarray,
        groups: Sequence[Hashable] | np.ndarray | pd.Series | None = None,
        transductive: bool = False,
    ) -> "Normaliser":
        """Estimate the statistics.

        Args:
            clips: every item's features ``(frames, dimensions)``: a :class:`Features`, or a list of
                arrays. They are read one at a time and stay where they are.
            scope: ``"none"`` leaves features as they are; ``"item"`` gives each item its own
                statistics; ``"speaker"`` and ``"corpus"`` those of its group; ``"train"`` those of all
                training items.
            train: rows of the training items.
            groups: ``(items,)`` each item's group, for ``"speaker"`` and ``"corpus"``; names unique over
                all corpora. Missing: the item is in no group.
            transductive: a group without training items is given the statistics of its own items,
                which is no longer a test on data never seen.

        Raises:
            InputError: an unknown scope, no training items, no groups where they are needed, or
                ``"item"`` for items of a single frame, which would all become zero.
        """
        train = np.asarray(train, dtype=np.int64)
        _check(clips, scope, train, groups)
        if scope == "none":
            return cls(scope)
        if scope == "item":
            return cls(scope, _clips=clips)
        names = [None] * len(clips) if groups is None or scope == "train" else _names(groups)
        in_training = set(train.tolist())
        known = {names[row] for row in in_training}
        pooled, sums = _Sum(), {}
        for row, name in enumerate(names):
            if not len(clips[row]):  # an item that has none of it, whose group may have none at all
                continue
            if row in in_training:
                part = _Sum.of(clips[row])
                pooled.add(part)
            elif transductive and name is not None and name not in known:
                part = _Sum.of(clips[row])
            else:
                continue
            if name is not None:
                sums.setdefault(name, _Sum()).add(part)
        found = {name: total.statistics() for name, total in sums.items()}
        return cls(scope, transductive, pooled.statistics(), found, (), names)

    def __call__(self, row: int) -> tuple[np.ndarray | float, np.ndarray | float]:
        """Mean and scale ``(dimensions,)`` for the item in ``row`` of what this was fitted on."""
        if self.scope == "none":
            return 0.0, 1.0
        if not len(self._clips if self.scope == "item" else self._row_groups):
            raise InputError("this normaliser was read from a file and knows no rows; use apply_new for new items")
        if self.scope == "item":
            return self.of_new(self._clips[row])
        return self._of_group(self._row_groups[row])

    def knows(self, row: int) -> bool:
        """Whether the item in ``row`` of what this was fitted on is given other statistics than a new one would be.

        Those of its group, that is: a new item is of none that is known.

        Example:
            >>> clips = [np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]]), np.array([[5.0]])]
            >>> normaliser = Normaliser.fit(clips, "corpus", train=[0, 1], groups=["soft", "loud", "other"])
            >>> normaliser.knows(0), normaliser.knows(2)
            (True, False)
        """
        return len(self._row_groups) > 0 and self._row_groups[row] in self.groups

    def of_new(self, values: np.ndarray, group: str | None = None) -> tuple[np.ndarray | float, np.ndarray | float]:
        """Mean and scale for an item ``(frames, dimensions)`` never seen before.

        Its own for scope ``"item"``, otherwise those of ``group`` where it is known, and of all
        training items where it is not.
        """
        if self.scope == "none":
            return 0.0, 1.0
        if self.scope == "item":
            own = _Sum.of(values).statistics()
            return own.mean, own.scale
        return self._of_group(group)

    def apply_new(self, values: np.ndarray, group: str | None = None) -> np.ndarray:
        """An item never seen before, normalised, float32 ``(frames, dimensions)``; see :meth:`of_new`."""
        mean, scale = self.of_new(values, group)
        return ((values - mean) / scale).astype(np.float32)

    def _of_group(self, name: str | None) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.pooled if name is None else self.groups.get(name, self.pooled)
        assert chosen is not None
        return chosen.mean, chosen.scale

    def weighed(self, weights: np.ndarray) -> "Normaliser":
        """The same, after which every dimension is multiplied by its weight ``(dimensions,)``, above 0."""
        assert self.pooled is not None, "single items, and features as they are, have no statistics to weigh"
        heavier = {name: _weighed(each, weights) for name, each in self.groups.items()}
        return replace(self, pooled=_weighed(self.pooled, weights), groups=heavier)

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold, enough to normalise new items to the bit as before."""
        return {
            "scope": self.scope,
            "transductive": self.transductive,
            "pooled": None if self.pooled is None else _listed(self.pooled),
            "groups": {name: _listed(statistics) for name, statistics in self.groups.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Normaliser":
        """The normaliser that :meth:`to_dict` wrote.

        Raises:
            InputError: entries that are missing or damaged.
        """
        try:
            scope, pooled = content["scope"], content["pooled"]
            if scope not in SCOPES or (pooled is None) != (scope in {"none", "item"}):
                raise ValueError(f"scope {scope!r} with pooled statistics {'missing' if pooled is None else 'given'}")
            groups = {str(name): _statistics(entry) for name, entry in content["groups"].items()}
            return cls(scope, bool(content["transductive"]), None if pooled is None else _statistics(pooled), groups)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the saved normaliser is damaged: {error!r}; save the model anew") from error


class _Sum:
    """Count, mean and squared deviations of frames, in float64; sums of parts lose no digits (Chan et al. 1983)."""

    def __init__(self, count: int = 0, mean: np.ndarray | float = 0.0, squares: np.ndarray | float = 0.0):
        self.count, self.mean, self.squares = count, mean, squares

    @classmethod
    def of(cls, values: np.ndarray) -> "_Sum":
        wide = np.asarray(values, dtype=np.float64)
        mean = wide.mean(0)
        return cls(len(wide), mean, np.square(wide - mean).sum(0))

    def add(self, other: "_Sum") -> None:
        count = self.count + other.count
        gap = other.mean - self.mean
        self.mean = self.mean + gap * (other.count / count)
        self.squares = self.squares + other.squares + np.square(gap) * (self.count * other.count / count)
        self.count = count

    def statistics(self) -> Statistics:
        mean, spread = np.asarray(self.mean), np.sqrt(self.squares / self.count)
        scale = np.where(spread > CONSTANT * np.abs(mean), spread, 1.0)
        return Statistics(mean.astype(np.float32), scale.astype(np.float32))


def _check(clips: Sequence[np.ndarray], scope: str, train: np.ndarray, groups: Any) -> None:
    if scope not in SCOPES:
        raise InputError(f"scope {scope!r} is unknown; choose one of {', '.join(SCOPES)}")
    if scope in {"speaker", "corpus"} and groups is None:
        raise InputError(f"scope {scope!r} needs the group of every item; give groups, or use scope 'train'")
    if groups is not None and len(groups) != len(clips):
        raise InputError(f"{len(groups)} groups for {len(clips)} items; give one an item")
    if scope in {"none", "item"}:
        if scope == "item" and len(clips) and max(len(clip) for clip in clips) == 1:
            raise InputError("scope 'item' would make zeros of vectors, which have one frame each; use scope 'train'")
        return
    if not len(train):
        raise InputError("there are no training items to estimate mean and variance from; see the split")
    outside = train[(train < 0) | (train >= len(clips))]
    if len(outside):
        raise InputError(f"training row {outside[0]} is outside 0..{len(clips) - 1}")


def _names(groups: Sequence[Hashable] | np.ndarray | pd.Series) -> list[str | None]:
    return [None if name is pd.NA else name for name in pd.Series(list(groups)).astype("string")]


def _weighed(statistics: Statistics, weights: np.ndarray) -> Statistics:
    return Statistics(statistics.mean, (statistics.scale / weights).astype(np.float32))


def _listed(statistics: Statistics) -> dict[str, list[float]]:
    return {"mean": statistics.mean.tolist(), "scale": statistics.scale.tolist()}


def _statistics(entry: Mapping[str, list[float]]) -> Statistics:
    mean, scale = (np.asarray(entry[name], dtype=np.float32) for name in ("mean", "scale"))
    if mean.shape != scale.shape or mean.ndim != 1 or not (scale > 0).all() or not np.isfinite(mean).all():
        raise ValueError(f"mean of shape {mean.shape} and scale of shape {scale.shape}, which must be positive")
    return Statistics(mean, scale)
