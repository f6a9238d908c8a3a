"""What a finished run answered on the items that it was tested on, read from its predictions: counted by speaker."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import InputError
from affectspace.metrics.speaker_intervals import Tally, tally
from affectspace.training.run import Run

__all__ = ["Judged", "judge", "tested_items"]

NEEDED = ["item", "split", "speaker", "target", "probabilities"]


@dataclass(frozen=True)
class Judged:
    """What one run answered, speaker by speaker, and on which items.

    Args:
        tally: answers counted for each speaker.
        items: how many were tested.
        digest: of the items and their soft labels; two runs with one digest were judged on the same.
    """

    tally: Tally
    items: int
    digest: str


def judge(run: Run, part: str = "test") -> Judged:
    """The answers of a run on the items of one part, read without the embeddings, which make up most of the file.

    Raises:
        InputError: no predictions, damaged ones, or no item of the part among them.
    """
    parts = [_answers(fold, len(run.classes), part) for fold in run.parts]
    items, speakers, targets, probabilities = (np.concatenate(column) for column in zip(*parts))
    if not len(items):
        raise InputError(f"predictions.parquet of run {run.path} is damaged (no {part} items); train it again")
    digest = hashlib.sha256()
    order = np.argsort(items, kind="stable")
    digest.update("\n".join(items[order]).encode())
    digest.update(np.round(targets[order], 4).tobytes())
    try:
        counted = tally(items, speakers, targets, probabilities)
    except ValueError as error:
        raise InputError(f"predictions.parquet of run {run.path} is damaged ({error}); train it again") from error
    return Judged(counted, len(items), digest.hexdigest())


def tested_items(run: Run) -> list[str]:
    """Which items a run was judged on, "corpus/id", sorted.

    Raises:
        InputError: no predictions, or damaged ones.
    """
    return sorted(item for part in run.parts for item in _answers(part, len(part.classes))[0])


def _answers(run: Run, classes: int, part: str = "test") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Items, speakers, targets and probabilities of the items of one part of one fold."""
    path = run.path / "predictions.parquet"
    if not path.is_file():
        raise InputError(f"run {run.path} has no predictions.parquet; its folder is not complete")
    try:
        table = pq.read_table(path, columns=NEEDED, filters=[("split", "=", part)])
        items = np.array(table["item"].to_pylist(), dtype=str)
        speakers = np.array([speaker or "" for speaker in table["speaker"].to_pylist()], dtype=str)
        return items, speakers, _matrix(table["target"], classes), _matrix(table["probabilities"], classes)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"predictions.parquet of run {run.path} is damaged ({reason}); restore it from a copy, or train again"
        ) from error


def _matrix(column: pa.ChunkedArray, classes: int) -> np.ndarray:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(column) * classes:
        raise ValueError(f"rows of {len(flat) / max(len(column), 1):g} entries for {classes} classes")
    return flat.reshape(len(column), classes).astype(np.float64)
