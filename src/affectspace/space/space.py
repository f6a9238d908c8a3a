"""A space: embedded items, what is known of each, and one file that holds it all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.space.conditions import matching, refuse_nobody
from affectspace.space.of_run import read_run
from affectspace.space.sharded import holds_shards, read_folder
from affectspace.space.space_columns import as_matrix, make_items
from affectspace.space.space_file import read_file, write_file
from affectspace.training.run import holds_run

__all__ = ["Space"]

BLOCK = 65_536  # rows looked at in one go, so that a check of a million vectors needs no second copy of them


class Space:
    """Embedded items: a table, one vector a row, and the classes that labels and probabilities speak of.

    Args:
        items: one row an item. ``id`` is needed and unique (``corpus/id``). Known columns are ``corpus``,
            ``label`` (a class; missing where unknown), ``target`` (the raters' share of each class),
            ``probabilities`` (the model's, of each class), ``prediction`` (a class), ``split``, ``speaker``, and
            ``image``, ``audio``, ``text`` (absolute paths of media, an image also as ``faces.parquet#17``, or the words
            themselves); a text column that is not given is there, all missing. Any others are kept.
        vectors: ``(items, dimensions)``, finite; kept as float32.
        classes: names, in the order of targets and probabilities; may be empty where nothing is labelled.
        about: where the space comes from: the ``model`` (path of a run), its ``recipe``, its ``features``, and
            whatever else JSON can hold.

    Raises:
        InputError: no item, vectors that are not one finite row an item, ids that are missing or repeated,
            a label outside the classes, targets or probabilities of another width.

    Example:
        >>> items = pd.DataFrame({"id": ["a/1", "a/2", "b/1"], "label": ["sad", "happy", None]})
        >>> space = Space(items, np.eye(3), ("happy", "sad"))
        >>> space
        Space(3 items, 3 dimensions, classes happy, sad)
        >>> space.labels.tolist(), space.where("label=sad").items["id"].tolist()
        ([1, 0, -1], ['a/1'])
    """

    def __init__(
        self, items: pd.DataFrame, vectors: np.ndarray, classes: Sequence[str], about: Mapping[str, Any] | None = None
    ):
        self.classes = tuple(classes)
        self.items = make_items(items, self.classes)
        self.vectors = _checked(vectors, self.items["id"])
        self.about = dict(about or {})

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """A space from its file, its folder of shards, or of a finished run: what its ``predictions.parquet`` holds.

        What ``affectspace embed`` writes is such a file, and so is any Parquet file with columns ``id`` and
        ``vector``. Columns are read one by one into their arrays: a million items of 128 dimensions need 0.5 GiB
        for the vectors and little beside them.

        Raises:
            InputError: nothing there, neither a space nor a run, a run that is not finished or has several
                folds, shards that are not all there, a damaged file, or what the constructor raises.
        """
        path = Path(path)
        if not path.exists():
            raise InputError(
                f"there is no space {path}; affectspace embed writes one, and a finished run folder is one"
            )
        if path.is_dir() and not holds_run(path) and not (path / "fold-00").is_dir():
            if not holds_shards(path):
                raise InputError(f"{path} is a folder but no run; give a finished run folder, or the file of a space")
            items, vectors, classes, about = read_folder(path)
        else:
            items, vectors, classes, about = read_run(path) if path.is_dir() else read_file(path)
        try:
            return cls(items, vectors, classes, about)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write one Parquet file, whole or not at all; columns without any value are left out."""
        write_file(Path(path), self.items, self.vectors, self.classes, self.about)

    def where(self, *conditions: str) -> Self:
        """The items for which every condition holds.

        Args:
            conditions: ``"split=test"``, ``"corpus=ferplus|ckplus"`` (one of them), ``"label!=happy"`` (none of
                them); an empty value stands for missing, so ``"label!="`` are the labelled ones.

        Raises:
            InputError: a column or value that there is not (it names the nearest), or no item left.
        """
        return self.take(self.which(*conditions))

    def which(self, *conditions: str) -> np.ndarray:
        """The same as a mask ``(n,)`` of bool, for which no vector is copied."""
        held = matching(self.items, conditions)
        if not held.any():
            refuse_nobody(conditions)
        return held

    def take(self, rows: np.ndarray) -> Self:
        """The items of ``rows``, places ``(k,)`` in any order or a mask ``(n,)``, as a space of their own."""
        rows = np.asarray(rows)
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        return type(self)(self.items.iloc[places], self.vectors[places], self.classes, self.about)

    @property
    def dimensions(self) -> int:
        """Numbers a vector."""
        return self.vectors.shape[1]

    @property
    def labels(self) -> np.ndarray:
        """``(items,)`` int64, the class of each item, -1 where it is unknown."""
        return pd.Index(self.classes).get_indexer(pd.Index(self.items["label"])).astype(np.int64)

    @property
    def targets(self) -> np.ndarray | None:
        """``(items, classes)`` float32 distributions of the raters; None where no item has any.

        An item with a label and no distribution of its own is one-hot, one with neither is NaN.
        """
        labels = self.labels
        if "target" in self.items:
            found = as_matrix(self.items["target"], len(self.classes))
        elif (labels >= 0).any():
            found = np.full((len(self), len(self.classes)), np.nan, np.float32)
        else:
            return None
        bare = np.isnan(found).any(1) & (labels >= 0)
        found[bare] = np.eye(len(self.classes), dtype=np.float32)[labels[bare]]
        return found

    @property
    def probabilities(self) -> np.ndarray | None:
        """``(items, classes)`` float32 of the model, NaN where an item has none; None where no item has any."""
        if "probabilities" not in self.items:
            return None
        return as_matrix(self.items["probabilities"], len(self.classes))

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        classes = ", ".join(self.classes) or "none"
        return f"Space({len(self)} items, {self.dimensions} dimensions, classes {classes})"


def _checked(vectors: np.ndarray, ids: pd.Series) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or not vectors.shape[1] or len(vectors) != len(ids):
        raise InputError(f"vectors have shape {vectors.shape} for {len(ids)} items; give one row of numbers an item")
    for start in range(0, len(vectors), BLOCK):
        finite = np.isfinite(vectors[start : start + BLOCK]).all(1)
        if not finite.all():
            raise InputError(
                f"the vector of item {ids.iloc[start + int(finite.argmin())]} is not finite; leave such items out"
            )
    return vectors
