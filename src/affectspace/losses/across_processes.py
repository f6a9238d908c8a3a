"""Batch losses over the items of all processes, with the gradient of one process that holds them all."""

import hashlib
import inspect
import itertools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from affectspace.losses.gradients import once

__all__ = ["AcrossProcesses", "gather_rows"]


def gather_rows(
    *tensors: Tensor, average_gradients: bool = True, group: "dist.ProcessGroup | None" = None
) -> tuple[Tensor, ...]:
    r"""The rows of all processes, in the order of their ranks, with the right gradient for one's own.

    Every process computes the same loss L of all rows, so that each of them knows the gradient with
    respect to its own rows without asking the others. For P processes,

    .. math:: \nabla_{\text{own rows}} = P\, \frac{\partial L}{\partial \text{own rows}}
              \quad\text{where gradients of parameters are averaged,}\qquad
              \nabla_{\text{own rows}} = \frac{\partial L}{\partial \text{own rows}}
              \quad\text{where they are summed.}

    Either way the encoder's parameters end up with the gradient that one process would find on the
    whole batch. Without the factor P, averaging leaves 1 / P of it; and the mean of local losses is
    another loss, as it never compares items of two processes.

    Args:
        tensors: of any type, ``(items, ...)``; the same number of items for all tensors of one
            process, any number (0 too) for each process. Labels go along in as many columns as there are.
        average_gradients: True where gradients of parameters are averaged over the processes, as
            ``DistributedDataParallel`` and Fabric do; False where they are summed.
        group: the processes that take part; None: all.

    Returns:
        One tensor for each, ``(all items, ...)``, type and device kept; floating ones carry the
        gradient of this process's rows. Without an initialised process group, or alone in it: the
        tensors as they are.

    Raises:
        ValueError: on all processes, if they do not give the same number of tensors of the same
            types, device types and trailing shapes, or one gives unlike numbers of rows.

    All processes of the group must call it, as often as each other. The backward pass does not
    communicate, and cannot itself be differentiated: other processes would have to know. Costs two
    exchanges of a few numbers and one of the rows, padded to the process with most.
    ``torch.compile`` breaks the graph here.

    Example:
        >>> embeddings, labels = gather_rows(torch.rand(3, 8), torch.tensor([0, 1, 1]))
        >>> embeddings.shape  # there is one process
        torch.Size([3, 8])
    """
    if _processes(group) == 1:
        return tensors
    rows = _agree(tensors, group)
    if (rows != rows[:, :1]).any():
        raise ValueError(f"the tensors of one process have unlike numbers of rows: {_listed(rows.tolist())}")
    return _gather(tensors, rows, average_gradients, group)


class AcrossProcesses(nn.Module):
    """A loss of the batch of all processes together: gathers what the loss is given, then calls it.

    Args:
        loss: a module or function of tensors; its tensors are ``(rows, ...)``, such as embeddings,
            targets in several columns, a reference with rows of its own.
        shared: names of arguments that are the same on all processes already, such as
            ``("reference", "reference_targets")`` for a memory bank. They are passed as they are.
        average_gradients: as for :func:`gather_rows`.
        group: as for :func:`gather_rows`.

    Shape:
        as the wrapped loss; tensors, positional or by name, are gathered, everything else (None, numbers) is passed on.

    Raises:
        ValueError: a name in ``shared`` that the loss does not know; on all processes, if they give
            unlike tensors, or two tensors whose rows would not match after gathering; a list, tuple
            or dictionary that holds tensors, which is for :func:`gather_rows`.

    The value is the same on every process. What a loss draws at random (negatives, dropout of an
    adversary) must be drawn alike: seed the processes alike.

    **Parameters of the loss** (prototypes, an adversary's head) receive the gradient of the whole
    batch on every process. Averaging keeps it: ``DistributedDataParallel(AcrossProcesses(loss))``, or
    leave them alone. Where gradients are summed, don't sum theirs.

    The keys of ``state_dict`` have ``loss.`` in front; ``wrapped.loss.state_dict()`` is free of it.

    Example:
        >>> loss = AcrossProcesses(nn.CrossEntropyLoss())
        >>> round(loss(torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)  # log 4; there is one process
        1.3863
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        shared: Collection[str] = (),
        average_gradients: bool = True,
        group: "dist.ProcessGroup | None" = None,
    ):
        super().__init__()
        self.loss = loss
        self.shared = (shared,) if isinstance(shared, str) else tuple(shared)
        self.average_gradients = average_gradients
        self.group = group
        known = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters
        kinds = {each.kind for each in known.values()}
        for name in self.shared:
            if name not in known and inspect.Parameter.VAR_KEYWORD not in kinds:
                raise ValueError(f"the loss has no argument {name!r} to share; it has {', '.join(known)}")
        self._positions = [name for name, each in known.items() if each.kind.name.startswith("POSITIONAL")]

    def extra_repr(self) -> str:
        return f"shared={self.shared!r}, average_gradients={self.average_gradients}"

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        if _processes(self.group) == 1:
            return self.loss(*args, **kwargs)
        further = [f"argument {k}" for k in range(len(self._positions), len(args))]  # of a loss that takes *args
        names, values = [*self._positions[: len(args)], *further, *kwargs], [*args, *kwargs.values()]
        places = [k for k, name in enumerate(names) if name not in self.shared and _is_tensor(name, values[k])]
        tensors = [values[k] for k in places]
        rows = _agree(tensors, self.group)
        _refuse_misaligned([names[k] for k in places], rows)
        for k, everybody in zip(places, _gather(tensors, rows, self.average_gradients, self.group)):
            values[k] = everybody
        return self.loss(*values[: len(args)], **dict(zip(kwargs, values[len(args) :])))


class _OwnRows(torch.autograd.Function):
    """All rows as they came, on the graph of those that this process gave."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, everybody: Tensor, start: int, factor: int) -> Tensor:
        ctx.rows, ctx.factor = slice(start, start + len(own)), factor
        ctx.save_for_backward(own)
        return everybody.view_as(everybody)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        # a second derivative would need what the gradients of other processes owe to these rows
        return once(gradients[0][ctx.rows] * ctx.factor, *ctx.saved_tensors), None, None, None


