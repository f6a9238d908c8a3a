"""A convolution over time of which only the maximum is kept: nothing is paid for frames that do not matter."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["pooled_convolution"]

PACKED = 4096  # frames that are convolved at a time: their results stay in the cache until the maximum is taken
TOGETHER = 8  # items whose winning windows are copied at a time


def pooled_convolution(values: Tensor, lengths: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""The largest answer of each kernel to any window of a clip.

    .. math:: p_{nc} = \max_{0 \le t \le T_n - k} \; b_c + \langle W_c, x_{n,\,t..t+k-1} \rangle

    Only windows inside the clip count, so that padding never changes a result, whatever it holds. A
    clip shorter than the kernel is seen once, with zeros after its end. NaN inside a clip makes its
    maxima NaN. Of windows that tie, one wins and gets the whole gradient.

    **Why it is fast.** On a CPU the clips are laid end to end without their padding, in the layout in
    which a convolution runs near the speed of the machine. The gradient of a maximum reaches one
    window per clip and kernel: backward gathers those, hundreds of times less work than to convolve.

    **Low precision.** Under autocast the winning windows are found in its type, then their values are
    computed in the weights' own: what comes out is the exact answer to windows whose answers lie
    within the rounding of the largest.

    Args:
        values: clips, padded, ``(items, frames, bands)``, in the weights' type but for autocast.
        lengths: true numbers of frames, ``(items,)``.
        weight: ``(channels, bands, kernel)``, as in ``nn.Conv1d``.
        bias: ``(channels,)``.

    Returns:
        Maxima, ``(items, channels)``, in the weights' type. Differentiable by values, weight and bias,
        on a CPU twice; repeatable to the bit on a CPU. In another batch a clip's maxima
        may differ in their last bits, as sums are then taken in another order.

    Example:
        A kernel that sums two frames; the last three frames are padding:

        >>> clip = torch.tensor([1.0, 2.0, 0.0, 9.0, 9.0, 9.0]).reshape(1, 6, 1)
        >>> pooled_convolution(clip, torch.tensor([3]), torch.ones(1, 1, 2), torch.zeros(1))
        tensor([[3.]])
    """
    device = values.device.type
    search = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    with torch.autocast(device, enabled=False):
        readable = _zeros_after_the_end(values.to(weight.dtype), lengths.to(values.device), weight.shape[-1])
        return _PooledConvolution.apply(readable, lengths.to(values.device), weight, bias, search)


def _zeros_after_the_end(values: Tensor, lengths: Tensor, kernel: int) -> Tensor:
    """At least one window of frames; where a window may reach beyond the end of its clip, it finds zeros."""
    if values.shape[1] < kernel:
        values = functional.pad(values, (0, 0, 0, kernel - values.shape[1]))
    # Only clips shorter than the kernel are read beyond their end; to look for them is dear on a GPU.
    if values.device.type == "cpu" and bool((lengths >= kernel).all()):
        return values
    after = torch.arange(values.shape[1], device=values.device) >= lengths[:, None]
    return values.masked_fill(after[..., None], 0)


class _PooledConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, lengths: Tensor, weight: Tensor, bias: Tensor, search: torch.dtype) -> Tensor:
        find = _winners_packed if values.device.type == "cpu" else _winners_padded
        pooled, winners = find(values, lengths, weight.to(search), bias.to(search))
        ctx.save_for_backward(values, weight, winners)
        return pooled if search == weight.dtype else _answers(values, winners, weight, bias)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, winners = ctx.saved_tensors
        by_weight_of = _gradient_by_weight_in_place if values.device.type == "cpu" else _gradient_by_weight_of_copies
        with torch.autocast(values.device.type, enabled=False):
            by_values, _, by_weight, by_bias, _ = ctx.needs_input_grad
            return (
                _gradient_by_values(gradient, values, winners, weight) if by_values else None,
                None,
                by_weight_of(gradient, values, winners, weight) if by_weight else None,
                gradient.sum(0) if by_bias else None,
                None,
            )


