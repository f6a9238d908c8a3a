"""Rooms and microphones in which invented speakers are recorded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin2, lfilter

__all__ = ["SAMPLE_RATE", "Channel", "make_channel"]

SAMPLE_RATE = 16000


@dataclass(frozen=True)
class Channel:
    """A room and a microphone: level in dBFS, colour as a filter, background noise in dBFS."""

    level: float
    colour: NDArray[np.float64]
    noise: float

    def record(self, speech: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
        """What the microphone gives: samples in [-1, 1], with a little silence before and behind the speech."""
        before, after = (generator.integers(int(0.05 * SAMPLE_RATE), int(0.15 * SAMPLE_RATE)) for _ in range(2))
        padded = np.pad(speech, (before, after)) * 10 ** (self.level / 20)
        hum = np.asarray(lfilter([0.3], [1, -0.7], generator.standard_normal(len(padded)))) * 10 ** (self.noise / 20)
        heard = np.asarray(lfilter(self.colour, 1, padded)) + hum
        return heard * min(1.0, 0.98 / np.abs(heard).max())


def make_channel(generator: np.random.Generator) -> Channel:
    """Any of the usual ones."""
    level = generator.uniform(-31, -25)
    frequencies = [0, 80, 300, 1000, 2500, 5000, 8000]
    gains = 10 ** (np.concatenate([[-30, -10], generator.uniform(-4, 4, 5)]) / 20)
    colour = firwin2(129, frequencies, gains, fs=SAMPLE_RATE)
    return Channel(level, np.asarray(colour, dtype=float), level - generator.uniform(28, 40))