def _processes(group: "dist.ProcessGroup | None") -> int:
    return dist.get_world_size(group) if dist.is_available() and dist.is_initialized() else 1


def _agree(tensors: Sequence[Tensor], group: "dist.ProcessGroup | None") -> Tensor:
    """Rows of each tensor on each process, ``(processes, tensors)``, once all have said that theirs are alike.

    Gathering unlike tensors would wait for ever, or mix up bytes. What a process has is told as a
    digest first, which has the same length everywhere; only if these differ, in words.
    """
    words = "; ".join(_describe(each) for each in tensors) or "no tensor"
    text = words.encode()
    digest = int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
    device = _group_device(group)
    heads = torch.stack(_exchange(torch.tensor([digest, len(text)], device=device), group))
    if (heads != heads[0]).any():
        room = torch.zeros(int(heads[:, 1].max()), dtype=torch.uint8, device=device)
        room[: len(text)] = torch.tensor(list(text), dtype=torch.uint8)
        texts = [bytes(row[:n].tolist()).decode() for row, n in zip(_exchange(room, group), heads[:, 1].tolist())]
        raise ValueError(f"the processes give unlike tensors: {_listed(texts)}; give the same kinds on all of them")
    if not tensors:
        return torch.zeros(len(heads), 0, dtype=torch.long)
    if any(each.ndim == 0 for each in tensors):
        raise ValueError(f"a tensor has no rows to gather: {words}; give it a dimension, or name it in shared")
    return torch.stack(_exchange(torch.tensor([len(each) for each in tensors], device=device), group)).cpu()


def _gather(
    tensors: Sequence[Tensor], rows: Tensor, average_gradients: bool, group: "dist.ProcessGroup | None"
) -> tuple[Tensor, ...]:
    if not tensors or not rows.any():
        return tuple(tensors)
    rank, processes = dist.get_rank(group), len(rows)
    # As bytes, all types go in one exchange, those too that a backend has no word for.
    device = _group_device(group, tensors[0].device)
    own = [each.detach().to(device).contiguous().view(-1).view(torch.uint8) for each in tensors]
    width = torch.tensor([each.dtype.itemsize * math.prod(each.shape[1:]) for each in tensors])
    ends = (rows * width).cumsum(1).tolist()
    room = torch.zeros(max(end[-1] for end in ends), dtype=torch.uint8, device=device)
    torch.cat(own, out=room[: ends[rank][-1]])
    buffers = _exchange(room, group)
    gathered, starts = [], [0] * processes
    for column, each in enumerate(tensors):
        stops = [end[column] for end in ends]
        joined = torch.cat([buffer[start:stop] for buffer, start, stop in zip(buffers, starts, stops)])
        everybody = joined.view(each.dtype).view(int(rows[:, column].sum()), *each.shape[1:])
        before = int(rows[:rank, column].sum())
        factor = processes if average_gradients else 1
        gathered.append(_OwnRows.apply(each, everybody.to(each.device), before, factor))
        starts = stops
    return tuple(gathered)


def _exchange(tensor: Tensor, group: "dist.ProcessGroup | None") -> list[Tensor]:
    """What each process has under this name; it has the same shape on all."""
    heard = [torch.empty_like(tensor) for _ in range(dist.get_world_size(group))]
    dist.all_gather(heard, tensor, group=group)
    return heard


def _group_device(group: "dist.ProcessGroup | None", preferred: torch.device | None = None) -> torch.device:
    """A device on which the group can talk: the preferred one if it has a backend of its own there."""
    backends = dict(entry.split(":") for entry in dist.get_backend_config(group).split(","))
    if preferred is not None and backends.get(preferred.type, "gloo") != "gloo":
        return preferred
    return torch.device("cpu" if "cpu" in backends else next(iter(backends)))


def _refuse_misaligned(names: Sequence[str], rows: Tensor) -> None:
    # As many rows altogether but split otherwise: they would be gathered without a complaint, each beside another's.
    for first, second in itertools.combinations(range(len(names)), 2):
        a, b = rows[:, first], rows[:, second]
        if a.sum() == b.sum() and (a != b).any():
            raise ValueError(
                f"{names[first]} has {a.tolist()} rows on the processes and {names[second]} {b.tolist()}, "
                "so that rows would not match; give as many on each process"
            )


def _is_tensor(name: str, value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    if any(isinstance(each, Tensor) for each in inside):
        raise ValueError(
            f"{name} is a {type(value).__name__} that holds tensors, which are not gathered; call gather_rows on "
            "them yourself, or name it in shared"
        )
    return isinstance(value, Tensor)


def _describe(tensor: Tensor) -> str:
    name = str(tensor.dtype).removeprefix("torch.")
    shape = ", ".join(["rows", *map(str, tensor.shape[1:])]) if tensor.ndim else ""
    return f"{name} ({shape}) on {tensor.device.type}"


def _listed(entries: Sequence[Any]) -> str:
    return ", ".join(f"process {rank}: {entry}" for rank, entry in enumerate(entries))
