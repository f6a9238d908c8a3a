"""Which recordings are near-identical, worked out once for the same recordings and kept with the features."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectspace.features import AudioFingerprint
from affectspace.files import atomic_path
from affectspace.protocols.near_duplicates import VERSION, name_groups, near_duplicates
from affectspace.training.frontends import cache_folder

__all__ = ["near_audio"]


def near_audio(items: pd.DataFrame, fingerprints: Sequence[np.ndarray | None]) -> pd.Series:
    """As :func:`~affectspace.protocols.near_duplicates.near_duplicate_groups`, from the cache where it has been before.

    It is found again by the recordings' hashes, as they say what the fingerprints are made of.

    Args:
        items: with ``corpus``, ``id`` and ``audio_sha``.
        fingerprints: of each item's recording; None where it has none.
    """
    hashes = [None if made is None else str(sha) for sha, made in zip(items["audio_sha"], fingerprints, strict=True)]
    told = json.dumps([VERSION, AudioFingerprint().fingerprint, hashes])
    file = cache_folder() / f"near_audio-{hashlib.sha256(told.encode()).hexdigest()[:32]}.npy"
    try:
        first = np.load(file)
    except (OSError, ValueError, EOFError):  # there is none, or it is damaged
        first = near_duplicates(fingerprints)
        with atomic_path(file) as aside, open(aside, "wb") as opened:
            np.save(opened, first)
    return name_groups(items, first)
