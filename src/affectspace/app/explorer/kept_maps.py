"""Maps that were drawn before: t-SNE of many items takes minutes, and is the same every time."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affectspace.files import atomic_path
from affectspace.space import Space
from affectspace.space.maps import tsne_maps

__all__ = ["kept_maps"]

VERSION = "1"  # of how maps are drawn
NEWEST = 100  # that are kept


def kept_maps(spaces: Sequence[Space], folder: Path) -> list[np.ndarray]:
    """Where each item lies on the map of each space, float32 ``(n, 2)`` in [-1, 1], all from one start.

    Args:
        spaces: of the same items.
        folder: where maps are kept; the oldest go when there are many. One that cannot be read is drawn anew.
    """
    name = hashlib.sha256(VERSION.encode())
    for each in spaces:
        name.update(repr(each.vectors.shape).encode())
        name.update(each.vectors.data)
    path = folder / f"{name.hexdigest()[:32]}.npy"
    shape = (len(spaces), len(spaces[0]), 2)
    try:
        found = np.load(path, allow_pickle=False)
        if found.shape == shape and np.isfinite(found).all():
            path.touch()
            return list(found)
    except (OSError, ValueError, EOFError):
        pass
    drawn = [_framed(each) for each in tsne_maps([each.vectors for each in spaces])]
    try:
        with atomic_path(path) as aside, open(aside, "wb") as file:
            np.save(file, np.stack(drawn), allow_pickle=False)
        for old in sorted(folder.glob("*.npy"), key=lambda each: each.stat().st_mtime)[:-NEWEST]:
            old.unlink(missing_ok=True)
    except OSError:
        pass  # a full disk is no reason to show no map
    return drawn


def _framed(positions: np.ndarray) -> np.ndarray:
    """The map in [-1, 1], as wide as high."""
    middle = (positions.max(0) + positions.min(0)) / 2
    moved = positions - middle
    return (moved / (np.abs(moved).max() or 1.0)).astype(np.float32)
