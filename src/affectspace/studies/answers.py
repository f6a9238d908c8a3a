"""What finished runs answered on the items that they were tested on, read from their predictions: counted by speaker.

The answers of several runs on the same items are fused: late fusion, at the level of decisions.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import InputError
from affectspace.metrics import scores, value_scores
from affectspace.metrics.speaker_intervals import Tally, tally
from affectspace.training.run import Run

__all__ = ["Judged", "fused_figures", "fused_unseen", "judge", "tested_items"]

NEEDED = ["item", "split", "speaker", "target", "probabilities"]
NUMBERS = ["value", "predicted_value"]  # of levels of numbers


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


@dataclass(frozen=True)
class _Answers:
    """What one run, or several fused, said of ``n`` items, sorted by their names.

    Args:
        items: ``(n,)`` corpus/id.
        speakers: ``(n,)`` names within the corpus, empty where unknown.
        targets, probabilities: ``(n, classes)``.
        numbers: ``(n, 2)`` true and predicted; of no columns where the classes are not cut from numbers.
    """

    items: np.ndarray
    speakers: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    numbers: np.ndarray

    def of(self, rows: np.ndarray) -> "_Answers":
        return _Answers(*(column[rows] for column in vars(self).values()))


def judge(runs: Sequence[Run], part: str = "test") -> Judged:
    """The answers of a run, or of several fused, on the items of one part, read without the embeddings.

    Args:
        runs: one, or several that were judged on the same items.
        part: "test" or "unseen".

    Raises:
        InputError: no predictions, damaged ones, or no item of the part among them.
    """
    told = _fused(runs, part)
    digest = hashlib.sha256()
    digest.update("\n".join(told.items).encode())
    digest.update(np.round(told.targets, 4).tobytes())
    try:
        counted = tally(told.items, told.speakers, told.targets, told.probabilities)
    except ValueError as error:
        raise _no_answers(runs, error) from error
    return Judged(counted, len(told.items), digest.hexdigest())


def fused_figures(runs: Sequence[Run]) -> dict[str, float]:
    r"""The figures of the late fusion of runs on the test items, as far as they follow from probabilities.

    .. math:: p(c \mid x) = \frac{1}{M} \sum_{m=1}^{M} p_m(c \mid x)

    over the :math:`M` runs: each weighs alike, and nothing is learned or chosen. They are summed in the order in
    which they are given.

    Args:
        runs: that were judged on the same items.

    Returns:
        Those of :func:`affectspace.metrics.scores`, and of :func:`affectspace.metrics.value_scores` where the classes
        are cut from numbers; none of embeddings, as there are none.

    Raises:
        InputError: as :func:`judge`.

    Source: the mean rule of Kittler, Hatef, Duin & Matas, "On combining classifiers", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 20, 1998.
    """
    return _figures(_fused(runs, "test"), runs)


def fused_unseen(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """The same figures on the items of each corpus of which training saw nothing, by corpus."""
    told = _fused(runs, "unseen")
    corpora = np.array([item.split("/")[0] for item in told.items])
    return {str(name): _figures(told.of(corpora == name), runs) for name in np.unique(corpora)}


def _figures(told: _Answers, runs: Sequence[Run]) -> dict[str, float]:
    try:
        found = scores(told.targets, told.probabilities, ordered="within_one" in runs[0].scores("test"))
    except ValueError as error:
        raise _no_answers(runs, error) from error
    return found | (value_scores(*told.numbers.T) if told.numbers.shape[1] else {})


def _no_answers(runs: Sequence[Run], why: object) -> InputError:
    paths = " or ".join(str(run.path) for run in runs)
    return InputError(f"predictions.parquet of run {paths} is damaged ({why}); train it again")


def tested_items(run: Run) -> list[str]:
    """Which items a run was judged on, "corpus/id", sorted.

    Raises:
        InputError: no predictions, or damaged ones.
    """
    return sorted(item for part in run.parts for item in _answers(part, len(part.classes)).items)


def _fused(runs: Sequence[Run], part: str) -> _Answers:
    """The answers of all folds of a run; of several, the mean of their probabilities, and of the numbers they predict.

    A predicted number is an expected one, so that of the mean is the mean.
    """
    told = [_of_all_folds(run, part) for run in runs]
    probabilities, numbers = (
        sum(columns) / len(told) for columns in zip(*((t.probabilities, t.numbers) for t in told))
    )
    return replace(told[0], probabilities=probabilities, numbers=numbers)


def _of_all_folds(run: Run, part: str) -> _Answers:
    folds = [vars(_answers(fold, len(run.classes), part)).values() for fold in run.parts]
    told = _Answers(*(np.concatenate(column) for column in zip(*folds)))
    if not len(told.items):
        raise _no_answers([run], f"no {part} items")
    return told.of(np.argsort(told.items, kind="stable"))


def _answers(run: Run, classes: int, part: str = "test") -> _Answers:
    """Of the items of one part of one fold."""
    path = run.path / "predictions.parquet"
    if not path.is_file():
        raise InputError(f"run {run.path} has no predictions.parquet; its folder is not complete")
    try:
        there = [name for name in NUMBERS if name in pq.read_schema(path).names]
        table = pq.read_table(path, columns=NEEDED + there, filters=[("split", "=", part)])
        items = np.array(table["item"].to_pylist(), dtype=str)
        speakers = np.array([speaker or "" for speaker in table["speaker"].to_pylist()], dtype=str)
        numbers = np.array([table[name].to_numpy() for name in there], dtype=float).reshape(len(there), len(items)).T
        return _Answers(
            items, speakers, _matrix(table["target"], classes), _matrix(table["probabilities"], classes), numbers
        )
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
