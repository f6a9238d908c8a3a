"""Embeddings of test items during training, one file an epoch."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.training.run_files import RunFiles

__all__ = ["Snapshots", "snapshot_files"]

COLUMNS = ("item", "target", "embedding")


class Snapshots(Mapping[int, pd.DataFrame]):
    """Epoch -> table, each read when it is asked for: a long run may hold more than fits in memory.

    Args:
        paths: epoch -> Parquet file.
        files: of the run that they belong to.
    """

    def __init__(self, paths: dict[int, Path], files: RunFiles):
        self._paths = paths
        self._files = files
        self._read: dict[int, pd.DataFrame] = {}

    def __getitem__(self, epoch: int) -> pd.DataFrame:
        if epoch not in self._read:
            self._read[epoch] = self._files.table(self._paths[epoch], COLUMNS)
        return self._read[epoch]

    def __iter__(self) -> Iterator[int]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def embeddings(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Items ``(n,)``, targets ``(n, classes)`` and embeddings ``(n, dimensions)`` at an epoch."""
        table, name = self[epoch], str(self._paths[epoch].relative_to(self._files.path))
        targets = self._files.matrix(table["target"], name)
        return table["item"].astype(str).to_numpy(object), targets, self._files.matrix(table["embedding"], name)


def snapshot_files(path: Path) -> dict[int, Path]:
    """Epoch -> Parquet file in a run folder, the earliest first."""
    files = {int(m[1]): p for p in path.glob("snapshots/*.parquet") if (m := re.fullmatch(r"epoch-(\d+)", p.stem))}
    return dict(sorted(files.items()))
