"""Log-Mel filterbank energies as Kaldi computes them."""

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affectspace.errors import InputError, MediaError
from affectspace.features.waveform import at_level, read_sound

__all__ = ["FLOOR", "PREEMPHASIS", "LogMel", "band_tables", "log_mel"]

VERSION = 2  # of the computation, reading included; raise it when results change, so that stored features are made anew
PREEMPHASIS = 0.97
FLOOR = torch.finfo(torch.float32).eps  # of a band's energy, for samples on the 16-bit scale
BLOCK = 256  # frames that go through the transform together: they fit the cache, and long files need no more memory


def log_mel(
    samples: Tensor | np.ndarray,
    bands: int = 40,
    sample_rate: int = 16000,
    frame_ms: float = 25.0,
    step_ms: float = 10.0,
    low_hz: float = 20.0,
    high_hz: float | None = None,
) -> Tensor:
    r"""Log-Mel filterbank energies of mono samples.

    What ``compute-fbank-feats`` of Kaldi gives without dither, for 16-bit samples: per frame the mean
    is taken away, then pre-emphasis 0.97, Povey window (a Hann window to the power 0.85), power
    spectrum of the frame padded to a power of two, triangular filters evenly spaced in
    :math:`\mathrm{mel}(f) = 1127 \ln(1 + f / 700)`, natural logarithm, floored at float32's epsilon.
    Only whole frames count (``snip-edges``). On 3,107 recordings of four corpora, 193 of 38.1 million
    energies differ from Kaldi's by more than 1e-3, at most by 0.032. They lie 18 or more below the loudest
    band of their frame, where float32 ends: against float64 Kaldi's are off in 114, these here in 134,
    either by at most 0.016. (``benchmarks/log_mel.py`` counts them again.)

    Args:
        samples: ``(samples,)`` in [-1, 1].
        bands: number of filters.
        sample_rate: of the samples, in Hz.
        frame_ms: length of a frame in milliseconds.
        step_ms: from one frame to the next, in milliseconds.
        low_hz: lower edge of the lowest filter.
        high_hz: upper edge of the highest filter; None: half the sample rate.

    Returns:
        float32 energies, shape ``(frames, bands)``, at least -15.95; ``frames`` is
        ``1 + (samples - frame) // step``.

    Raises:
        MediaError: fewer samples than one frame needs.
        InputError: settings that leave a filter without a frequency, or no frames at all.

    Source: Povey et al., "The Kaldi Speech Recognition Toolkit", 2011 (``feat/feature-fbank.cc``).

    Example:
        A second of silence is 98 frames at the floor:

        >>> energies = log_mel(torch.zeros(16000))
        >>> energies.shape, energies.unique().tolist()
        (torch.Size([98, 40]), [-15.942384719848633])
    """
    frame, step = int(sample_rate * frame_ms / 1000), int(sample_rate * step_ms / 1000)
    window, filters = _tables(bands, sample_rate, frame, step, low_hz, high_hz)
    samples = torch.as_tensor(samples, dtype=torch.float32)
    if len(samples) < frame:
        seconds, needed = len(samples) / sample_rate, frame / sample_rate
        raise MediaError(f"{seconds:.4f} s of sound are too short: one frame needs {needed:.4f} s; leave it out")
    # Taking away a frame's mean and pre-emphasis are both linear, so the pre-emphasis is done once for
    # the whole signal instead of once for every frame a sample lies in, and that once in float64. The
    # first sample of a frame, which Kaldi treats in its own way, meets a zero of the window. Without the
    # offset that some microphones add, quiet frames keep their digits in float32.
    signal = samples.double() * 32768.0
    signal -= signal.mean()
    emphasised = torch.zeros_like(samples)
    emphasised[1:] = signal[1:] - PREEMPHASIS * signal[:-1]
    means = _frame_means(signal, frame, step)
    # The same two operations as for the samples, so that a constant signal cancels to the last bit.
    means = (means - PREEMPHASIS * means).float()[:, None]
    frames = emphasised.unfold(0, frame, step)
    size = _padded(frame)
    energies = torch.empty(len(frames), bands)
    for start in range(0, len(frames), BLOCK):
        part = slice(start, start + BLOCK)
        padded = torch.zeros(len(means[part]), size)
        torch.sub(frames[part], means[part], out=padded[:, :frame]).mul_(window)
        squares = torch.view_as_real(torch.fft.rfft(padded)).square_()
        torch.matmul(squares[..., 0] + squares[..., 1], filters, out=energies[part])
    return energies.clamp_(min=FLOOR).log_()


