"""Tables that people bring: CSV in UTF-8 (with or without a byte-order mark) or Parquet."""

import csv
import io
import warnings
from collections import Counter
from pathlib import Path

import pandas as pd

from affectspace.errors import InputError

__all__ = ["TABLE_SUFFIXES", "empty_cells", "parse_csv", "read_table"]

TABLE_SUFFIXES = {".csv", ".tsv", ".parquet"}
OTHER_FORMATS = {
    b"PK\x03\x04": ("is an Excel workbook or another zip archive", "save it from there as CSV UTF-8"),
    b"\xd0\xcf\x11\xe0": ("is an old Excel workbook", "save it from there as CSV UTF-8"),
    b"\xff\xfe": ("is UTF-16", "save it as UTF-8, for example with: iconv -f utf-16 -t utf-8 {name}"),
    b"\xfe\xff": ("is UTF-16", "save it as UTF-8, for example with: iconv -f utf-16 -t utf-8 {name}"),
}


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV or Parquet file as a table of strings and numbers, as they stand in the file.

    CSV cells stay text, so that a speaker ``"03"`` is not turned into the number 3; an empty
    cell is missing, and blanks behind a comma are no part of a cell.

    Raises:
        InputError: the file is missing, empty, in another encoding than UTF-8 or another format,
            separated by something else than its ending says, malformed, or has two columns of one name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no table {path}; give the path of a CSV or Parquet file")
    if path.suffix not in TABLE_SUFFIXES:
        raise InputError(f"{path} ends in {path.suffix!r}; a table is .csv, .tsv or .parquet")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise InputError(f"{path} cannot be read as a table: {str(error).strip()}") from error
    return parse_csv(_decode(path), path, "\t" if path.suffix == ".tsv" else ",")


def parse_csv(text: str, path: Path, separator: str = ",") -> pd.DataFrame:
    """The text of a CSV file as a table; see :func:`read_table`.

    Raises:
        InputError: naming ``path``.
    """
    if not text.strip():
        raise InputError(
            f"{path} is empty; the first line of a table names its columns, and each further line is a row: write it "
            "anew, or copy it again from where it is whole"
        )
    try:
        _check_header(path, text, separator)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype="string",
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=True,
                index_col=False,  # or the first column of rows that are too long would become an index
            )
    except pd.errors.ParserWarning:
        raise InputError(
            f"{path} cannot be read as a table: rows have more cells than its header names; "
            f"quote cells that hold {separator!r}"
        ) from None
    except InputError:
        raise
    except (ValueError, csv.Error) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path} cannot be read as a table: {str(error).strip()}") from error


def empty_cells(cells: pd.Series) -> pd.Series:
    """Which cells of a column of numbers hold none, bool: missing, blank, or the word NaN that programs write for it.

    Example:
        >>> empty_cells(pd.Series(["31.5", None, " ", "NaN", "about 40"])).tolist()
        [False, True, True, True, False]
    """
    words = cells.astype("string").str.strip().str.lower()
    return words.isna() | words.isin(["", "nan"]).astype(bool)


def _check_header(path: Path, text: str, separator: str) -> None:
    header = next((row for row in csv.reader(io.StringIO(text), delimiter=separator) if row), [])
    names = Counter(name.strip() for name in header if name.strip())
    if twice := [name for name, times in names.items() if times > 1]:
        raise InputError(f"{path} has {names[twice[0]]} columns named {twice[0]!r}; give each a name of its own")
    if len(header) == 1 and (other := max(";,\t|", key=header[0].count)) in header[0]:
        renamed = {",": " or rename it .csv", "\t": " or rename it .tsv"}.get(other, "")
        raise InputError(
            f"{path} has one column, {header[0][:60]!r}, and seems to be separated by {other!r}; a .csv is separated "
            f"by ',' and a .tsv by tabs, so save it anew{renamed}"
        )


def _decode(path: Path) -> str:
    content = path.read_bytes()
    for mark, (what, remedy) in OTHER_FORMATS.items():
        if content.startswith(mark):
            raise InputError(f"{path} {what}, not the CSV that its name says; {remedy.format(name=path.name)}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} is not UTF-8 (byte {content[error.start]:#04x} in line {line}); "
            f"save it as UTF-8, for example with: iconv -f latin1 -t utf-8 {path.name}"
        ) from error
