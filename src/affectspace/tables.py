"""Tables that people bring: CSV in UTF-8 (with or without a byte-order mark) or Parquet."""

import io
from pathlib import Path

import pandas as pd

from affectspace.errors import InputError

__all__ = ["TABLE_SUFFIXES", "read_table"]

TABLE_SUFFIXES = {".csv", ".tsv", ".parquet"}


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV or Parquet file as a table of strings and numbers, as they stand in the file.

    CSV cells stay text, so that a speaker ``"03"`` is not turned into the number 3; an empty
    cell is missing.

    Raises:
        InputError: the file is missing, empty, in another encoding than UTF-8, malformed, or not a table.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no table {path}; give the path of a CSV or Parquet file")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix in {".csv", ".tsv"}:
            return pd.read_csv(
                io.StringIO(_decode(path)),
                sep="\t" if path.suffix == ".tsv" else ",",
                dtype="string",
                keep_default_na=False,
                na_values=[""],
            )
    except InputError:
        raise
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        raise InputError(f"{path} cannot be read as a table: {str(error).strip()}") from error
    raise InputError(f"{path} ends in {path.suffix!r}; a table is .csv, .tsv or .parquet")


def _decode(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} is not UTF-8 (byte {content[error.start]:#04x} in line {line}); "
            f"save it as UTF-8, for example with: iconv -f latin1 -t utf-8 {path.name}"
        ) from error
