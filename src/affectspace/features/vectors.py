"""Vectors that somebody has computed already, one an item, from a table or an npz file."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.features.features import Features, refuse_duplicates, refuse_too_many
from affectspace.features.vector_files import read_vectors
from affectspace.files import sha256

__all__ = ["VectorTable"]


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
    def ids(self) -> list[str]:
        """Whom the files have a vector of."""
        return self._content[0]

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
            parts.append(read_vectors(file, [self.id_column or "id"], None if patterns is None else list(patterns)))
            if parts[-1][2] != parts[0][2]:
                raise InputError(f"{file} has other feature columns than {self._files[0]}; all must have the same")
        ids = [item for part in parts for item in part[0]]
        if not ids:
            raise InputError(f"{self._told} holds no vector; give a file with one for each item")
        refuse_duplicates(ids, self._told)
        return ids, np.concatenate([part[1] for part in parts]), parts[0][2]
