"""What a net is given of an item as one short vector, in which items that are like no other can be told."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from affectspace.features import (
    Faces,
    Functionals,
    LogMel,
    PixelVectors,
    PretrainedSpeech,
    RelativeFunctionals,
    Waveform,
)

__all__ = ["Loose", "Profile", "described", "described_all"]

# Front ends of what a loose file shows.
Loose = LogMel | Functionals | RelativeFunctionals | PretrainedSpeech | Waveform | Faces

LIMIT = 5.0  # standard deviations: one functional may lie thousands of them out, and would drown all others
LONGEST = 128
PIXELS = 16  # a side of the small picture that stands for a large one
FRAME = 400  # samples of which log-Mel energies are made
BLOCK = 1024  # rows brought to float64 at a time


def described(features: np.ndarray, frontend: Loose) -> np.ndarray:
    """An item's features ``(frames, dimensions)`` as one vector, float32.

    Functionals are one already, as are the means over time of hidden states, side by side; of log-Mel energies, and of
    hidden states in time, it is the mean and the standard deviation of each over time; of samples that of their log-Mel
    energies; of a picture the grey levels of 16 x 16 pixels.

    Example:
        >>> described(np.array([[0.0, 1.0], [2.0, 1.0]]), LogMel(bands=2)).tolist()
        [1.0, 1.0, 1.0, 0.0]
    """
    if isinstance(frontend, Faces):
        return PixelVectors(PIXELS)(frontend.restore(features)[None])[0]
    if isinstance(frontend, Functionals | RelativeFunctionals):
        return np.asarray(features[0], np.float32)
    if isinstance(frontend, PretrainedSpeech) and frontend.pool == "mean":
        return np.asarray(features, np.float32).reshape(-1)
    if isinstance(frontend, Waveform):
        samples = frontend.restore(np.asarray(features))
        features = LogMel().compute(np.pad(samples, (0, max(0, FRAME - len(samples)))))
    wide = np.asarray(features, np.float64)
    return np.concatenate([wide.mean(0), wide.std(0)]).astype(np.float32)


def described_all(features: Mapping[str, np.ndarray], frontends: Mapping[str, Loose]) -> np.ndarray:
    """What :func:`described` makes of each modality of an item, side by side in the order of the front ends.

    Example:
        >>> frames = np.array([[0.0, 1.0], [2.0, 1.0]])
        >>> both = {"low": LogMel(bands=2), "high": LogMel(bands=2)}
        >>> described_all({"high": 3 * frames, "low": frames}, both).tolist()
        [1.0, 1.0, 1.0, 0.0, 3.0, 3.0, 3.0, 0.0]
    """
    return np.concatenate([described(features[name], frontend) for name, frontend in frontends.items()])


@dataclass(frozen=True)
class Profile:
    r"""Vectors of features in standard deviations of the training items, cut at 5 of them, in at most 128 dimensions.

    Distances between longer ones are those between their images in 128 directions of equal entries of random sign,
    which keep squared distances up to a factor of about :math:`1 \pm \sqrt{2 / 128}`.

    Args:
        mean: ``(numbers,)`` float32 of the training items.
        scale: ``(numbers,)`` float32, their standard deviation; 1 where they do not differ.
        directions: ``(numbers, 128)`` int8 of 1 and -1; None: the vectors are no longer than that.

    Source: Achlioptas, "Database-friendly random projections: Johnson-Lindenstrauss with binary coins", 2003.

    Example:
        >>> rows = np.array([[0.0, 7.0], [2.0, 7.0]], np.float32)
        >>> Profile.fit(rows, seed=0)(np.array([[3.0, 8.0], [900.0, 7.0]])).tolist()
        [[2.0, 1.0], [5.0, 0.0]]
    """

    mean: np.ndarray
    scale: np.ndarray
    directions: np.ndarray | None = None

    @classmethod
    def fit(cls, rows: np.ndarray, seed: int) -> "Profile":
        """That of training items ``(items, numbers)``, the directions drawn by ``seed``."""
        mean, spread = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
        scale = np.where(spread > 1e-7 * np.abs(mean), spread, 1.0)  # what float32 holds of a constant is no spread
        directions = None
        if len(mean) > LONGEST:
            signs = np.random.default_rng(seed).integers(0, 2, (len(mean), LONGEST))
            directions = (2 * signs - 1).astype(np.int8)
        return cls(mean.astype(np.float32), scale.astype(np.float32), directions)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Vectors ``(items, numbers)`` of :func:`described` to profiles float32 ``(items, at most 128)``."""
        turned = None if self.directions is None else self.directions.astype(np.float64) / np.sqrt(LONGEST)
        made = []
        for start in range(0, len(rows), BLOCK):
            block = np.clip((rows[start : start + BLOCK].astype(np.float64) - self.mean) / self.scale, -LIMIT, LIMIT)
            made.append((block if turned is None else block @ turned).astype(np.float32))
        return np.concatenate(made)
