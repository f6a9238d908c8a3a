"""Columns of a corpus's items that a space has no name for: kept, so that conditions and colours can name them."""

import numpy as np
import pandas as pd

from affectspace.corpora import ITEM_COLUMNS, Corpus
from affectspace.space.space_columns import DISTRIBUTIONS, TEXTS

__all__ = ["own_columns", "typed"]

TAKEN = {
    *TEXTS,
    *DISTRIBUTIONS,
    "vector",
    "predicted_value",
    "other_label",
    "start",
    "end",
    "box",
    "path",
    "modalities",
}
TOLD_OTHERWISE = {"id", "corpus", "speaker", "label", "image", "audio", "text", "start", "end", "box"}  # kept anyway
# A path that is absolute or climbs out: it says where files of somebody's machine lie.
OUTSIDE = r"(?s)(?:/[^/\s]|~/|[A-Za-z]:[\\/]|\\\\|file:).*|(?:.*[\\/])?\.\.[\\/].*"
READABLE = {"string", "integer", "floating", "mixed-integer-float", "boolean"}
NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"  # without leading zeros, which names such as 007 have


def own_columns(corpus: Corpus) -> tuple[pd.DataFrame, dict[str, str]]:
    """``id`` (corpus/id) and the items' other columns as text, missing where empty; and why some are left out.

    Columns that say what is known of an item in place of media (``card.features``) are no such columns.

    Returns:
        the table, and the reason by column.
    """
    items = corpus.items[corpus.items["id"].notna()].drop_duplicates("id")
    kept, reasons = {"id": corpus.name + "/" + items["id"]}, {}
    for name in items.columns.difference([*TOLD_OTHERWISE, *corpus.card.features], sort=False):
        column = items[name]
        if column.isna().all():
            continue
        if name in TAKEN:
            reasons[name] = "the space has a column of that name"
        elif pd.api.types.infer_dtype(column, skipna=True) not in READABLE:
            reasons[name] = "it holds neither text nor numbers"
        elif (text := column.astype("string")).str.fullmatch(OUTSIDE).any():
            reasons[name] = "it holds paths that lead out of the corpus"
        else:
            kept[name] = text.mask(text == "")
    return pd.DataFrame(kept), reasons


def typed(items: pd.DataFrame) -> pd.DataFrame:
    """The table with its own columns as numbers where every cell that is not missing is one.

    Names with leading zeros are no numbers, nor are those of a session or script.

    Example:
        >>> table = typed(pd.DataFrame({"id": ["a", "b"], "size": ["3", "41.5"], "take": ["03", "41"]}, dtype="string"))
        >>> table["size"].tolist(), table["take"].tolist()
        ([3.0, 41.5], ['03', '41'])
    """
    own = items.columns.difference([*TAKEN, *ITEM_COLUMNS], sort=False)
    return items.assign(**{name: _numbers(items[name].astype("string")) for name in own})


def _numbers(cells: pd.Series) -> pd.Series:
    if not cells.notna().any() or not cells.dropna().str.fullmatch(NUMBER).all():
        return cells
    numbers = cells.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    whole = np.isfinite(numbers).all() and (np.abs(numbers) < 2**53).all() and (numbers == np.floor(numbers)).all()
    return pd.Series(numbers.astype(np.int64) if whole else numbers, index=cells.index, name=cells.name)
