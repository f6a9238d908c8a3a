"""Faults planted in a synthetic corpus, one of each, so that what finds them can be tested."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from scipy.signal import resample_poly

__all__ = ["FAULTS", "plant"]

#: Fault -> (where it lies, what training does about it).
FAULTS: dict[str, tuple[str, str]] = {
    "missing_file": ("media", "sets the item aside"),
    "empty_file": ("media", "sets the item aside"),
    "truncated_file": ("media", "sets the item aside"),
    "not_finite": ("media", "sets the item aside"),
    "silent": ("media", "uses the item, which holds digital silence"),
    "other_rate": ("media", "uses the item, 96 kHz stereo, resampled and mixed down"),
    "identical_audio": ("media", "uses the item; a split with it and its twin on two sides is a leak"),
    "duplicate_id": ("table", "refuses the corpus"),
    "vote_off_scale": ("table", "refuses the corpus"),
    "path_outside": ("table", "refuses the corpus"),
    "start_after_end": ("table", "refuses the corpus"),
}


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
        items, ratings, truth: the tables, without faults; at least as many items with a right label as faults.
        kind: ``"none"``, ``"media"`` or ``"all"``.
        generator: chooses the items.

    Returns:
        items, ratings and truth, the last with a column ``fault``. A duplicate id is a row more.
    """
    items, ratings, truth = items.copy(), ratings.copy(), truth.copy()
    items["start"], items["end"] = pd.NA, pd.NA
    truth["fault"] = pd.NA
    names = [name for name, (where, _) in FAULTS.items() if kind == "all" or where == kind]
    rows = generator.permutation(truth.index[~truth["wrong_label"]])[: len(names)]
    for name, row in zip(names, rows):
        truth.loc[row, "fault"] = name
        path = folder / items.at[row, "audio"]
        match name:
            case "missing_file":
                path.unlink()
            case "empty_file":
                path.write_bytes(b"")
            case "truncated_file":
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            case "not_finite":
                samples, rate = soundfile.read(path)
                samples[len(samples) // 2] = np.nan
                path.unlink()
                items.loc[row, "audio"] = str(Path(items.at[row, "audio"]).with_suffix(".wav"))
                soundfile.write(folder / items.at[row, "audio"], samples, rate, subtype="FLOAT")
            case "silent":
                samples, rate = soundfile.read(path)
                soundfile.write(path, np.zeros_like(samples), rate, subtype="PCM_16")
            case "other_rate":
                samples, rate = soundfile.read(path)
                soundfile.write(path, np.stack([resample_poly(samples, 6, 1)] * 2, axis=1), 6 * rate, subtype="PCM_16")
            case "identical_audio":
                # Its twin is a neighbour that no other fault touches.
                free = items.index.difference(rows)
                twin = free[np.abs(free - row).argmin()]
                path.write_bytes((folder / items.at[twin, "audio"]).read_bytes())
            case "duplicate_id":
                items = pd.concat([items, items.loc[[row]]], ignore_index=True)
                truth = pd.concat([truth, truth.loc[[row]]], ignore_index=True)
            case "vote_off_scale":
                mine = ratings.index[(ratings["item"] == items.at[row, "id"]) & (ratings["dimension"] == "valence")]
                ratings.loc[mine[0], "value"] = 9
            case "path_outside":
                path.unlink()
                items.loc[row, "audio"] = "../outside.flac"
            case "start_after_end":
                items.loc[row, ["start", "end"]] = [0.8, 0.3]
    return items, ratings, truth
