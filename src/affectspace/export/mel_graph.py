"""Log-Mel energies of a batch of recordings, of operations that every runtime of graphs has."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectspace.features import LogMel
from affectspace.features.log_mel import FLOOR, PREEMPHASIS, band_tables

__all__ = ["MelGraph"]

FULL_SCALE = 32768.0  # 16-bit steps to full scale


class MelGraph(nn.Module):
    r"""What :meth:`LogMel.compute` gives, of many recordings side by side and without a Fourier transform's operator.

    The transform of a frame of :math:`N = N_1 N_2` samples is two products with matrices (Cooley & Tukey 1965), as
    runtimes multiply matrices far faster than they do anything else: with :math:`n = n_1 + N_1 n_2` and
    :math:`k = k_2 + N_2 k_1`

    .. math:: X_k = \sum_{n_1} e^{-2 \pi i n_1 k_1 / N_1} \Bigl( \sum_{n_2} w_n x_n \,
        e^{-2 \pi i (n_2 k_2 / N_2 + n_1 k_2 / N)} \Bigr)

    The inner matrices, one for each :math:`n_1`, hold the window as well. Samples are real, so
    :math:`0 \le k_2 \le N_2 / 2` tells all powers.

    Everything is float32. Pre-emphasis is written :math:`(x_t - x_{t-1}) + 0.03\,(x_{t-1} - m)`, of which every part is
    rounded in its own last digit; :math:`0.97\,x_{t-1}` would be rounded in that of :math:`x`, which is tens of times
    coarser, and features compute it in float64. :math:`m`, the mean of the first frame, takes away the offset that some
    microphones add. A frame's mean is one more row of the inner matrices. A level moves energies, not samples.

    Args:
        frontend: whose settings it has.

    Shape:
        samples ``(items, samples)`` in [-1, 1], lengths ``(items,)`` true numbers of samples, each at least one frame:
        energies ``(items, frames, bands)`` and true numbers of frames ``(items,)``. What stands behind the end of a
        recording has no part in its own frames; those behind them hold anything.

    Example:
        >>> frontend = LogMel(bands=8)
        >>> noise = torch.randn(2, 1600, generator=torch.Generator().manual_seed(0)) / 10
        >>> energies, frames = MelGraph(frontend)(noise, torch.tensor([1600, 800]))
        >>> energies.shape, frames
        (torch.Size([2, 8, 8]), tensor([8, 3]))
        >>> bool((energies[1, :3] - torch.from_numpy(frontend.compute(noise[1, :800].numpy()))).abs().max() < 1e-4)
        True
    """

    first: Tensor
    real: Tensor
    imaginary: Tensor
    filters: Tensor

    def __init__(self, frontend: LogMel):
        super().__init__()
        self.frame = int(frontend.sample_rate * frontend.frame_ms / 1000)
        self.step = int(frontend.sample_rate * frontend.step_ms / 1000)
        self.piece, self.level = math.gcd(self.frame, self.step), frontend.level
        window, filters = band_tables(frontend)
        size = 2 * (len(filters) - 1)
        self.inner = 1 << ((size.bit_length() - 1) // 2)  # N1: about the root of the size, a power of two
        outer = size // self.inner
        self.rows, self.columns = -(-self.frame // self.inner), outer // 2 + 1
        n1, n2, k2 = (torch.arange(count, dtype=torch.float64) for count in (self.inner, self.rows, self.columns))
        weighed = torch.zeros(self.rows * self.inner, dtype=torch.float64)
        weighed[: self.frame] = window.double() * FULL_SCALE
        turned = -2 * math.pi * ((n2[:, None] * k2 * self.inner + n1[:, None, None] * k2) % size) / size
        both = torch.stack([turned.cos(), turned.sin()], -1) * weighed.view(self.rows, self.inner).t()[..., None, None]
        both = torch.cat([both, -both.sum(1, keepdim=True)], 1)  # the last row takes the frame's mean from its samples
        self.register_buffer("first", both.flatten(2).float())
        turned = -2 * math.pi * ((n1[:, None] * n1) % self.inner) / self.inner
        cosine, sine = turned.cos(), turned.sin()
        self.register_buffer("real", torch.stack([cosine, -sine], 1).flatten(0, 1).float())
        self.register_buffer("imaginary", torch.stack([sine, cosine], 1).flatten(0, 1).float())
        self.register_buffer("filters", _placed(filters, outer, self.columns, self.inner))

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        frames = 1 + (samples.shape[1] - self.frame) // self.step
        samples = samples - samples[:, : self.frame].mean(1, keepdim=True)
        if self.level is not None:  # else what stands behind the end has no part in anything before it
            inside = torch.arange(samples.shape[1], device=samples.device) < lengths[:, None]
            samples = samples.masked_fill(~inside, 0)
        pieces = self._pieces(samples)
        sums = pieces.sum(2)
        before = functional.pad(samples, (1, 0))[:, :-1]
        # The first sample of a frame, which Kaldi treats in its own way, meets a zero of the window.
        emphasised = (samples - before) + (1 - PREEMPHASIS) * before
        means = (1 - PREEMPHASIS) * self._means(sums, frames)
        whole = torch.cat([*self._framed(emphasised, frames), means.expand(-1, -1, self._spare)], 2)
        parts = whole.view(-1, self.rows + 1, self.inner).permute(2, 0, 1) @ self.first
        parts = parts.view(self.inner, -1, self.columns, 2).permute(1, 2, 0, 3)
        parts = parts.reshape(-1, self.columns, 2 * self.inner)
        real, imaginary = parts @ self.real, parts @ self.imaginary
        powers = (real * real + imaginary * imaginary).view(-1, frames, self.columns * self.inner)
        energies = powers @ self.filters
        if self.level is not None:
            energies = energies * self._gain(pieces, sums, lengths)[..., None]
        return energies.clamp(min=FLOOR).log(), 1 + (lengths - self.frame) // self.step

    def _pieces(self, samples: Tensor) -> Tensor:
        """``(items, pieces, samples)``: the parts that frames and steps share; the last one ends in zeros."""
        count = samples.shape[1] // self.piece + 1
        return functional.pad(samples, (0, self.piece)).narrow(1, 0, count * self.piece).view(-1, count, self.piece)

    def _means(self, sums: Tensor, frames: int) -> Tensor:
        """``(items, frames, 1)``, the mean of each frame, from the sums of its pieces."""
        across, apart = self.frame // self.piece, self.step // self.piece
        reached = sums.narrow(1, 0, apart * (frames - 1) + across)[:, None]
        return functional.avg_pool1d(reached, across, apart)[:, 0, :, None] / self.piece

    @property
    def _spare(self) -> int:
        """Places behind a frame's samples: the rest of its last row, and the row of its mean."""
        return (self.rows + 1) * self.inner - self.frame

    def _framed(self, samples: Tensor, frames: int) -> list[Tensor]:
        """Of every frame the samples of each step that it reaches over, ``(items, frames, samples)``: nothing overlaps.

        Cut where a frame begins, or for the last ones where it ends, so that nothing is read behind the last frame.
        """
        whole, rest = divmod(self.frame, self.step)
        starts = [step * self.step for step in range(whole)] + ([self.frame - self.step] if rest else [])
        parts = [samples.narrow(1, start, self.step * frames).view(-1, frames, self.step) for start in starts]
        return [*parts[:-1], parts[-1][:, :, -rest:]] if rest else parts

    def _gain(self, pieces: Tensor, sums: Tensor, lengths: Tensor) -> Tensor:
        """``(items, 1)`` by what powers grow when a recording is brought to the level; silence stays as it is.

        Runtimes add up float32 one by one, which over seconds of sound loses two digits, and over a piece does not.
        """
        squares = (pieces * pieces).sum(2)
        mean, square = (part.double().sum(1, keepdim=True) / lengths[:, None] for part in (sums, squares))
        variance = (square - mean.square()).float()
        assert self.level is not None, "asked before"
        return torch.where(variance > 0, 10 ** (self.level / 10) / variance, 1.0)


def _placed(filters: Tensor, outer: int, half: int, inner: int) -> Tensor:
    """Filters ``(frequencies, bands)`` as the two products leave frequencies, of which some come twice."""
    size, placed, seen = outer * inner, filters.new_zeros(half, inner, filters.shape[1]), set()
    for k2 in range(half):
        for k1 in range(inner):
            frequency = k2 + outer * k1
            frequency = min(frequency, size - frequency)  # the other half has the same powers
            if frequency not in seen:
                seen.add(frequency)
                placed[k2, k1] = filters[frequency]
    return placed.flatten(0, 1)
