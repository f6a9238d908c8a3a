"""Log-Mel energies as Whisper hears them."""

import torch
from torch import Tensor

__all__ = ["whisper_log_mel"]

FLOOR = 1e-10
RANGE = 8.0  # powers of ten below the loudest, beneath which everything is silence


def whisper_log_mel(windows: Tensor, filters: Tensor, size: int = 400, step: int = 160) -> Tensor:
    r"""The log-Mel spectrogram of windows of sound, each by its own loudest moment.

    Power spectra of frames of ``size`` samples under a Hann window, one every ``step``, centred there with the sound
    mirrored at both ends, through ``filters``; then with :math:`x = \log_{10} \max(\text{energy}, 10^{-10})`, in which
    whatever lies more than 8 below the window's maximum is raised to that, :math:`(x + 4) / 4`.

    Args:
        windows: ``(windows, samples)`` in [-1, 1], shorter clips with zeros behind them.
        filters: ``(frequencies, bands)``, frequencies ``size // 2 + 1``.
        size: of a frame in samples.
        step: from a frame to the next.

    Returns:
        float32 ``(windows, bands, samples // step)``.

    Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", ICML 2023; equal to the
    feature extractor of ``transformers``.

    Example:
        >>> whisper_log_mel(torch.zeros(1, 1600), torch.ones(201, 3)).unique().tolist()
        [-1.5]
    """
    window = torch.hann_window(size, device=windows.device)
    spectrum = torch.stft(windows, size, step, window=window, return_complex=True)[..., :-1]
    energies = filters.T @ (spectrum.abs() ** 2).contiguous()
    logarithm = energies.clamp(min=FLOOR).log10()
    return (torch.maximum(logarithm, logarithm.amax((1, 2), keepdim=True) - RANGE) + 4) / 4
