"""Tables of numbers with an ordered response: wine, abalone, cement and others that ordinal regression is tried on.

Layout (github.com/gagolews/ordinal_regression_data): one CSV or Parquet file a set; the first column, ``response``,
is the ordered label, and all others are numbers. Each set is a corpus of its own, named after its file.

Items are named by their row, from 0. The numbers stay beside the label as columns of the items; a run reads them
as precomputed vectors, from a table that has the ids too:

    >>> import tempfile
    >>> from affectspace.features import VectorTable
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "wine.csv").write_text("response,acid,sugar\\n3,7.4,1.9\\n5,7.8,2.6\\n")
    >>> corpus = read(folder / "wine.csv")
    >>> corpus.items[["id", "label", "acid"]].values.tolist()
    [['0', '3', 7.4], ['1', '5', 7.8]]
    >>> numbers(corpus).to_parquet(folder / "wine_vectors.parquet")
    >>> VectorTable(folder / "wine_vectors.parquet").read(["1"]).values.astype(float).round(1).tolist()
    [[7.8, 2.6]]
"""

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa

from affectspace.corpora.corpus import ITEM_COLUMNS, Card, Corpus
from affectspace.corpora.layout import make_corpus, refuse_no_items
from affectspace.corpora.packed_items import parquet_columns
from affectspace.errors import InputError
from affectspace.tables import read_table

__all__ = ["NAME", "is_one", "matches", "numbers", "read"]

NAME = "ordinal_tabular"
_RESPONSE = "response"


def is_one(file: Path) -> bool:
    """Whether a file is a table of numbers whose first column is ``response``."""
    if file.name.startswith("."):
        return False
    if file.suffix == ".parquet":
        columns = parquet_columns(file)
        others = list(columns.values())[1:]
        return next(iter(columns), "") == _RESPONSE and bool(others) and all(map(_is_number, others))
    if file.suffix != ".csv" or not file.is_file():
        return False
    with open(file, encoding="utf-8-sig", errors="replace", newline="") as text:
        lines = csv.reader(text)
        try:
            header, first = next(lines, []), next(lines, [])
        except csv.Error:
            return False
    return len(header) > 1 and header[0] == _RESPONSE and bool(pd.to_numeric(pd.Series(first), "coerce").notna().all())


def matches(path: Path) -> bool:
    """Whether ``path`` is such a table, or a folder that holds one."""
    return bool(_tables(path))


def read(path: Path) -> Corpus:
    """The set at ``path``, a file or the folder of a single one.

    Raises:
        InputError: no such table, several of them, or a cell that is no number.
    """
    path = Path(path)
    tables = _tables(path)
    refuse_no_items(tables, path, "table of an ordered response", f"a CSV or Parquet whose first column is {_RESPONSE}")
    if len(tables) > 1:
        raise InputError(
            f"{path} holds {len(tables)} tables, each a corpus of its own: {', '.join(t.name for t in tables)}; "
            f"give one of them, such as {tables[0]}"
        )
    file = tables[0]
    table = read_table(file)
    table = table.rename(columns={name: f"source_{name}" for name in table.columns if name in ITEM_COLUMNS})
    features = [str(name) for name in table.columns[1:]]
    for name in features:
        cells = pd.to_numeric(table[name], errors="coerce")
        wrong = cells.isna() & table[name].notna()
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise InputError(f"row {row + 1} of {file}: {name} is {table[name].iloc[row]!r}; it must be a number")
        table[name] = cells
    ids = pd.Series([str(row) for row in range(len(table))], dtype="string")
    rows = table.rename(columns={_RESPONSE: "label"}).assign(id=ids)
    card = Card(
        name=file.stem,
        licence="not stated in the repository; the sets come from UCI and other public sources",
        citation="the source of each set; collected in github.com/gagolews/ordinal_regression_data",
        note="Levels are ordered numbers: use labels of kind levels. Inputs are on scales of their own, so normalise "
        "them; some are standardised or dummy-coded by the source.",
        features=tuple(features),
    )
    return make_corpus(file.parent, rows, card)


def numbers(corpus: Corpus) -> pd.DataFrame:
    """Ids and features of a corpus of numbers, as :class:`affectspace.features.VectorTable` reads them."""
    return corpus.items[["id", *corpus.card.features]]


def _tables(path: Path) -> list[Path]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in files if is_one(file)]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)
