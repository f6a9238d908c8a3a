"""Whether a run that another machine has trained lies here as it was left there."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from affectspace.files import sha256
from affectspace.studies.status import next_replaced

__all__ = ["refuse_other_files"]

PATIENCE = 10.0  # seconds for storage on a network that lists late what another machine has written
WAIT = 0.1


def refuse_other_files(folder: Path, place: Path, told: Mapping[str, str], node: str) -> str:
    """Check every file of a finished run; one that is not as it was told does not pass for done.

    Args:
        folder: the study's.
        place: the run's, in it.
        told: SHA-256 of its files by their paths below it, by who has trained it.
        node: who that was.

    Returns:
        What is wrong, empty where nothing is. The run is moved aside then.
    """
    until = time.monotonic() + PATIENCE
    while wrong := _wrong(place, told):
        if time.monotonic() > until:
            break
        time.sleep(WAIT)
    else:
        return ""
    told_of = "nothing lies there"
    if place.is_dir():
        aside = next_replaced(folder) / place.relative_to(folder)
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(place, aside)
        told_of = f"what lay here is in {aside}"
    return (
        f"node {node} has finished the run, and {wrong} in {place} is not what it has written: is that the same "
        f"storage for both, and is it whole? {told_of[0].upper()}{told_of[1:]}; the same command trains it anew"
    )


def _wrong(place: Path, told: Mapping[str, str]) -> str:
    """The first file that is not there, or not as it was told."""
    for name, digest in told.items():
        try:
            if sha256(place / name) != digest:
                return name
        except OSError:
            return name
    return ""
