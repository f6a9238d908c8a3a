"""Files of vectors, each with an id: tables and npz files, read without running anything that is in them."""

import zipfile
import zlib
from collections.abc import Container, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.tables import read_table

__all__ = ["read_vectors"]

UNPACKED, RATIO = 1 << 30, 100  # bytes, and times the size of the file: what an npz file may always unpack to

Vectors = tuple[list[str], np.ndarray, list[str]]


def read_vectors(file: Path, id_names: Sequence[str], patterns: list[str] | None = None) -> Vectors:
    """The vectors of a CSV, TSV, Parquet or npz file.

    Args:
        file: which; its ending tells what it is.
        id_names: what the column of ids may be called, or in an npz file the array; the first that there is counts.
        patterns: the feature columns, in this order, by name or by pattern (``a_*``); in an npz file the one matrix
            ``(items, dimensions)``. None: all columns but the ids, or the only matrix.

    Returns:
        The ids as they stand there, float32 ``(ids, dimensions)``, and the names of the dimensions.

    Raises:
        InputError: no such file or column, text where numbers belong, a row without an id, or an npz file that holds
            Python objects or would unpack to many times its size.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "vectors.csv"
        >>> _ = path.write_text("word,x,y\\nyes,1,2\\nno,3,4\\n")
        >>> ids, values, names = read_vectors(path, ["id", "word"])
        >>> ids, values.tolist(), names
        (['yes', 'no'], [[1.0, 2.0], [3.0, 4.0]], ['x', 'y'])
    """
    read = _read_npz if file.suffix == ".npz" else _read_columns
    return read(file, id_names, patterns)


def _read_columns(file: Path, id_names: Sequence[str], patterns: list[str] | None) -> Vectors:
    table = read_table(file)
    id_column = _first(id_names, table)
    if id_column is None:
        raise InputError(f"{file} has no column {_either(id_names)}; name the one with the ids: {_listed(list(table))}")
    ids = ["" if pd.isna(item) else str(item) for item in table[id_column]]
    if "" in ids:
        raise InputError(f"row {ids.index('') + 1} of {file} has no {id_column!r}; every vector needs an id")
    others = [str(column) for column in table if column != id_column]
    names = others if patterns is None else []
    for pattern in patterns or []:
        found = [column for column in others if fnmatchcase(column, pattern)]
        if not found:
            raise InputError(f"{file} has no column {pattern!r}; it has {_listed(others)}")
        names += [column for column in found if column not in names]
    if not names:
        raise InputError(f"{file} has no feature columns beside {id_column!r}")
    matrix = np.empty((len(table), len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        matrix[:, place] = _numbers(pd.Series(table[name]), file, ids)
    return ids, matrix, names


def _numbers(column: pd.Series, file: Path, ids: list[str]) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float32, na_value=np.nan)
    cells = column.to_numpy(dtype=object, na_value=np.nan)
    try:
        with np.errstate(over="ignore"):  # too large for float32 is infinite, and told with what is not finite
            return cells.astype(np.float64).astype(np.float32)
    except (ValueError, TypeError):
        row = next(row for row, cell in enumerate(cells) if not _is_number(cell))
        raise InputError(
            f"column {column.name!r} of {file} holds {cells[row]!r} for {ids[row]!r}, which is no number; "
            "list the feature columns, by name or by a pattern such as 'f_*'"
        ) from None


def _is_number(cell: object) -> bool:
    try:
        np.float64(cell)  # pyright: ignore[reportArgumentType]
    except (ValueError, TypeError):
        return False
    return True


def _read_npz(file: Path, id_names: Sequence[str], patterns: list[str] | None) -> Vectors:
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(UNPACKED, RATIO * file.stat().st_size):
            raise InputError(
                f"{file} would unpack to {unpacked / 1e9:.1f} GB, over {RATIO} times its size; if that is meant, "
                "save it with np.savez instead of np.savez_compressed"
            )
        with np.load(file, allow_pickle=False) as archive:  # an array of Python objects would run code
            held = ((name, archive[name]) for name in archive.files)
            arrays = {name: array for name, array in held if isinstance(array, np.ndarray)}
    except FileNotFoundError:
        raise InputError(f"there is no file {file}; give an npz file of vectors") from None
    except InputError:
        raise
    except (OSError, ValueError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file} cannot be read as an npz file of plain arrays: {error}") from error
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    ids = arrays.get(_first(id_names, arrays) or "")
    if ids is None or ids.ndim != 1 or ids.dtype.kind not in "UiS":
        raise InputError(f"{file} has no array of ids {_either(id_names)}; name one of: {shapes}")
    matrices = [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiu"]
    wanted = matrices if patterns is None else patterns
    if len(wanted) != 1 or wanted[0] not in matrices:
        raise InputError(f"{file} needs one matrix (items, dimensions), named by columns; it has: {shapes}")
    matrix = arrays[wanted[0]].astype(np.float32)
    if len(matrix) != len(ids):
        raise InputError(f"{file} has {len(ids)} ids and {len(matrix)} vectors; one id is one vector")
    held = [item.decode() if isinstance(item, bytes) else str(item) for item in ids.tolist()]
    return held, matrix, [f"{wanted[0]}[{place}]" for place in range(matrix.shape[1])]


def _listed(columns: list) -> str:
    return ", ".join(map(str, columns[:12])) + (", ..." if len(columns) > 12 else "")


def _first(names: Sequence[str], held: Container[str]) -> str | None:
    return next((name for name in names if name in held), None)


def _either(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names))
