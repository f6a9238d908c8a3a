"""The mean and standard deviation over the frames of a clip, where some frames count more than others."""

import torch
from torch import Tensor, nn

from affectspace.encoders.layers import check_sizes

__all__ = ["AttentiveStatistics"]

EPS = 1e-5  # added to the variance: a root has no slope at 0, which is the variance of a single frame


class AttentiveStatistics(nn.Module):
    r"""Attentive statistics pooling: frames are weighed by a small net that looks at each of them.

    .. math::
        e_t = v^\top \tanh(W h_t + b), \qquad
        \alpha_t = \frac{\exp e_t}{\sum_{s} \exp e_s}

        \mu = \sum_t \alpha_t h_t, \qquad
        \sigma = \sqrt{\sum_t \alpha_t \, (h_t - \mu)^2 + \epsilon}

    Sums are over the frames of the clip, so that padding has no part in them, whatever it holds. The constant that is
    added to each :math:`e_t` in the paper changes no weight and is left out; :math:`\epsilon = 10^{-5}`. In float32,
    or what is wider, under autocast too.

    Args:
        dimensions: of a frame.
        hidden: units of the net that weighs.

    Shape:
        frames ``(items, frames, dimensions)``, inside ``(items, frames)`` bool, of which each item must have one, to
        ``(items, 2 * dimensions)``: means, then deviations.

    Raises:
        ValueError: a size below 1.

    Source: Okabe, Koshinaka & Shinoda, "Attentive Statistics Pooling for Deep Speaker Embedding", Interspeech 2018.

    Example:
        Without weights it is the plain mean and deviation; the last frame is padding:

        >>> pooling = AttentiveStatistics(1, hidden=2)
        >>> _ = nn.init.zeros_(pooling.score.weight)
        >>> frames = torch.tensor([[[1.0], [3.0], [9.0]]])
        >>> pooling(frames, torch.tensor([[True, True, False]])).round(decimals=3)
        tensor([[2., 1.]], grad_fn=<RoundBackward1>)
    """

    def __init__(self, dimensions: int, hidden: int = 64):
        super().__init__()
        check_sizes(dimensions=dimensions, hidden=hidden)
        self.hidden = nn.Linear(dimensions, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, frames: Tensor, inside: Tensor) -> Tensor:
        with torch.autocast(frames.device.type, enabled=False):
            frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
            frames = frames.masked_fill(~inside[..., None], 0)  # 0 times NaN would be NaN
            scores = self.score(self.hidden(frames).tanh()).masked_fill(~inside[..., None], float("-inf"))
            weights = scores.softmax(1).transpose(1, 2)
            mean = weights @ frames
            deviation = (weights @ (frames - mean).square() + EPS).sqrt()
            return torch.cat([mean, deviation], -1).squeeze(1)
