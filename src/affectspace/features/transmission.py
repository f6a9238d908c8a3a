"""What lies between a voice and its recording: a room that reverberates, and a channel that colours."""

import math

import numpy as np

__all__ = ["COSINES", "channel_gain", "impulse_response", "transmitted"]

COSINES = 3  # of which the curve of a channel is made
GRID = 257  # frequencies at which a channel is computed, those of a frame of 512 samples; between them it is a line
RINGING = 0.05  # seconds in which the response of the steepest channel has died away


def impulse_response(seconds: float, direct: float, noise: np.ndarray, sample_rate: int = 16000) -> np.ndarray:
    r"""The response of a synthetic room: the direct sound, then noise that dies away.

    .. math:: h_0 = 1, \qquad h_t = g \, n_t \, 10^{-3 t / (T r)} \quad (t \ge 1)

    The amplitude falls by 60 dB in :math:`T` seconds (the reverberation time RT60) at :math:`r` samples a second, and
    :math:`g` is such that the direct sound has the energy of all the rest times :math:`10^{d / 10}`. What a room
    does to its first echoes, and that it swallows high frequencies first, is left out.

    Args:
        seconds: reverberation time.
        direct: ratio of the direct sound to all that follows, in dB.
        noise: ``(samples,)`` white, of which as much is used as the time is long; what there is less of is cut off.
        sample_rate: in Hz.

    Returns:
        float32 ``(1 + samples,)``.

    Source: Polack, "La transmission de l'énergie sonore dans les salles", Université du Maine, 1988.

    Example:
        >>> response = impulse_response(0.5, 6.0, np.random.default_rng(0).standard_normal(8000))
        >>> round(float(10 * np.log10(response[0] ** 2 / (response[1:] ** 2).sum())), 3)
        6.0
    """
    steps = np.arange(1, min(len(noise), round(seconds * sample_rate)) + 1, dtype=np.float32)
    tail = noise[: len(steps)] * np.exp(np.float32(-3 * math.log(10) / (seconds * sample_rate)) * steps)
    energy = float(tail @ tail)
    scale = math.sqrt(10 ** (-direct / 10) / energy) if energy > 0 else 0.0
    return np.concatenate([[1.0], scale * tail]).astype(np.float32)


def channel_gain(weights: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    r"""The gain of a channel in dB: a smooth curve over frequency, as microphones and telephones have one.

    .. math:: G(f) = \frac{1}{K} \sum_{k=1}^{K} w_k \cos(\pi k x), \qquad
        x = \frac{\mathrm{mel}(f)}{\mathrm{mel}(f_{max})}, \quad \mathrm{mel}(f) = \ln(1 + f / 700)

    The first cosine tilts the spectrum, the second lifts or lowers its middle, further ones are ripples.

    Args:
        weights: ``(K,)`` in dB; the gain is nowhere more than their largest.
        frequencies: ``(frequencies,)`` in Hz, rising; the last is :math:`f_{max}`.

    Example:
        >>> channel_gain(np.array([12.0, 0, 0]), np.array([0.0, 1000, 8000])).round(1).tolist()
        [4.0, 1.8, -4.0]
    """
    mel = np.log1p(frequencies / 700)
    x = mel / mel[-1]
    return weights @ np.cos(np.pi * np.outer(np.arange(1, len(weights) + 1), x)) / len(weights)


def transmitted(
    samples: np.ndarray, response: np.ndarray | None, weights: np.ndarray | None, sample_rate: int = 16000
) -> np.ndarray:
    """Samples as a room and a channel pass them on, as long and as loud as before.

    Both are done in one transform. The channel shifts no frequency in time; the room leaves the direct sound where it
    was, and what would be heard after the end is cut off. Loudness is the root mean square about the mean; the mean,
    which no room would pass on, takes no part. What has no loudness comes back as it is.

    Args:
        samples: float32 ``(samples,)``.
        response: ``(any,)`` of the room, as :func:`impulse_response` makes it; None: no room.
        weights: of the channel, as :func:`channel_gain` takes them; None: no channel.
        sample_rate: in Hz.

    Returns:
        float32 ``(samples,)``.

    Example:
        >>> clip = np.sin(np.arange(1600.0), dtype=np.float32)
        >>> bool(np.allclose(transmitted(clip, np.array([0, 1.0]), None)[1:800], clip[:799], atol=1e-2))
        True
    """
    mean = samples.mean(dtype=np.float64)
    longest = max(0 if response is None else len(response), round(RINGING * sample_rate))
    from scipy.fft import next_fast_len  # which answering for a file, without augmentation, has no use for

    size = next_fast_len(len(samples) + longest, real=True)
    spectrum = np.fft.rfft(samples - np.float32(mean), size)
    if response is not None:
        spectrum *= np.fft.rfft(response, size)
    if weights is not None:
        gain = 10 ** (channel_gain(weights, np.linspace(0, sample_rate / 2, GRID)) / 20)
        spectrum *= np.interp(np.linspace(0, GRID - 1, len(spectrum)), np.arange(GRID), gain).astype(np.float32)
    heard = np.fft.irfft(spectrum, size)[: len(samples)]
    before, after = (float(np.std(each, dtype=np.float64)) for each in (samples, heard))
    if not (before > 0 and after > 0):
        return samples
    return (heard * np.float32(before / after) + np.float32(mean)).astype(np.float32, copy=False)
