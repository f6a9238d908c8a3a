"""Labels as scikit-learn hands them over, one an item or raters' votes, to classes and distributions over them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from affectspace.errors import InputError

__all__ = ["read_labels", "read_truth", "refuse_gaps"]


def read_labels(y: Any, classes: Sequence[Any] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Classes ``(classes,)``, and each item's distribution over them ``(items, classes)``, float64.

    Args:
        y: ``(items,)`` labels of any kind that sorts; or ``(items, classes)`` votes, numbers of 0 or more whose share
            counts. The columns of a DataFrame are classes by name.
        classes: the classes of the columns of votes; of labels, in which order they stand. None: labels as they sort,
            columns by their names in a table and by their numbers in an array.

    Raises:
        InputError: a single class; classes that are named twice, are no labels of these, or have no item; votes that
            are no such numbers, or an item without any; a single column of shares.

    Example:
        >>> read_labels(["sad", "angry"])
        (array(['angry', 'sad'], dtype='<U5'), array([[0., 1.],
               [1., 0.]]))
        >>> names, votes = read_labels(pd.DataFrame({"sad": [3, 0], "angry": [1, 2]}))
        >>> names.tolist(), votes.tolist()
        (['sad', 'angry'], [[0.75, 0.25], [0.0, 1.0]])
    """
    if _are_votes(y):
        names, votes = _votes(y, classes)
    else:
        _refuse_shares(y)
        labels = column_or_1d(np.asarray(y), warn=True)
        check_classification_targets(labels)
        present = np.unique(labels)
        names = present if classes is None else _named(classes)
        votes = _one_hot(labels, names)
    if len(names) < 2:
        raise InputError(f"y has one class, {_told(names)}, and a space needs two or more to tell apart; add others")
    if len(empty := names[votes.sum(0) == 0]):
        raise InputError(
            f"no item of y is of class {_told(empty)}, of which nothing can be learned; leave it out of "
            f"{'the votes' if _are_votes(y) else 'classes'}, or give items of it"
        )
    return names, votes


def read_truth(y: Any, classes: np.ndarray) -> np.ndarray | None:
    """Votes ``(items, classes)`` of items that are tested, in the order of ``classes``; None where y are labels.

    Raises:
        InputError: votes that are no such numbers, or of other classes.
    """
    if not _are_votes(y):
        return None
    return _votes(y, classes)[1]


def refuse_gaps(y: Any, classes: Sequence[Any] | np.ndarray | None = None) -> None:
    """Refuse labels, or votes, of which some are missing; all else that may be wrong with ``y`` others tell.

    Args:
        y: as :func:`read_labels` takes it.
        classes: names of the columns of an array of votes; None: their numbers.

    Raises:
        InputError: NaN or None; it names the first row.

    Example:
        >>> refuse_gaps(["sad", None, "angry", None])
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: y has no label in row 1 (2 such rows); leave these items out of X and y
    """
    try:
        gaps = np.asarray(pd.isna(y if isinstance(y, pd.DataFrame) else np.asarray(y)))
    except ValueError:  # rows of unlike lengths
        return
    if gaps.ndim not in (1, 2) or not gaps.any():
        return
    rows = np.flatnonzero(gaps.reshape(len(gaps), -1).any(1))
    such = f"({len(rows)} such row{'s' * (len(rows) > 1)})"
    if not _are_votes(y):
        raise InputError(f"y has no label in row {rows[0]} {such}; leave these items out of X and y")
    column = int(gaps[rows[0]].argmax())
    names = (
        y.columns.tolist() if isinstance(y, pd.DataFrame) else np.asarray([] if classes is None else classes).tolist()
    )
    name = names[column] if column < len(names) else column
    raise InputError(
        f"y has no votes (NaN) for {name!r} in row {rows[0]} {such}; give 0 where nobody has chosen a class, or leave "
        "these items out of X and y"
    )


def _are_votes(y: Any) -> bool:
    """Whether there is more than a column; a single one holds labels, of which scikit-learn warns."""
    shape = y.shape if isinstance(y, pd.DataFrame) else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def _refuse_shares(y: Any) -> None:
    """Refuse a column of shares, which scikit-learn would take for a regression's."""
    column = np.asarray(y)
    if column.ndim < 2 or column.dtype.kind != "f":
        return
    between = column[(column > 0) & (column < 1)]
    if between.size and ((column >= 0) & (column <= 1)).all():
        raise InputError(
            f"y has a single column, which holds labels, and numbers such as {between[0]:g} in it; of shares of votes "
            "give a column for each class, such as 1 - y beside y"
        )


def _votes(y: Any, classes: Sequence[Any] | np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(y, pd.DataFrame):
        columns = _named(y.columns)
        names = columns if classes is None else _named(classes)
        if set(columns.tolist()) != set(names.tolist()):
            raise InputError(
                f"y has votes for {_told(columns)}, and classes are {_told(names)}; name the same in both, in any order"
            )
        y = y[names.tolist()]
    else:
        columns = np.asarray(y).shape[1]
        names = np.arange(columns) if classes is None else _named(classes)
        if len(names) != columns:
            raise InputError(
                f"y has {columns} columns of votes for {len(names)} classes ({_told(names)}); give one for each"
            )
    try:
        votes = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            "y has several columns, which are votes for classes, and they hold what is no number; give counts or "
            "shares of votes, or one column of labels"
        ) from None
    if (bad := np.argwhere(~(np.isfinite(votes) & (votes >= 0)))).size:
        row, column = bad[0]
        raise InputError(
            f"y has {votes[row, column]:g} votes for {_told(names[[column]])} in row {row}; legal: finite numbers of 0 "
            "or more"
        )
    if (nobody := np.flatnonzero(votes.sum(1) == 0)).size:
        raise InputError(f"nobody has voted on row {nobody[0]} of y ({len(nobody)} such rows); leave these items out")
    return names, votes / votes.sum(1, keepdims=True)


def _one_hot(labels: np.ndarray, names: np.ndarray) -> np.ndarray:
    places = pd.Index(names).get_indexer(pd.Index(labels))
    if (places < 0).any():
        raise InputError(
            f"y has the label {labels[places < 0][0]!s}, which is not among classes ({_told(names)}); add it there, or "
            "leave its items out"
        )
    return np.eye(len(names))[places]


def _named(classes: Any) -> np.ndarray:
    names = np.asarray(list(classes))
    if len(set(names.tolist())) < len(names):
        raise InputError(f"classes are {_told(names)}; name each once")
    return names


def _told(names: np.ndarray) -> str:
    return ", ".join(repr(name) for name in names.tolist())
