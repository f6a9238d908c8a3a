"""The gradients of one step: of the whole batch, whoever encodes which of its items, and how many at a time."""

from contextlib import nullcontext
from dataclasses import replace

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch import distributed as dist

from affectspace.encoders import Batch, Outputs
from affectspace.encoders.part_of_batch import PartOfBatch
from affectspace.errors import InputError
from affectspace.losses.across_processes import gather_rows
from affectspace.losses.cached_gradients import cached_backward
from affectspace.training.checkpoint import random_state, set_random_state
from affectspace.training.objective import Objective
from affectspace.training.processes import Processes
from affectspace.training.shared_batch import SharedBatch

__all__ = ["Step"]

Told = tuple[Tensor, dict[str, Tensor], dict[str, dict[str, int]]]


class Step:
    """Forward and backward of a batch, what :class:`~affectspace.training.objective.Objective` tells of it.

    One process encodes the batch, and its terms look at what comes out. **Several** each encode their share of the
    items; what comes out is gathered, in the items' order, and every process computes all terms of the whole batch.
    So each knows the gradient by its own rows, and the sum over the processes is the gradient of one. Gradients are
    summed here rather than by ``DistributedDataParallel``: that waits for ever for layers that no term of a step reads,
    or gives them a gradient of 0, by which weight decay would move what one process leaves alone.

    **In chunks** the share is encoded twice, without a graph and then chunk by chunk with one:
    :func:`affectspace.losses.cached_gradients.cached_backward`. Chunks are given the random numbers of the whole batch,
    so that their size changes how much memory a step takes, and nothing else.

    Args:
        fabric: by which the encoder was set up.
        encoder: as ``fabric.setup`` gave it.
        objective: the terms.
        processes: who encodes.
        chunk_size: items that are encoded with a graph at a time; None: all.

    Raises:
        InputError: chunks for a net that normalises by the batch.
    """

    def __init__(
        self, fabric: Fabric, encoder: nn.Module, objective: Objective, processes: Processes, chunk_size: int | None
    ):
        self.fabric, self.encoder, self.objective = fabric, encoder, objective
        self.processes, self.chunk_size = processes, chunk_size
        layers = [layer for layer in encoder.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        if chunk_size is not None and any(layer.training for layer in layers):
            raise InputError(
                f"training.chunk_size is {chunk_size}, and this net normalises by the whole batch (batch "
                "normalisation), which a chunk is not; leave chunk_size out, or choose another encoder"
            )

    def __call__(self, batch: Batch) -> Told:
        """The gradients of the batch, in ``.grad``, on every process."""
        items = len(batch.lengths)
        start, stop = self.processes.share(items)
        shared = stop - start < items
        own = batch.own if isinstance(batch, SharedBatch) else None
        if own is None:
            own = batch.rows(start, stop) if shared else batch
        elif shared:
            own = _as_long_as_all(own)
        if self.chunk_size is not None and self.chunk_size < stop - start:
            told = self._in_chunks(batch, own, start, shared, self.chunk_size)
        else:
            part = PartOfBatch(start, stop, items, dist.all_reduce) if shared else nullcontext()
            with part:
                outputs = self.encoder(own)
            told = self.objective(_gathered(outputs) if shared else outputs, batch)
            self.fabric.backward(told[0])
        encoder, terms = list(self.encoder.parameters()), list(self.objective.parameters())
        self.processes.add_gradients(encoder if shared else (), terms if shared else (*encoder, *terms))
        return told

    def _in_chunks(self, batch: Batch, own: Batch, start: int, shared: bool, size: int) -> Told:
        stand, told, kinds = random_state(), [], []

        def encode(rows: tuple[int, int]) -> tuple[Tensor, ...]:
            set_random_state(stand)
            with PartOfBatch(start + rows[0], start + rows[1], len(batch.lengths)):
                outputs = self.encoder(own.rows(*rows))
            kinds[:] = [outputs]
            return _tensors(outputs)

        def loss(*tensors: Tensor) -> Tensor:
            outputs = _like(kinds[0], tensors)
            told.append(self.objective(_gathered(outputs) if shared else outputs, batch))
            return told[0][0]

        items = len(own.lengths)
        cached_backward(encode, [(row, min(row + size, items)) for row in range(0, items, size)], loss)
        return told[0]


def _as_long_as_all(own: Batch) -> Batch:
    """A share of sequences, padded to the longest item of all shares, as one process pads the batch.

    Else dropout over frames, which draws a number for each, would leave the processes' generators at other places.
    """
    if own.values.ndim < 3:
        return own
    longest = torch.tensor(own.values.shape[1])
    dist.all_reduce(longest, dist.ReduceOp.MAX)
    more = int(longest) - own.values.shape[1]
    wide = nn.functional.pad(own.values, [0, 0] * (own.values.ndim - 2) + [0, more])
    return replace(own, values=wide) if more else own


def _gathered(outputs: Outputs) -> Outputs:
    """Those of all processes, in the order of their ranks, on the graph of one's own."""
    return _like(outputs, gather_rows(*_tensors(outputs), average_gradients=False))


def _tensors(outputs: Outputs) -> tuple[Tensor, ...]:
    return outputs.embedding, outputs.logits, *outputs.layers.values(), *outputs.reconstructions.values()


def _like(outputs: Outputs, tensors: tuple[Tensor, ...]) -> Outputs:
    """Tensors by the names that those of ``outputs`` have."""
    embedding, logits, *others = tensors
    border = len(outputs.layers)
    made = zip(outputs.reconstructions, others[border:], strict=True)
    return Outputs(embedding, logits, dict(zip(outputs.layers, others[:border], strict=True)), dict(made))
