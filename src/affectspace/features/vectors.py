"""Vectors that somebody has computed already, one an item, from a table or an npz file."""

import glob
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.features.features import Features, refuse_duplicates, refuse_too_many
from affectspace.files import sha256
from affectspace.tables import read_table

__all__ = ["VectorTable"]

UNPACKED, RATIO = 1 << 30, 100  # bytes, and times the size of the file: what an npz file may always unpack to


@dataclass(frozen=True)
class VectorTable:
    """Vectors by id, from one file or several of the same columns.

    Args:
        path: a CSV, TSV, Parquet or npz file, a pattern such as ``sessions/*.parquet``, or a list of these.
        id_column: the column of ids; in an npz file the array of ids. None: ``id``.
        columns: the feature columns, in this order, by name or by pattern (``a_*``); in an npz file
            the one matrix ``(items, dimensions)``. None: all columns but the ids, or the only matrix.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "vectors.csv"
        >>> _ = path.write_text("id,words,f_pitch,f_level\\na,yes,1,2\\nb,no,3,4\\n")
        >>> table = VectorTable(path, columns=("f_*",))
        >>> table.read(["b", "a"]).values.tolist()
        [[3.0, 4.0], [1.0, 2.0]]
    """

    path: str | Path | Sequence[str | Path]
    id_column: str | None = None
    columns: Sequence[str] | str | None = None

    def read(self, ids: Sequence[str] | None = None, max_bad_share: float = 0.1) -> Features:
        """The vectors as features of one frame each.

        Args:
            ids: the items wanted, in the order wanted; None: all of the files.
            max_bad_share: largest share of items, in [0, 1], whose vector may be missing or hold a
                number that is not finite; they are in ``quarantine`` of the result.

        Raises:
            InputError: no such file or column, text where numbers belong, an id that occurs twice, or
                too many items without a vector.
        """
        held, matrix, names = self._content
        rows = {item: row for row, item in enumerate(held)}
        wanted = held if ids is None else [str(item) for item in ids]
        refuse_duplicates(wanted, "the items asked for")
        finite = np.isfinite(matrix)
        good, quarantine = [], []
        for item in wanted:
            row = rows.get(item)
            if row is None:
                quarantine.append((item, f"{self._told} has no vector for it"))
            elif not finite[row].all():
                column = int(finite[row].argmin())
                quarantine.append((item, f"column {names[column]!r} is {matrix[row, column]}"))
            else:
                good.append(item)
        table = pd.DataFrame(quarantine, columns=["id", "reason"], dtype="string")
        refuse_too_many(table, len(wanted), max_bad_share)
        values = matrix[[rows[item] for item in good]]
        values.flags.writeable = False
        return Features(np.array(good, object), np.ones(len(good)), values, np.full(len(good), None), table)

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        return len(self._content[2])

    @cached_property
    def fingerprint(self) -> str:
        """The settings and the content of the files."""
        content = " ".join(sha256(file)[:16] for file in self._files)
        return f"vectors/1 id_column={self.id_column} columns={self.columns} content={content}"

    @cached_property
    def _files(self) -> list[Path]:
        given = [self.path] if isinstance(self.path, str | Path) else list(self.path)
        files: list[Path] = []
        for path in given:
            found = sorted(glob.glob(str(path))) if glob.has_magic(str(path)) and not Path(path).exists() else [path]
            if not found:
                raise InputError(f"no file matches {path}; give a CSV, Parquet or npz file of vectors")
            files += map(Path, found)
        if not files:
            raise InputError("no file of vectors is given; path is empty")
        return files

    @property
    def _told(self) -> str:
        return self._files[0].name if len(self._files) == 1 else f"{self._files[0].name} to {self._files[-1].name}"

    @cached_property
    def _content(self) -> tuple[list[str], np.ndarray, list[str]]:
        """Ids, float32 vectors and the names of their dimensions, over all files."""
        patterns = [self.columns] if isinstance(self.columns, str) else self.columns
        parts = []
        for file in self._files:
            read = _read_npz if file.suffix == ".npz" else _read_columns
            parts.append(read(file, self.id_column or "id", None if patterns is None else list(patterns)))
            if parts[-1][2] != parts[0][2]:
                raise InputError(f"{file} has other feature columns than {self._files[0]}; all must have the same")
        ids = [item for part in parts for item in part[0]]
        if not ids:
            raise InputError(f"{self._told} holds no vector; give a file with one for each item")
        refuse_duplicates(ids, self._told)
        return ids, np.concatenate([part[1] for part in parts]), parts[0][2]


def _read_columns(file: Path, id_column: str, patterns: list[str] | None) -> tuple[list[str], np.ndarray, list[str]]:
    table = read_table(file)
    if id_column not in table:
        raise InputError(f"{file} has no column {id_column!r}; name the one with the ids: {_listed(list(table))}")
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


def _read_npz(file: Path, id_column: str, patterns: list[str] | None) -> tuple[list[str], np.ndarray, list[str]]:
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
    ids = arrays.get(id_column)
    if ids is None or ids.ndim != 1 or ids.dtype.kind not in "UiS":
        raise InputError(f"{file} has no array of ids {id_column!r}; name one of: {shapes}")
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
