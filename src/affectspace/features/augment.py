"""Changes to a recording that leave its emotion as it is, drawn anew for every hearing."""

import math
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import soxr

from affectspace.errors import InputError
from affectspace.features.transmission import COSINES, impulse_response, transmitted

__all__ = ["Augmentation", "Masks", "generator"]

NOISE_SAMPLES = 1 << 20  # of which every noise is a part: 65 s at 16 kHz, made once
INAUDIBLE = 1 / 800  # of the sample rate: below 20 Hz at 16 kHz, where pink noise would have most of its power
DIRECT = (0.0, 10.0)  # dB, ratio of the direct sound to its reverberation: one to three metres from a speaker
MASKED_SHARE = 0.5  # of a clip's frames, at most, by all its time masks together


@dataclass(frozen=True)
class Augmentation:
    r"""Changes to samples: speed, reverberation, channel, noise, level; in this order.

    Args:
        speed: range of the factor by which a clip becomes faster; tempo and pitch move together, as on a tape
            (Ko et al. 2015 take 0.9, 1.0 and 1.1). Drawn in hundredths: ratios of small numbers resample twice as
            fast. A clip that would be left with fewer than ``shortest`` samples keeps its speed.
        level: the level changes by up to so many dB either way.
        noise: range of the ratio, in dB, of the clip's root mean square about its mean to that of the noise
            that is added. The noise lies between white and pink: its colour, the share of pink, is drawn too.
        shortest: samples that a frame needs.
        reverberation: range of the time, in seconds, in which the sound of a room falls by 60 dB. The room is
            synthetic, see :func:`~affectspace.features.transmission.impulse_response`; its ratio of direct sound to
            reverberation lies between 0 and 10 dB. Level and length are kept, what is heard after the end is not.
        channel: each of the three cosines over frequency that make the gain of a channel has up to so many dB
            either way, see :func:`~affectspace.features.transmission.channel_gain`. The level is kept.
        sample_rate: in Hz, for reverberation and channel.

    Raises:
        InputError: a range that is none, or one that no recording would bear.

    Source: Ko, Peddinti, Povey & Khudanpur, "Audio Augmentation for Speech Recognition", Interspeech 2015; for
    synthetic rooms Ko, Peddinti, Povey, Seltzer & Khudanpur, "A Study on Data Augmentation of Reverberant Speech for
    Robust Speech Recognition", ICASSP 2017.

    Example:
        >>> samples = np.sin(np.arange(16000.0), dtype=np.float32)
        >>> faster = Augmentation(speed=(1.25, 1.25))(samples, generator(0))
        >>> len(faster) / len(samples)
        0.8
    """

    speed: tuple[float, float] | None = None
    level: float | None = None
    noise: tuple[float, float] | None = None
    shortest: int = 400
    reverberation: tuple[float, float] | None = None
    channel: float | None = None
    sample_rate: int = 16000

    def __post_init__(self):
        for name, least, most in (("speed", 0.5, 2.0), ("noise", -20.0, 100.0), ("reverberation", 0.05, 3.0)):
            found = getattr(self, name)
            if found is not None and not (len(found) == 2 and least <= found[0] <= found[1] <= most):
                raise InputError(f"{name} is {list(found)}; give [lowest, highest] within {least:g} to {most:g}")
        if self.speed is not None and not len(_hundredths(self.speed)):
            raise InputError(f"speed is {list(self.speed)}; there is no hundredth in that range, such as 0.95")
        for name in ("level", "channel"):
            found = getattr(self, name)
            if found is not None and not 0 < found <= 40:
                raise InputError(f"{name} is {found:g} dB; give the largest change, above 0 and up to 40")

    def __call__(self, samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """float32 samples ``(samples,)`` as they might have been recorded; finite, but not held to [-1, 1]."""
        # All are drawn whatever is on, so that adding noise to a recipe leaves its speeds as they are.
        faster, louder, cleaner, pinker, place = random.random(5)
        if self.speed is not None:
            factors = _hundredths(self.speed)
            percent = factors[int(faster * len(factors))]
            if percent != 100 and 100 * len(samples) / percent >= self.shortest + 1:
                samples = soxr.resample(samples, percent, 100, quality="HQ")
        if self.reverberation is not None or self.channel is not None:
            # Of streams of their own, so that neither of them moves what is drawn here next: masks.
            rooms, channels = random.spawn(2)
            samples = transmitted(samples, self._response(rooms), self._weights(channels), self.sample_rate)
        if self.noise is not None:
            noise = _noise(len(samples), pinker, place)
            ratio = 10 ** (-_between(self.noise, cleaner) / 20)
            samples = samples + np.float32(ratio * _spread(samples) / _spread(noise)) * noise
        if self.level is not None:
            samples = samples * np.float32(10 ** (_between((-self.level, self.level), louder) / 20))
        return samples

    def _response(self, random: np.random.Generator) -> np.ndarray | None:
        if self.reverberation is None:
            return None
        longer, nearer, place = random.random(3)
        seconds = _between(self.reverberation, longer)
        noise = _noise(round(seconds * self.sample_rate), 0.0, place)
        return impulse_response(seconds, _between(DIRECT, nearer), noise, self.sample_rate)

    def _weights(self, random: np.random.Generator) -> np.ndarray | None:
        return None if self.channel is None else self.channel * random.uniform(-1, 1, COSINES)


@dataclass(frozen=True)
class Masks:
    """SpecAugment's masks: stretches of time and of bands set to 0, the mean of normalised features.

    A mask is from 0 to ``time_width`` frames or ``band_width`` bands wide, and lies anywhere within the clip. All
    time masks together cover at most half of a clip's frames: in a short clip each is at most its part of that.
    Features are not warped in time: Park et al. found little in it, and speed does it better.

    Args:
        time_masks: how many stretches of time.
        time_width: the most frames of one.
        band_masks: how many stretches of bands.
        band_width: the most bands of one.

    Source: Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
    Interspeech 2019.

    Example:
        >>> masked = Masks(time_masks=1, time_width=3)(np.ones((10, 2), np.float32), generator(1))
        >>> bool((masked == 0).all(1).sum() <= 3)
        True
    """

    time_masks: int = 0
    time_width: int = 0
    band_masks: int = 0
    band_width: int = 0

    def __call__(self, values: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Normalised features ``(frames, bands)`` with masks; ``values`` itself stays as it is.

        Raises:
            InputError: band masks that could cover every band.
        """
        frames, bands = values.shape
        if self.band_masks * self.band_width >= bands:
            raise InputError(
                f"{self.band_masks} masks of up to {self.band_width} bands could cover all {bands}; "
                "lower band_masks or band_width"
            )
        values = values.copy()
        longest = min(self.time_width, int(MASKED_SHARE * frames) // max(1, self.time_masks))
        for first, last in _stretches(random, self.time_masks, longest, frames):
            values[first:last] = 0
        for first, last in _stretches(random, self.band_masks, self.band_width, bands):
            values[:, first:last] = 0
        return values


def generator(*names: int | str) -> np.random.Generator:
    """A source of random numbers that follows from names alone.

    Example:
        >>> generator(0, 3, "anchor", "emodb/03a01Fa").random() == generator(0, 3, "anchor", "emodb/03a01Fa").random()
        True
    """
    told = blake2b("\n".join(map(str, names)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(told, "little")))


def _between(ends: tuple[float, float], where: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * where


def _spread(samples: np.ndarray) -> float:
    """Root mean square about the mean."""
    centred = samples - samples.mean()
    return math.sqrt(float(centred @ centred) / len(centred))


def _hundredths(ends: tuple[float, float]) -> range:
    """The whole percents from the lower to the upper end."""
    return range(math.ceil(round(100 * ends[0], 6)), math.floor(round(100 * ends[1], 6)) + 1)


def _stretches(random: np.random.Generator, count: int, longest: int, size: int) -> list[tuple[int, int]]:
    """Where each mask begins and ends: a width from 0 to ``longest``, then a place."""
    drawn = random.random((count, 2))
    widths = (drawn[:, 0] * (longest + 1)).astype(int)
    starts = (drawn[:, 1] * (size - widths + 1)).astype(int)
    return list(zip(starts.tolist(), (starts + widths).tolist()))


def _noise(samples: int, pinker: float, place: float) -> np.ndarray:
    """A part of the long noises, ``pinker`` of it pink; parts of different clips overlap, at different colours."""
    white, pink = _long_noises()
    start = int(place * NOISE_SAMPLES)
    if start + samples <= NOISE_SAMPLES:
        part = slice(start, start + samples)
        return np.float32(1 - pinker) * white[part] + np.float32(pinker) * pink[part]
    part = np.arange(start, start + samples) % NOISE_SAMPLES  # periodic, so the seam is none
    return np.float32(1 - pinker) * white[part] + np.float32(pinker) * pink[part]


@lru_cache(maxsize=1)
def _long_noises() -> tuple[np.ndarray, np.ndarray]:
    """White and pink noise of unit power, periodic, with nothing that cannot be heard.

    Drawn in full and transformed once, they cost a clip a tenth of what its own noise would.
    """
    random = np.random.Generator(np.random.PCG64(0))
    made = []
    for exponent in (0.0, -0.5):  # of the amplitude by frequency: pink power falls with its inverse
        spectrum = random.standard_normal(NOISE_SAMPLES // 2 + 1) + 1j * random.standard_normal(NOISE_SAMPLES // 2 + 1)
        spectrum[: int(INAUDIBLE * NOISE_SAMPLES)] = 0
        spectrum[1:] *= np.arange(1.0, len(spectrum)) ** exponent
        noise = np.fft.irfft(spectrum, NOISE_SAMPLES)
        made.append((noise / noise.std()).astype(np.float32))
    return made[0], made[1]
