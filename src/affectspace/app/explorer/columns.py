"""What the points of a map can be coloured and filtered by: the columns of spaces, as numbers that a page can hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from affectspace.space import Space
from affectspace.space.unknown_labels import all_labels

__all__ = ["MOST_VALUES", "Column", "columns_of"]

MOST_VALUES = 1000  # of a category that are told apart by name
FEW = 20  # whole numbers of which there are so few are categories, such as sessions
# What is shown otherwise, or says nothing of groups of items.
LEFT_OUT = {"id", "other_label", "image", "audio", "text", "target", "probabilities", "start", "end", "box"}
OF_SPACE = ("prediction", "predicted_value")


@dataclass(frozen=True)
class Column:
    """One column of the items, for every space.

    Args:
        name: of the column.
        kind: ``category`` or ``number``.
        cells: for each space, or once where all spaces tell the same: places ``(items,)`` int32 in ``values``, -1
            where missing, ``len(values)`` for values beyond those; or float32, NaN where missing.
        values: names of a category.
        counts: how often each occurs in the first space.
    """

    name: str
    kind: Literal["category", "number"]
    cells: tuple[np.ndarray, ...]
    values: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    def of(self, space: int) -> np.ndarray:
        """The cells for a space."""
        return self.cells[min(space, len(self.cells) - 1)]

    @property
    def of_space(self) -> bool:
        """Whether spaces tell different things."""
        return len(self.cells) > 1

    def told(self) -> dict[str, Any]:
        """What a page is told of it."""
        first = self.cells[0]
        about: dict[str, Any] = {"name": self.name, "kind": self.kind, "of_space": self.of_space}
        if self.kind == "category":
            return {**about, "values": self.values, "counts": self.counts, "missing": int((first < 0).sum())}
        known = np.concatenate(self.cells)
        known = known[np.isfinite(known)]
        ends = {"low": float(known.min()), "high": float(known.max())} if len(known) else {"low": 0.0, "high": 1.0}
        return {**about, **ends, "missing": int(np.isnan(first).sum())}


def columns_of(spaces: Sequence[Space]) -> dict[str, Column]:
    """The columns of spaces of the same items, by their names.

    What a model says (prediction, confidence) is of each space, all else of the first. Labels that are none of the
    classes come behind them. Beside the table's own there are ``confidence``, the highest probability, and
    ``disagreement``, where raters are divided: the entropy of their votes over its largest possible value, in [0, 1].

    Example:
        >>> items = pd.DataFrame({"id": ["a", "b", "c"], "label": ["sad", "happy", None], "size": [3.5, None, 1]})
        >>> found = columns_of([Space(items, np.eye(3), ("happy", "sad"))])
        >>> found["label"].values, found["label"].of(0).tolist(), found["size"].of(0).tolist()
        (('happy', 'sad'), [1, 0, -1], [3.5, nan, 1.0])
    """
    first = spaces[0]
    found: dict[str, Column] = {}
    if (labels := all_labels(first.items)).notna().any():
        others = labels[~labels.isin(first.classes)].value_counts().index[:MOST_VALUES]
        found["label"] = _column("label", [labels], [*first.classes, *others])
    for name in first.items:
        if name in LEFT_OUT or name in OF_SPACE or name == "label" or first.items[name].isna().all():
            continue
        found[str(name)] = _column(str(name), [first.items[name]], ())
    for name in OF_SPACE:
        own = [each.items[name] if name in each.items else pd.Series([None] * len(each)) for each in spaces]
        if any(each.notna().any() for each in own):
            found[name] = _column(name, own, list(dict.fromkeys(c for each in spaces for c in each.classes)))
    if any(each.probabilities is not None for each in spaces):
        found["confidence"] = Column("confidence", "number", tuple(_confidence(each) for each in spaces))
    divided = _disagreement(first)
    if divided is not None and (divided > 0).any():
        found["disagreement"] = Column("disagreement", "number", (divided,))
    order = ["label", "prediction", "corpus", "speaker", "language", "split"]
    return {name: found[name] for name in [*(n for n in order if n in found), *(n for n in found if n not in order)]}


def _column(name: str, columns: Sequence[pd.Series], classes: Sequence[str]) -> Column:
    if all(pd.api.types.is_numeric_dtype(each) and not pd.api.types.is_bool_dtype(each) for each in columns):
        numbers = tuple(each.to_numpy(np.float32, na_value=np.nan) for each in columns)
        known = np.unique(np.concatenate(numbers))
        known = known[np.isfinite(known)]
        if len(known) > FEW or (known != np.floor(known)).any():
            return Column(name, "number", numbers)
        texts = [each.astype("Float64").round().astype("Int64").astype("string") for each in columns]
        values = [str(int(value)) for value in known]
    else:
        texts = [each.astype("string") for each in columns]
        often = pd.concat(texts).value_counts()
        # A label may be corrected to a class that no item has yet.
        known = [each for each in classes if name == "label" or each in often.index]
        values = known if classes else often.index[:MOST_VALUES].tolist()
    places = pd.Index(values)
    cells = []
    for each in texts:
        own = places.get_indexer(pd.Index(each)).astype(np.int32)
        own[(own < 0) & each.notna().to_numpy(bool)] = len(values)  # beyond those that are told apart
        cells.append(own)
    counts = np.bincount(cells[0][cells[0] >= 0], minlength=len(values))[: len(values)]
    return Column(name, "category", tuple(cells), tuple(map(str, values)), tuple(map(int, counts)))


def _confidence(space: Space) -> np.ndarray:
    own = space.probabilities
    return np.full(len(space), np.nan, np.float32) if own is None else own.max(1)


def _disagreement(space: Space) -> np.ndarray | None:
    targets = space.targets
    if targets is None or len(space.classes) < 2:
        return None
    shares = targets / np.maximum(targets.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.maximum(-(shares * logs).sum(1) / np.log(len(space.classes)), 0).astype(np.float32)
