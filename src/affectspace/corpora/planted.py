"""Faults planted in a synthetic corpus, one of each, so that what finds them can be tested."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile
from scipy.io import wavfile
from scipy.signal import resample_poly

__all__ = ["FAULTS", "PlantedFault", "plant"]


class PlantedFault(NamedTuple):
    """Where a fault lies (``"media"`` or ``"table"``), the code :func:`check` finds it by, what training does."""

    where: str
    problem: str
    consequence: str


FAULTS: dict[str, PlantedFault] = {
    "missing-file": PlantedFault("media", "missing-file", "sets the item aside"),
    "empty-file": PlantedFault("media", "empty-file", "sets the item aside"),
    "truncated": PlantedFault("media", "unreadable", "sets the item aside: half of its bytes are there"),
    "not-finite": PlantedFault("media", "unreadable", "sets the item aside: a float WAV with a NaN"),
    "silent": PlantedFault("media", "silent", "sets the item aside: digital silence"),
    "sample-rate": PlantedFault("media", "sample-rate", "uses the item, resampled and mixed down: 96 kHz stereo"),
    "identical-audio": PlantedFault(
        "media", "identical-audio", "uses the item, and refuses a split that parts it from its twin"
    ),
    "duplicate-id": PlantedFault("table", "duplicate-id", "sets the second item aside"),
    "off-scale": PlantedFault("table", "off-scale", "leaves the vote out: a valence of 9 on a scale from 1 to 5"),
    "outside-root": PlantedFault("table", "outside-root", "sets the item aside: its path is ../outside.flac"),
    "bad-times": PlantedFault("table", "bad-times", "sets the item aside: its start is after its end"),
}
"""What :func:`plant` plants, by its name in ``truth.csv``."""


def plant(
    folder: Path,
    items: pd.DataFrame,
    ratings: pd.DataFrame,
    truth: pd.DataFrame,
    kind: str,
    generator: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The three tables with one of each fault of a kind planted, each in an item of its own.

    Args:
        folder: where the corpus is written; its audio is there, its tables are not.
        items: the items, with more right labels among them than there are faults.
        ratings: the ratings; without any no vote is off the scale.
        truth: one row an item.
        kind: ``"none"``, ``"media"`` or ``"all"``.
        generator: chooses the items.

    Returns:
        items, ratings and truth, the last with the columns ``fault`` and ``fault_row``. A duplicate id
        is a row more in items and truth.
    """
    items, ratings, truth = items.copy(), ratings.copy(), truth.copy()
    items["start"], items["end"] = pd.NA, pd.NA
    truth["fault"], truth["fault_row"] = pd.NA, pd.NA
    names = [name for name, fault in FAULTS.items() if kind == "all" or fault.where == kind]
    if ratings.empty:
        names = [name for name in names if name != "off-scale"]
    right = generator.permutation(np.flatnonzero(~truth["wrong_label"].to_numpy(dtype=bool)))
    rows, free = right[: len(names)], right[len(names) :]
    for name, row in zip(names, rows):
        if name == "identical-audio":
            twin, row = sorted((int(row), _twin(truth, int(row), free)))
            (folder / _path(items, row)).write_bytes((folder / _path(items, twin)).read_bytes())
        elif name == "duplicate-id":
            items = pd.concat([items, items.loc[[row]]], ignore_index=True)
            truth = pd.concat([truth, truth.loc[[row]]], ignore_index=True)
            row = len(items) - 1
            audio = Path(_path(items, row))
            items.loc[row, "audio"] = str(audio.with_stem(f"{audio.stem}-again"))
            _quieter(folder / audio, folder / _path(items, row))
        elif name == "off-scale":
            mine = (ratings["item"] == items.at[row, "id"]) & (ratings["dimension"] == "valence")
            ratings.loc[mine.idxmax(), "value"] = 9
            truth.loc[row, "fault_row"] = int(mine.to_numpy().argmax()) + 1
        elif name == "outside-root":
            (folder / _path(items, row)).unlink()
            items.loc[row, "audio"] = "../outside.flac"
        elif name == "bad-times":
            items.loc[row, ["start", "end"]] = [0.8, 0.3]
        else:
            items.loc[row, "audio"] = _break(folder, _path(items, row), name)
        truth.loc[row, "fault"] = name
        if name != "off-scale":  # which is told by its row of the ratings
            truth.loc[row, "fault_row"] = row + 1
    return items, ratings, truth


def _path(items: pd.DataFrame, row: int) -> str:
    return str(items.at[row, "audio"])


def _twin(truth: pd.DataFrame, row: int, free: np.ndarray) -> int:
    """The item most like another: of its speaker, so that no split by speaker parts them, and of its emotion."""
    alike = 2 * (truth["speaker"] == truth.at[row, "speaker"]) + (truth["emotion"] == truth.at[row, "emotion"])
    return int(free[alike.to_numpy()[free].argmax()])


def _break(folder: Path, audio: str, name: str) -> str:
    """Break one recording; returns its path, which ends in another way for what FLAC cannot hold."""
    path = folder / audio
    samples, rate = soundfile.read(path)
    content = path.read_bytes()
    path.unlink()
    if name == "empty-file":
        path.touch()
    elif name == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif name == "silent":
        soundfile.write(path, np.zeros_like(samples), rate, subtype="PCM_16")
    elif name == "sample-rate":
        soundfile.write(path, np.stack([resample_poly(samples, 6, 1)] * 2, axis=1), 6 * rate, subtype="PCM_16")
    elif name == "not-finite":
        path = path.with_suffix(".wav")
        samples[len(samples) // 2] = np.nan
        wavfile.write(path, rate, samples.astype(np.float32))  # libsndfile would write the time of day into it
    return path.relative_to(folder).as_posix()


def _quieter(source: Path, target: Path) -> None:
    """A recording of its own, so that a duplicate id is not identical audio as well."""
    samples, rate = soundfile.read(source)
    soundfile.write(target, 0.7 * samples, rate, subtype="PCM_16")
