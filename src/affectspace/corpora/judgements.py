"""Ratings as one row a judgement, whether they come as rows, as a column per dimension, as counts or as means."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from affectspace.corpora.columns import column_list, refuse_absent, rename_columns, without_ending
from affectspace.corpora.corpus import RATING_COLUMNS, make_ratings
from affectspace.corpora.corpus_toml import Description
from affectspace.corpora.fault import Fault
from affectspace.errors import InputError

__all__ = ["counted_votes", "judgements", "means"]

_RATING_ALIASES = {
    "item": ("id", "utterance_id", "utt_id", "file", "filename", "path"),
    "rater": ("annotator", "worker", "listener"),
    "value": ("rating", "vote", "label", "emotion"),
}

_MOST_VOTES = 10_000  # of an item for a category; each becomes a row, and more than this is no count of votes


def judgements(
    rows: pd.DataFrame, description: Description, where: str, ids_are_paths: bool, own_ids: pd.Series | None = None
) -> tuple[pd.DataFrame, list[Fault]]:
    """A table of ratings as one row a judgement, however it is laid out, and the counts of votes that are none.

    Args:
        rows: the table as its owner has it.
        description: which of their columns mean what.
        where: what to call the table in an error.
        ids_are_paths: items are called by their path without its ending, so ratings may name the path.
        own_ids: of the items that the rows are, where the table of items holds the ratings too.

    Returns:
        the judgements, none of a row of which a count is at fault; and these faults.

    Raises:
        InputError: no column of items or values, or two layouts at once.
    """
    named = {column: name for column, name in description.ratings_columns.items() if column in RATING_COLUMNS}
    wide = {column: name for column, name in description.ratings_columns.items() if column not in RATING_COLUMNS}
    refuse_absent(rows, wide, "ratings_columns", where)
    refuse_absent(rows, description.vote_counts, "vote_counts", where)
    if sum([bool(wide), bool(description.vote_counts), "value" in named]) > 1:
        raise InputError(
            f"{where}: value, columns per dimension and vote counts are three layouts of one table; choose one of them"
        )
    layout = wide or description.vote_counts
    ours = tuple(column for column in RATING_COLUMNS if not (layout and column == "value"))
    # A column that the layout speaks for is no candidate for another role.
    long = rename_columns(
        rows.drop(columns=set(layout.values())), named, ours, _RATING_ALIASES, where, "ratings_columns"
    )
    if own_ids is not None and "item" not in named:
        long["item"] = own_ids
    elif "item" not in long:
        raise InputError(f'{where} has no column that names the item; say which one: [ratings_columns] item = "..."')
    elif ids_are_paths:
        long["item"] = without_ending(long["item"])
    for column, default in (("rater", pd.NA), ("dimension", "emotion")):
        if column not in long:
            long[column] = default
    keys = ["item", "rater", "dimension"]
    if wide:
        parts = [long[keys].assign(dimension=name, value=rows[column]) for name, column in wide.items()]
        return _stack([part.dropna(subset="value") for part in parts]), []
    if description.vote_counts:
        faults = _miscounted(long["item"], rows, description.vote_counts, where, own_ids is None)
        bad = rows.index[sorted({fault.row - 1 for fault in faults})]
        kept = long[keys].drop(index=bad), rows.drop(index=bad)
        return counted_votes(*kept, description.vote_counts, where), faults
    if "value" not in long:
        raise InputError(
            f"{where} has no column of values; it has: {column_list(rows)}. "
            f'Say in corpus.toml which one: [ratings_columns] value = "...", or a column for each dimension there, or '
            "[vote_counts] with a column of counts for each class"
        )
    return long[list(RATING_COLUMNS)], []


def counted_votes(keys: pd.DataFrame, rows: pd.DataFrame, columns: dict[str, str], where: str) -> pd.DataFrame:
    """As many judgements as columns of counts say.

    Args:
        keys: item, rater and dimension of each row.
        rows: the table of counts, its rows in the same order.
        columns: category -> column that counts the votes for it.
        where: what to call the table in an error.

    Raises:
        InputError: a column that is not there, or a count that is no whole number from 0.
    """
    refuse_absent(rows, columns, "vote_counts", where)
    parts = [
        keys.assign(value=category).loc[np.repeat(keys.index, _counts(rows[column], column, where))]
        for category, column in columns.items()
    ]
    return _stack(parts)


def means(rows: pd.DataFrame, ids: pd.Series, description: Description, where: str) -> pd.DataFrame:
    """Published means in the table of items as judgements by the rater ``"mean"``; a missing mean is none."""
    refuse_absent(rows, description.mean_ratings, "mean_ratings", where)
    given = pd.DataFrame({"item": ids, "rater": "mean"})
    parts = [
        given.assign(dimension=dimension, value=rows[column])[rows[column].notna()]
        for dimension, column in description.mean_ratings.items()
    ]
    return _stack(parts)


def _stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Judgements of several columns as one table, an item's judgements together."""
    if not parts:
        return make_ratings(None)
    return pd.concat([make_ratings(part.sort_index()).set_axis(part.index) for part in parts]).sort_index(kind="stable")


def _miscounted(
    items: pd.Series, rows: pd.DataFrame, columns: Mapping[str, str], where: str, own_table: bool
) -> list[Fault]:
    """Every cell that is no count of votes, row by row."""
    faults = []
    for column in dict.fromkeys(columns.values()):
        for at in np.flatnonzero(_wrong(rows[column])):
            item, value = items.iloc[at], str(rows[column].iloc[at])
            told = _told(where, int(at), column, rows[column])
            name = f"ratings.{column}" if own_table else column
            faults.append(Fault(int(at) + 1, "" if pd.isna(item) else str(item), name, value, "bad-count", told))
    return sorted(faults, key=lambda fault: fault.row)


def _numbers(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce").mask(values.isna(), 0)


def _wrong(values: pd.Series) -> np.ndarray:
    numbers = _numbers(values)
    bad = numbers.isna() | ~numbers.between(0, _MOST_VOTES) | (numbers % 1 != 0)
    return bad.to_numpy(bool)


def _told(where: str, at: int, column: str, values: pd.Series) -> str:
    legal = f"vote counts are whole numbers from 0 to {_MOST_VOTES:,}"
    return f"{where} row {at + 1}: {column} is {values.iloc[at]!r}; {legal}"


def _counts(values: pd.Series, column: str, where: str) -> np.ndarray:
    if (bad := np.flatnonzero(_wrong(values))).size:
        raise InputError(_told(where, int(bad[0]), column, values))
    return _numbers(values).astype(int).to_numpy()
