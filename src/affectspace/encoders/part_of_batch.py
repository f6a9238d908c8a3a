"""Some rows of a batch, encoded as they are encoded beside all the others."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from affectspace.errors import InputError

__all__ = ["PartOfBatch"]


class PartOfBatch(TorchFunctionMode):
    r"""While it is entered, a net that is given rows ``start`` to ``stop`` of a batch does with them what it would do
    beside the other rows of that batch.

    - **Random numbers** are drawn for the whole batch, and the part uses its rows of them: what dropout leaves out of
      an item is the same whoever encodes it, and torch's generators stand afterwards where one that has encoded the
      whole batch has left them.
    - **Batch normalisation** in training takes mean and variance over the whole batch, of which each process has a
      part: they are sums over the processes, and so is what flows back through them. Running statistics are the whole
      batch's, on every process.

    It stands between a net and torch's functions, so that it serves any net, whoever wrote it, whose activations have
    items first, or items times anything. What it costs: each process draws the random numbers of the whole batch, and
    a sum over the processes for each two passes forward, and one backward, of a batch normalisation.

    Args:
        start: the first row of the part.
        stop: behind its last row.
        items: rows of the whole batch.
        summed: sums a tensor over those who encode the other rows, in place; what ``torch.distributed.all_reduce``
            does, where each process has a part. A part that nobody else adds to cannot be normalised by batches.

    Raises:
        InputError: while it is entered, on a net that draws random numbers in a way unknown here, or normalises by
            the batch where only a chunk of it is there.

    Source of the normalisation: Ioffe & Szegedy, "Batch Normalization", ICML 2015. Torch's ``SyncBatchNorm`` is the
    same for GPUs alone.

    Example:
        >>> x, dropout = torch.ones(4, 3), torch.nn.Dropout(0.5)
        >>> _ = torch.manual_seed(0); whole = dropout(x)
        >>> _ = torch.manual_seed(0)
        >>> with PartOfBatch(1, 3, items=4):
        ...     part = dropout(x[1:3])
        >>> torch.equal(part, whole[1:3])
        True
    """

    def __init__(self, start: int, stop: int, items: int, summed: Callable[[Tensor], Any] | None = None):
        super().__init__()
        self.start, self.stop, self.items = start, stop, items
        self.summed = summed
        self.stand: list[Tensor] = []

    def __enter__(self) -> "PartOfBatch":
        self.stand = _generators()
        return super().__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        if kind is None:
            self._refuse_unknown()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is functional.dropout:
            return self._dropout(*args, **kwargs)
        if function is functional.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if function is torch.rand:
            return self._rand(*args, **kwargs)
        return function(*args, **kwargs)

    def _dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or not p:
            return functional.dropout(input, p, training, inplace)
        shape = self._whole(input.shape)
        # As the input lies in memory, since numbers are drawn in that order.
        order = sorted(range(input.ndim), key=lambda axis: -input.stride(axis))
        ones = input.new_ones([shape[axis] for axis in order]).permute(
            [order.index(axis) for axis in range(len(order))]
        )
        mask = self._own(self._drawn(lambda: functional.dropout(ones, p)), shape)
        return input.mul_(mask) if inplace else input * mask

    def _rand(self, *size: Any, **how: Any) -> Tensor:
        given = size if isinstance(size[0], int) else tuple(size[0])
        shape = self._whole(given)
        return self._own(self._drawn(lambda: torch.rand(shape, **how)), shape)

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return functional.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
        if self.summed is None:
            raise InputError("batch normalisation looks at a whole batch, and a chunk of it is given")
        count = self._whole(input.shape)[0] * input[0, 0].numel()
        if count < 2:
            raise ValueError(f"batch normalisation needs two numbers of each channel or more, not {count}")
        normal, mean, variance = _Normal.apply(input, count, eps, self.summed)  # pyright: ignore[reportGeneralTypeIssues]
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                running_var.lerp_((variance * count / (count - 1)).to(running_var.dtype), momentum)
        channels = (-1, *[1] * (input.ndim - 2))
        if weight is not None:
            normal = normal * weight.view(channels)
        if bias is not None:
            normal = normal + bias.view(channels)
        return normal.to(input.dtype)

    def _whole(self, shape: Any) -> tuple[int, ...]:
        """The shape that the whole batch has, where the part has this one."""
        each, rest = divmod(shape[0], self.stop - self.start) if len(shape) else (0, 1)
        if rest or not each:
            raise InputError(
                f"of {self.stop - self.start} items the net makes {tuple(shape)}, which is no number of rows for each "
                "item; such a net is trained by one process, without chunk_size"
            )
        return (each * self.items, *shape[1:])

    def _own(self, whole: Tensor, shape: tuple[int, ...]) -> Tensor:
        each = shape[0] // self.items
        return whole[each * self.start : each * self.stop]

    def _drawn(self, draw: Callable[[], Tensor]) -> Tensor:
        self._refuse_unknown()
        drawn = draw()
        self.stand = _generators()
        return drawn

    def _refuse_unknown(self) -> None:
        if any(not torch.equal(before, now) for before, now in zip(self.stand, _generators(), strict=True)):
            raise InputError(
                "the net draws random numbers otherwise than by dropout and torch.rand, so that a part of a batch is "
                "not given those that it has in the whole; such a net is trained by one process, without chunk_size"
            )


class _Normal(torch.autograd.Function):
    r"""``(x - mean) / sqrt(variance + eps)`` by channel, with both over all parts; and these two.

    With g the gradient of the result y, both over the n numbers of a channel in all parts:

    .. math:: \frac{\partial L}{\partial x} = \frac{1}{\sqrt{v + \epsilon}}
              \Bigl(g - \tfrac1n \sum g - y \, \tfrac1n \sum g\, y\Bigr)
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, count: int, eps: float, summed: Callable[[Tensor], Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        # Statistics in double precision: they are a few numbers, and processes would round their sums otherwise.
        axes = (0, *range(2, x.ndim))
        mean = x.sum(axes, dtype=torch.double)
        summed(mean)
        mean = mean / count
        channels = (-1, *[1] * (x.ndim - 2))
        wide = torch.float if x.dtype in (torch.bfloat16, torch.half) else x.dtype
        y = x.to(wide) - mean.to(wide).view(channels)
        # around the rounded mean, so that what it was rounded by is taken off again
        off = mean - mean.to(wide).double()
        variance = y.square().sum(axes, dtype=torch.double)
        summed(variance)
        variance = variance / count - off.square()
        inverse = (variance + eps).rsqrt().to(wide).view(channels)
        y = y.mul_(inverse)
        ctx.save_for_backward(y, inverse)
        ctx.axes, ctx.count, ctx.summed, ctx.dtype = axes, count, summed, x.dtype
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor, None, None, None]:
        y, inverse = ctx.saved_tensors
        sums = torch.stack([each.sum(ctx.axes, dtype=torch.double) for each in (g, g * y)])
        ctx.summed(sums)
        of_g, of_gy = (sums / ctx.count).to(y.dtype).view(2, *inverse.shape)
        return (inverse * (g - of_g - y * of_gy)).to(ctx.dtype), None, None, None


def _generators() -> list[Tensor]:
    """Where torch's generators stand, those of the CPU and of the GPU that is in use."""
    states = [torch.get_rng_state()]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states.append(torch.cuda.get_rng_state())
    return states