@dataclass(frozen=True)
class LogMel:
    """The front end that makes log-Mel energies of a recording; see :func:`log_mel`.

    Args:
        bands: number of filters.
        sample_rate: to which recordings are resampled, in Hz.
        frame_ms: length of a frame in milliseconds.
        step_ms: from one frame to the next, in milliseconds.
        low_hz: lower edge of the lowest filter.
        high_hz: upper edge of the highest filter; None: half the sample rate.
        level: level in dB relative to full scale, at most 0, to which every recording is scaled first
            (its root mean square about its mean), so that loudness cannot tell classes or corpora
            apart. None: recordings stay as loud as they are.

    Raises:
        InputError: settings that no features can be made with.

    Example:
        >>> frontend = LogMel(bands=8, level=-20)
        >>> frontend.compute(np.zeros(1600)).shape
        (8, 8)
        >>> frontend.fingerprint
        'log_mel/2 bands=8 sample_rate=16000 frame_ms=25.0 step_ms=10.0 low_hz=20.0 high_hz=None level=-20.0'
    """

    bands: int = 40
    sample_rate: int = 16000
    frame_ms: float = 25.0
    step_ms: float = 10.0
    low_hz: float = 20.0
    high_hz: float | None = None
    level: float | None = None

    def __post_init__(self):
        for name in ("frame_ms", "step_ms", "low_hz", "high_hz", "level"):  # 20 and 20.0 are one setting
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(value))
        if self.level is not None and not self.level <= 0:
            raise InputError(f"level is {self.level:g} dB; full scale is 0 and speech lies below, at -20 for example")
        frame, step = (int(self.sample_rate * length / 1000) for length in (self.frame_ms, self.step_ms))
        _tables(self.bands, self.sample_rate, frame, step, self.low_hz, self.high_hz)

    @property
    def dimensions(self) -> int:
        """Numbers in a frame: one a band."""
        return self.bands

    @property
    def fingerprint(self) -> str:
        """All settings, and the version of the computation: features with one fingerprint are the same."""
        return " ".join([f"log_mel/{VERSION}", *(f"{f.name}={getattr(self, f.name)}" for f in fields(self))])

    def read(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The samples that features are made of; see :func:`~affectspace.features.waveform.read_sound`.

        Raises:
            MediaError: a file that cannot be read, or silence.
        """
        return read_sound(path, self.sample_rate, start, end)

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """Samples ``(samples,)`` in [-1, 1] to features ``(frames, bands)``."""
        sound = at_level(samples, self.level)
        return log_mel(
            sound, self.bands, self.sample_rate, self.frame_ms, self.step_ms, self.low_hz, self.high_hz
        ).numpy()

    def __call__(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """Features ``(frames, bands)`` of a file, or of its part from ``start`` to ``end`` seconds.

        Raises:
            MediaError: a file that cannot be read, or too short for one frame.
        """
        return self.compute(self.read(path, start, end))


def band_tables(frontend: LogMel) -> tuple[Tensor, Tensor]:
    """A front end's window ``(frame,)`` and its filters ``(frequencies, bands)``, for whoever computes it otherwise.

    Example:
        >>> [table.shape for table in band_tables(LogMel(bands=8))]
        [torch.Size([400]), torch.Size([257, 8])]
    """
    frame, step = (int(frontend.sample_rate * length / 1000) for length in (frontend.frame_ms, frontend.step_ms))
    return _tables(frontend.bands, frontend.sample_rate, frame, step, frontend.low_hz, frontend.high_hz)


def _frame_means(samples: Tensor, frame: int, step: int) -> Tensor:
    """Mean of every frame, from sums of the pieces that frames share."""
    piece = math.gcd(frame, step)
    sums = samples[: len(samples) // piece * piece].view(-1, piece).sum(1)
    return sums.unfold(0, frame // piece, step // piece).sum(1) / frame


def _padded(frame: int) -> int:
    return 1 << (frame - 1).bit_length()


@lru_cache(maxsize=16)
def _tables(
    bands: int, sample_rate: int, frame: int, step: int, low_hz: float, high_hz: float | None
) -> tuple[Tensor, Tensor]:
    """The window ``(frame,)`` and the filters ``(frequencies, bands)``."""
    if frame < 2 or step < 1:
        raise InputError(
            f"frames of {frame} samples every {step} at {sample_rate} Hz; a frame needs at least 2 and a step 1, "
            "so raise frame_ms or step_ms"
        )
    top = sample_rate / 2 if high_hz is None else high_hz
    if bands < 1 or not 0 <= low_hz < top <= sample_rate / 2:
        raise InputError(
            f"{bands} bands from {low_hz:g} to {top:g} Hz; at least one must lie within 0 to {sample_rate / 2:g} Hz"
        )
    window = (0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(frame, dtype=torch.float64) / (frame - 1))) ** 0.85
    size = _padded(frame)
    mel = 1127.0 * torch.log1p(torch.arange(size // 2 + 1, dtype=torch.float64) * sample_rate / size / 700.0)
    low_mel, high_mel = (1127.0 * math.log1p(hz / 700.0) for hz in (low_hz, top))
    edges = torch.linspace(low_mel, high_mel, bands + 2, dtype=torch.float64)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (mel[:, None] - left) / (centre - left), (right - mel[:, None]) / (right - centre)
    filters = torch.minimum(rising, falling).clamp(min=0)
    filters[-1] = 0  # Kaldi leaves the Nyquist frequency out
    empty = torch.nonzero(filters.sum(0) == 0)
    if len(empty):
        raise InputError(
            f"band {empty[0].item() + 1} of {bands} lies between two frequencies of a {frame}-sample frame; "
            "use fewer bands or longer frames"
        )
    return window.float(), filters.float()
