"""The table of a space: its columns, their types, and lists of numbers kept as one array."""

import difflib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from affectspace.errors import InputError

__all__ = ["DISTRIBUTIONS", "TEXTS", "as_matrix", "make_items"]

TEXTS = ("id", "corpus", "label", "prediction", "split", "speaker", "image", "audio", "text")
DISTRIBUTIONS = ("target", "probabilities")
TEXT = pd.StringDtype("pyarrow")  # a tenth of the memory of Python's strings


def make_items(items: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The table with ``id`` first, every column of ``TEXTS``, and distributions in Arrow's own memory.

    Raises:
        InputError: see :class:`~affectspace.space.space.Space`.
    """
    if not len(items):
        raise InputError("a space needs at least one item; there is none")
    if len(set(classes)) < len(classes):
        raise InputError(f"the classes are {', '.join(classes)}; each needs a name of its own")
    if "id" not in items:
        raise InputError(f"the items have no column 'id'; there are {', '.join(map(str, items.columns))}")
    columns = {name: _column(items[name], items["id"], classes) for name in dict.fromkeys(["id", *items.columns])}
    for name in TEXTS:
        columns.setdefault(name, pd.Series(pd.NA, index=items.index, dtype=TEXT))
    made = pd.DataFrame(columns).reset_index(drop=True)
    ids = made["id"]
    if ids.isna().any():
        raise InputError(f"the item in row {int(ids.isna().to_numpy().argmax())} has no id; give each its own")
    if (again := ids.duplicated()).any():
        raise InputError(f"two items have the id {ids[int(again.to_numpy().argmax())]!r}; give each its own")
    return made


def as_matrix(column: pd.Series, width: int) -> np.ndarray:
    """A column of distributions as float32 ``(items, width)``, rows of NaN where it is missing."""
    cells = pa.chunked_array(column.array.__arrow_array__())  # pyright: ignore[reportAttributeAccessIssue]
    found = np.full((len(column), width), np.nan, np.float32)
    valid = cells.is_valid().to_numpy()
    found[valid] = np.concatenate([chunk.flatten().to_numpy(zero_copy_only=False) for chunk in cells.chunks]).reshape(
        -1, width
    )
    return found


def _column(column: pd.Series, ids: pd.Series, classes: Sequence[str]) -> pd.Series:
    if column.name in TEXTS:
        text = column.astype(TEXT)
        if column.name in {"label", "prediction"}:
            _refuse_unknown(text, classes)
        return text
    if column.name in DISTRIBUTIONS:
        return _lists(column, ids, len(classes))
    return column


def _refuse_unknown(labels: pd.Series, classes: Sequence[str]) -> None:
    for name in labels.dropna().unique():
        if name not in classes:
            near = difflib.get_close_matches(name, classes, 1, 0.5)
            raise InputError(
                f"{labels.name} {name!r} is none of the classes {', '.join(classes) or '(there are none)'}; "
                + (f"did you mean {near[0]!r}?" if near else "leave it missing where it is unknown")
            )


def _lists(column: pd.Series, ids: pd.Series, width: int) -> pd.Series:
    wanted = pa.list_(pa.float32(), width)
    if isinstance(column.dtype, pd.ArrowDtype) and column.dtype.pyarrow_dtype == wanted:
        return column
    try:
        cells = column.array.__arrow_array__() if isinstance(column.dtype, pd.ArrowDtype) else None  # pyright: ignore[reportAttributeAccessIssue]
        arrow = pa.array(column, wanted, from_pandas=True) if cells is None else cells.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        for name, cell in zip(ids, column):
            if np.ndim(cell) != 1 or len(cell) != width:
                if np.ndim(cell) == 0 and pd.isna(cell):
                    continue
                raise InputError(
                    f"{column.name} of item {name} is {str(cell)[:60]}; give {width} numbers, one a class"
                ) from None
        raise InputError(f"{column.name} holds what is no number; give {width} numbers an item") from None
    return pd.Series(pd.arrays.ArrowExtensionArray(arrow), index=column.index, name=column.name)
