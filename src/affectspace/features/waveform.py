"""The samples themselves: read, brought to a level, and kept for whatever must hear them again."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectspace.errors import MediaError
from affectspace.media import read_audio

__all__ = ["Waveform", "at_level", "read_sound", "refuse_length"]

FULL_SCALE = 32768.0  # 16-bit steps to full scale


def read_sound(path: str | Path, sample_rate: int, start: float | None = None, end: float | None = None) -> np.ndarray:
    """The samples of a recording in which there is anything to hear; see :func:`~affectspace.media.read_audio`.

    Raises:
        MediaError: as ``read_audio``; or a recording of silence, which expresses nothing.
    """
    samples = read_audio(path, sample_rate, start, end)
    if samples.min() == samples.max():
        raise MediaError(
            f"{path} is silent: all its samples are {samples[0]:g}; record or cut it anew, or leave it out"
        )
    return samples


def at_level(samples: np.ndarray, level: float | None) -> np.ndarray:
    """Samples scaled so that their root mean square about their mean lies ``level`` dB over full scale.

    Silence, and any samples where ``level`` is None, come back as they are.

    Example:
        >>> bool(np.isclose(at_level(np.array([0.5, -0.5]), -20).std(), 0.1))
        True
    """
    spread = 0.0 if level is None else float(np.std(samples, dtype=np.float64))
    return samples if level is None or not spread > 0 else samples * np.float32(10 ** (level / 20) / spread)


def refuse_length(samples: np.ndarray, sample_rate: int, shortest: int, longest: float | None) -> None:
    """Refuse what a model cannot hear, or not at once.

    Args:
        samples: ``(samples,)``.
        sample_rate: in Hz.
        shortest: samples that a first frame needs.
        longest: seconds; None: there is no limit.

    Raises:
        MediaError: too few samples, or too many.

    Example:
        >>> refuse_length(np.zeros(100), 16000, 400, None)
        Traceback (most recent call last):
        ...
        affectspace.errors.MediaError: 0.0063 s of sound are too short: the model needs 0.0250 s; leave it out
    """
    seconds = len(samples) / sample_rate
    if len(samples) < shortest:
        needed = shortest / sample_rate
        raise MediaError(f"{seconds:.4f} s of sound are too short: the model needs {needed:.4f} s; leave it out")
    if longest is not None and seconds > longest:
        raise MediaError(
            f"{seconds:.1f} s of sound are too long: the model is given {longest:g} s at most; divide it into "
            "parts, in a corpus by start and end"
        )


@dataclass(frozen=True)
class Waveform:
    """The front end that keeps samples as they are, in 16 bits, so that no file need be decoded twice.

    An hour at 16 kHz takes 115 MB on disk (mapped, not held in memory). Samples of a 16-bit file at
    this rate are kept exactly, others to the nearest of 65,536 steps.

    Args:
        sample_rate: to which recordings are resampled, in Hz.
        shortest: samples that a recording must have, as a model needs them for a first frame.
        longest: seconds that it may have, as a model can hold; None: there is no limit.

    Example:
        >>> Waveform().compute(np.array([0.0, 0.5, -1.0, 1.0], dtype=np.float32)).ravel().tolist()
        [0, 16384, -32768, 32767]
    """

    sample_rate: int = 16000
    shortest: int = 1
    longest: float | None = None

    @property
    def dimensions(self) -> int:
        """One: a frame is a sample."""
        return 1

    @property
    def fingerprint(self) -> str:
        """All settings, and the version of the computation."""
        limited = (self.shortest, self.longest) != (1, None)
        limits = f" shortest={self.shortest} longest={self.longest}" if limited else ""
        return f"waveform/1 sample_rate={self.sample_rate}{limits}"

    def read(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The samples of a recording; see :func:`read_sound`.

        Raises:
            MediaError: a file that cannot be read, silence, or a recording beyond the limits.
        """
        samples = read_sound(path, self.sample_rate, start, end)
        refuse_length(samples, self.sample_rate, self.shortest, self.longest)
        return samples

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """Samples ``(samples,)`` in [-1, 1] to int16 ``(samples, 1)``."""
        return np.clip(np.rint(samples * np.float32(FULL_SCALE)), -32768, 32767).astype(np.int16)[:, None]

    @staticmethod
    def restore(kept: np.ndarray) -> np.ndarray:
        """float32 samples ``(samples,)`` in [-1, 1] of what :meth:`compute` gave."""
        return kept[:, 0].astype(np.float32) / np.float32(FULL_SCALE)
