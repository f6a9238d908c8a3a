"""Embeddings of earlier batches, for losses that compare with more items than a batch holds."""

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.inputs import check_embeddings

__all__ = ["MemoryBank"]


class MemoryBank(nn.Module):
    """The newest embeddings and their targets, first in, first out: a reference for a loss.

    Cross-batch memory: embeddings drift slowly, so that those of the last batches are nearly what
    the encoder would give now, at no further pass. First the loss, then :meth:`add`, so that no item
    meets its own copy::

        value = loss(z, y, *bank.contents()) if len(bank) else loss(z, y)
        value.backward()
        bank.add(z, y)

    The ``if len(bank)`` is for the first step: with an empty reference a loss has nothing to learn,
    and says so. Wait longer before using it where the encoder changes fast at first. What it holds
    has no gradient. Everything is in ``state_dict()``, so that training that resumes goes on to the bit.

    Args:
        size: how many items it holds at most.
        dimensions: of the embeddings.
        classes: what a target is. None: a whole number (a class, a language, a speaker). A number:
            a row of so many probabilities; class indices are then taken too, as one-hot rows. A
            tuple of these: several columns of targets, given and returned as a tuple.

    Shape:
        embeddings ``(items, dimensions)``; targets ``(items,)`` or ``(items, classes)``, or a tuple.

    Raises:
        ValueError: a size or a number of dimensions or classes below 1; in :meth:`add` what does
            not have these shapes, or rows that are no probabilities.

    With several processes keep it out of what ``DistributedDataParallel`` wraps, which would copy the
    first process's items over those of the others at every step.

    Memory: size x (dimensions + columns of targets) numbers, and as much again for ``contents()``.
    How many it returns changes from step to step, so call it outside of a compiled graph.

    Source: Wang, Zhang, Huang & Scott, "Cross-Batch Memory for Embedding Learning", 2020.

    Example:
        >>> bank = MemoryBank(size=3, dimensions=1)
        >>> bank.add(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 1]))
        >>> bank.add(torch.tensor([[3.0], [4.0]]), torch.tensor([1, 0]))
        >>> bank.contents()  # the oldest first
        (tensor([[2.], [3.], [4.]]), tensor([1, 1, 0]))
    """

    embeddings: Tensor
    added: Tensor

    def __init__(self, size: int, dimensions: int, classes: int | tuple[int | None, ...] | None = None):
        super().__init__()
        self.several = isinstance(classes, tuple)
        self.classes = classes if isinstance(classes, tuple) else (classes,)
        if not self.classes:
            raise ValueError(
                "classes are an empty tuple; give at least one column of targets, (None,) for whole numbers"
            )
        for name, count in (("size", size), ("dimensions", dimensions), *(("classes", c) for c in self.classes)):
            if count is not None and count < 1:
                raise ValueError(f"{name} is {count}; at least 1")
        self.size = size
        self.register_buffer("embeddings", torch.zeros(size, dimensions))
        for column, count in enumerate(self.classes):
            rows = torch.zeros(size, dtype=torch.long) if count is None else torch.zeros(size, count)
            self.register_buffer(f"targets_{column}", rows)
        # How many were ever added tells both how many there are and where the next one goes.
        self.register_buffer("added", torch.zeros((), dtype=torch.long))

    def extra_repr(self) -> str:
        classes = self.classes if self.several else self.classes[0]
        return f"size={self.size}, dimensions={self.embeddings.shape[1]}, classes={classes}"

    def __len__(self) -> int:
        """How many items it holds now."""
        return min(int(self.added), self.size)

    def clear(self) -> None:
        """Forget all items."""
        self.added.zero_()

    @torch.no_grad()
    def add(self, embeddings: Tensor, targets: Tensor | tuple[Tensor, ...]) -> None:
        """Keep these items, the last ones if there are more than it can hold, instead of the oldest."""
        columns = targets if isinstance(targets, tuple) else (targets,)
        if isinstance(targets, tuple) != self.several or len(columns) != len(self.classes):
            given = f"a tuple of {len(columns)}" if isinstance(targets, tuple) else "one tensor"
            expected = f"a tuple of {len(self.classes)}" if self.several else "one tensor"
            raise ValueError(f"targets are {given}; this bank was made for {expected}")
        check_embeddings("embeddings", embeddings, len(columns[0]))
        if embeddings.shape[1] != self.embeddings.shape[1]:
            raise ValueError(
                f"embeddings have {embeddings.shape[1]} dimensions; this bank holds {self.embeddings.shape[1]}"
            )
        columns = [_column(each, count, len(embeddings)) for each, count in zip(columns, self.classes)]
        newest = torch.arange(max(0, len(embeddings) - self.size), len(embeddings), device=self.added.device)
        slots = (self.added + newest) % self.size
        for buffer, rows in zip(self._buffers_of_rows(), (embeddings, *columns)):
            buffer[slots] = rows[len(rows) - len(slots) :].to(buffer)
        self.added += len(embeddings)

    def contents(self) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """Copies of the embeddings and the targets that it holds, the oldest first."""
        filled = len(self)
        start = int(self.added) % self.size if filled == self.size else 0
        # Copies, because a later add() writes into the bank before the loss may have been differentiated.
        embeddings, *columns = (torch.cat([rows[start:filled], rows[:start]]) for rows in self._buffers_of_rows())
        return embeddings, tuple(columns) if self.several else columns[0]

    def _buffers_of_rows(self) -> list[Tensor]:
        return [self.embeddings, *(self.get_buffer(f"targets_{column}") for column in range(len(self.classes)))]


def _column(targets: Tensor, classes: int | None, items: int) -> Tensor:
    if classes is not None:
        rows = as_distribution(targets, classes)
    elif targets.ndim == 1 and not targets.is_floating_point():
        rows = targets
    else:
        raise ValueError(
            f"targets: {targets.dtype} of shape {tuple(targets.shape)}; expected whole numbers (items,), "
            "or make the bank with the number of classes"
        )
    if len(rows) != items:
        raise ValueError(f"there are {len(rows)} targets for {items} embeddings; give a target for each")
    return rows