def _winners_packed(values: Tensor, lengths: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima and where each won, ``(items, channels)``; work by true lengths, clips end to end."""
    channels, bands, kernel = weight.shape
    weight = weight[:, :, None].contiguous(memory_format=torch.channels_last)
    pooled = weight.new_empty(len(values), channels)
    winners = torch.empty(len(values), channels, dtype=torch.long)
    extents = lengths.clamp(kernel, values.shape[1]).tolist()
    for rows in _groups(extents):
        packed = torch.cat([values[row, : extents[row]] for row in rows]).to(weight.dtype)
        # One line of an image whose channels come last: oneDNN does it twice as fast as a conv1d.
        answers = functional.conv2d(packed.view(1, 1, -1, bands).permute(0, 3, 1, 2), weight, bias)
        start = 0
        for row in rows:
            # windows that reach into the next clip are answered too, and left out here
            own = answers[..., start : start + extents[row] - kernel + 1]
            best, at = functional.adaptive_max_pool2d(own, 1, return_indices=True)
            pooled[row], winners[row] = best.view(-1), at.view(-1)
            start += extents[row]
    return pooled, winners


def _groups(extents: list[int]) -> Iterator[range]:
    """Consecutive rows that hold about PACKED frames together."""
    first, frames = 0, 0
    for row, extent in enumerate(extents):
        frames += extent
        if frames >= PACKED:
            yield range(first, row + 1)
            first, frames = row + 1, 0
    if first < len(extents):
        yield range(first, len(extents))


def _winners_padded(values: Tensor, lengths: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The same by one convolution over all that is padded, without a look at the lengths from the outside."""
    answers = functional.conv1d(values.to(weight.dtype).transpose(1, 2), weight, bias)
    last = (lengths - weight.shape[-1] + 1).clamp_min(1)[:, None]
    outside = torch.arange(answers.shape[-1], device=values.device) >= last
    best = answers.masked_fill(outside[:, None], float("-inf")).max(-1)
    return best.values, best.indices


def _answers(values: Tensor, winners: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """What each kernel answers to the window that it chose, ``(items, channels)``."""
    flat = weight.transpose(1, 2).flatten(1)
    answers = torch.empty_like(winners, dtype=weight.dtype)
    for some, chosen in _chosen(values, winners, weight.shape[-1]):
        torch.sum(chosen.mul_(flat), -1, out=answers[some])
    return answers.add_(bias)


def _chosen(values: Tensor, winners: Tensor, kernel: int) -> Iterator[tuple[slice, Tensor]]:
    """Some items at a time, so that it stays in the cache: their winning windows, ``(some, channels, kernel * bands)``.

    The memory is used again for the next.
    """
    every = values.flatten(0, 1).unfold(0, kernel, 1).transpose(1, 2).flatten(1)  # a view: nothing is copied
    rows = _rows(values, winners)
    buffer = values.new_empty(TOGETHER * winners.shape[1], every.shape[1])
    for first in range(0, len(rows), TOGETHER):
        some = slice(first, first + TOGETHER)
        chosen = buffer[: rows[some].numel()]
        torch.index_select(every, 0, rows[some].flatten(), out=chosen)
        yield some, chosen.view(-1, winners.shape[1], every.shape[1])


def _rows(values: Tensor, winners: Tensor) -> Tensor:
    """Where in ``values.flatten(0, 1)`` each winning window begins, ``(items, channels)``."""
    return winners + values.shape[1] * torch.arange(len(values), device=values.device)[:, None]


def _gradient_by_weight_of_copies(gradient: Tensor, values: Tensor, winners: Tensor, weight: Tensor) -> Tensor:
    """The winning windows, weighted by the gradients and summed over the items; for any device."""
    channels, bands, kernel = weight.shape
    sums = torch.zeros(channels, kernel * bands, dtype=_wide(weight.dtype), device=values.device)
    for some, chosen in _chosen(values, winners, kernel):
        sums += torch.einsum("nc,nce->ce", gradient[some], chosen)
    return sums.view(channels, kernel, bands).transpose(1, 2).to(weight.dtype)


def _gradient_by_weight_in_place(gradient: Tensor, values: Tensor, winners: Tensor, weight: Tensor) -> Tensor:
    """The same of frames where they lie: to each frame of a kernel belongs a bag of one frame per item."""
    channels, bands, kernel = weight.shape
    frames = _rows(values, winners).t() + torch.arange(kernel)[:, None, None]
    sums = functional.embedding_bag(
        frames.flatten(),
        values.flatten(0, 1),
        torch.arange(kernel * channels) * len(values),  # where each bag begins
        mode="sum",
        per_sample_weights=gradient.t().expand(kernel, -1, -1).flatten(),
    )
    return sums.view(kernel, channels, bands).permute(1, 2, 0)


def _gradient_by_values(gradient: Tensor, values: Tensor, winners: Tensor, weight: Tensor) -> Tensor:
    """Each kernel, weighted by its gradient, added where it won."""
    rows = _rows(values, winners).flatten()
    sums = torch.zeros_like(values, dtype=_wide(values.dtype)).flatten(0, 1)
    for step in range(weight.shape[-1]):
        sums.index_add_(0, rows + step, (gradient[..., None] * weight[:, :, step]).flatten(0, 1).to(sums.dtype))
    return sums.view_as(values).to(values.dtype)


def _wide(dtype: torch.dtype) -> torch.dtype:
    """A type in which many small shares can be added up."""
    return torch.promote_types(dtype, torch.float32)
