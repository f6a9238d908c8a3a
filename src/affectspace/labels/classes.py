"""Unordered categories, of votes or of the items' own labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.labels.dimensions import OWN_LABEL, has_votes
from affectspace.labels.naming import check_names, class_of, lookup_of, mapped_to, refuse, resolve
from affectspace.labels.targets import Targets, reasons
from affectspace.labels.votes import judgements, rows_of, texts, vote_shares

__all__ = ["Classes"]


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
        object.__setattr__(self, "names", check_names(self.names))
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
        if dimension and dimension != OWN_LABEL and has_votes(ratings, dimension):
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
        why = np.array([*[self._why_left_out(label, mapping) for label in labels], "no label"], dtype=object)
        return Targets(values, reasons(why[codes], found), "label")

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
        return Targets(values, reasons(why, ~np.isnan(values[:, 0])), "ratings", skipped)

    def _resolve(self, labels, codes: np.ndarray, mapping: Mapping[str, str], what: str) -> np.ndarray:
        """The class of each distinct label, -1 where it is left out."""
        classes, unknown = resolve(labels, self.names, mapping)
        if len(unknown) and self.others == "error":
            refuse(labels, np.bincount(codes, minlength=len(labels)), unknown, self.names, mapping, what)
        return classes

    def _why_left_out(self, label: str, mapping: Mapping[str, str]) -> str:
        target = mapped_to(label, self.names, mapping)
        return f"label {label!r}{f' (by the map {target!r})' if target else ''} is left out"
