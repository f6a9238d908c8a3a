"""What copies of a recording share, whatever their level, coding and edges: fingerprints to find them again by."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectspace.features.log_mel import LogMel, log_mel
from affectspace.features.waveform import read_sound

__all__ = ["FRAMES_PER_SECOND", "AudioFingerprint", "changes"]

VERSION = 1  # of what is done here around the log-Mel energies; raise it when results change
FRONTEND = LogMel(bands=16, frame_ms=32.0, step_ms=8.0, low_hz=250.0, high_hz=3500.0)
FRAMES_PER_SECOND = 125
STEPS = 4  # to a decibel
LOUD = 12  # frames: the loudest, about a tenth of a second, so that a click does not drown the rest
KEPT = 40  # decibels below them that are kept
COMPARED = 22  # and that are compared: what lies deeper is noise before it is voice
SHORTEST = 0.5  # seconds of a recording
LEAST_SOUND = 0.2  # seconds of it
LEAST_CHANGE = 0.5  # root mean square in decibels; speech of four corpora lies from 1.2 to 4.6, a steady tone at 0


@dataclass(frozen=True)
class AudioFingerprint:
    """The front end that makes fingerprints of recordings: a copy has nearly the same one, another take has not.

    A frame is 16 log-Mel energies from 250 to 3500 Hz, of 32 ms, every 8 ms, in quarters of a decibel from 40 dB below
    the loud ones of the recording, which its 12 loudest frames reach, to these: 2 kB a second. Level, a hum, and
    whatever a telephone or a low sample rate takes away have no part in it. What is compared are its :func:`changes`.

    Silence cannot be read (:class:`~affectspace.errors.MediaError`). What is shorter than half a second, or has less
    than a fifth of one within 22 dB of its loud energies, or does not change, such as a tone, has a single frame of
    zeros, which is no fingerprint.

    The energies are those of :func:`~affectspace.features.log_mel`, at 16 kHz, so that a recording has the hash of
    samples that features of its sound give it.

    Source: the differences that are compared, along time of those along frequency, are those whose signs Haitsma &
    Kalker take, "A Highly Robust Audio Fingerprinting System", ISMIR 2002; here they keep their size.

    Example:
        >>> noise = np.random.default_rng(0).uniform(-1, 1, 16000)
        >>> prints = [AudioFingerprint().compute(level * noise) for level in (1.0, 0.1)]
        >>> prints[0].shape, prints[0].dtype, bool((prints[0] == prints[1]).all())
        ((122, 16), dtype('uint8'), True)
        >>> AudioFingerprint().compute(np.sin(np.arange(16000.0))).shape
        (1, 16)
    """

    @property
    def dimensions(self) -> int:
        """Energies in a frame."""
        return FRONTEND.bands

    @property
    def fingerprint(self) -> str:
        """All settings, and the versions of the computation."""
        return f"audio_fingerprint/{VERSION} steps={STEPS} kept={KEPT} of {FRONTEND.fingerprint}"

    def read(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The samples of a recording; see :func:`~affectspace.features.waveform.read_sound`."""
        return read_sound(path, FRONTEND.sample_rate, start, end)

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """Samples ``(samples,)`` in [-1, 1] to uint8 ``(frames, 16)``; one frame of zeros where there is too little."""
        nothing = np.zeros((1, FRONTEND.bands), np.uint8)
        if len(samples) < SHORTEST * FRONTEND.sample_rate:
            return nothing
        settings = (FRONTEND.bands, FRONTEND.sample_rate, FRONTEND.frame_ms, FRONTEND.step_ms)
        energies = log_mel(samples, *settings, FRONTEND.low_hz, FRONTEND.high_hz).numpy()
        decibels = (energies - _loud(energies)) * (10 / math.log(10))
        kept = np.rint((decibels + KEPT).clip(0, KEPT) * STEPS).astype(np.uint8)
        if _sounding(kept).sum() < LEAST_SOUND * FRAMES_PER_SECOND:
            return nothing
        return kept if np.sqrt(np.mean(changes(kept)[:, _sounding(kept)[2:]] ** 2)) >= LEAST_CHANGE else nothing


def changes(kept: np.ndarray) -> np.ndarray:
    """How the differences between neighbouring bands change over 16 ms: what is compared of two fingerprints.

    Args:
        kept: ``(frames, bands)`` of a fingerprint, or a part of one, three frames at least.

    Returns:
        float32 ``(bands - 1, frames - 2)``, decibels; energies count from 22 dB below the loud ones here up to these.
    """
    energies = _compared(kept).T
    slopes = energies[1:] - energies[:-1]
    return np.ascontiguousarray(slopes[:, 2:] - slopes[:, :-2])


def _sounding(kept: np.ndarray) -> np.ndarray:
    """bool ``(frames,)`` where any energy lies less than 22 dB below the loud ones here."""
    return _compared(kept).max(axis=1) > 0


def _compared(kept: np.ndarray) -> np.ndarray:
    """Decibels above the floor of what is compared, 0 to 22."""
    return ((kept - _loud(kept)) / np.float32(STEPS) + COMPARED).clip(0, COMPARED)


def _loud(energies: np.ndarray) -> np.float32:
    """What the loudest frames reach, the most of them that is a tenth of a second."""
    most = energies.max(axis=1)
    return np.float32(np.partition(most, -LOUD)[-LOUD] if len(most) > LOUD else most.min())
