"""Batches larger than memory: a loss of all items, backward through the encoder in chunks."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

__all__ = ["cached_backward"]


def cached_backward(
    encode: Callable[[Any], Tensor | tuple[Tensor, ...]],
    chunks: Iterable[Any],
    loss: Callable[..., Tensor],
    no_sync: Callable[[], AbstractContextManager] = nullcontext,
) -> Tensor:
    r"""Backward of ``loss`` over all chunks together, in the memory of one; gradients add up in ``.grad``.

    A loss of a batch looks at encoded items only. So it is enough to keep these (a row an item), and

    1. to encode each chunk without a graph,
    2. to find the loss, and its gradient with respect to the encoded items,
    3. to encode each chunk once more with a graph, and to pass its rows of that gradient on.

    By the chain rule the gradient is that of the plain step, to rounding:

    .. math:: \frac{\partial L}{\partial \theta}
              = \sum_k \frac{\partial L}{\partial z_k} \frac{\partial z_k}{\partial \theta}

    Args:
        encode: a chunk to a tensor ``(items, ...)``, or to a tuple of them; for an encoder of this
            package such as ``lambda batch: net(batch).embedding``, or
            ``lambda batch: (net(batch).embedding, net(batch).logits)`` with the net called once.
        chunks: parts of the batch, of any kind and size that fits.
        loss: the encoded items of all chunks, joined in order, to a scalar; from a tuple, one
            argument for each tensor. Targets come with it: ``lambda z: criterion(z, targets)``.
        no_sync: what holds back the exchange between processes during all chunks but the last:
            ``DistributedDataParallel(net).no_sync``, or ``lambda: fabric.no_backward_sync(net)``.

    Returns:
        The value of the loss, detached. Parameters of the loss get their gradients too.

    Raises:
        ValueError: no chunk; or ``encode`` gives something else, or not the same number of tensors each time.

    **Random numbers.** Each chunk is encoded twice under the same state of torch's random numbers
    (CPU, CUDA, MPS), so that dropout leaves out the same. The state afterwards is that of encoding the
    chunks one after another and then the loss. Numbers from ``random`` or NumPy are not repeated:
    augment before.

    **BatchNorm** in training mode normalises by the chunk and not by the batch, which is not the plain
    step but the one in chunks, and its running statistics take each chunk in twice. Use ``eval()``
    for it, or normalise by item (LayerNorm, GroupNorm).

    **Mixed precision.** Call it under ``torch.autocast``; backward passes run outside it, as they should.
    With a gradient scaler: ``loss=lambda z: scaler.scale(criterion(z, targets))``.

    **Several processes.** Each encodes its own chunks, and the loss gathers, before any chunk goes backward::

        net = DistributedDataParallel(encoder)
        criterion = AcrossProcesses(InBatchFSimilarityLoss())
        cached_backward(net, chunks, lambda z: criterion(z, targets), no_sync=net.no_sync)

    Processes may have unlike numbers of chunks, at least one each (of 0 rows, if need be), unless the
    net has buffers, which ``DistributedDataParallel`` sends round at every call: pass it
    ``broadcast_buffers=False`` then.

    Cost: one more forward pass of the encoder; memory of the graph of one chunk, and of the encoded
    items with their gradient and the graph of the loss.

    Source: Gao, Zhang, Han & Callan, "Scaling Deep Contrastive Learning Batch Size under Memory
    Limited Setup", RepL4NLP 2021.

    Example:
        >>> net, x = torch.nn.Linear(3, 2), torch.randn(10, 3)
        >>> value = cached_backward(net, x.split(4), lambda z: torch.pdist(z).mean())
        >>> plain = torch.autograd.grad(torch.pdist(net(x)).mean(), net.weight)[0]
        >>> torch.allclose(net.weight.grad, plain, atol=1e-6)
        True
    """
    chunks = list(chunks)  # references only, as they are read twice
    if not chunks:
        raise ValueError("there is no chunk to encode; give at least one, of 0 rows if need be")
    states, parts = [], []
    with torch.no_grad():
        for chunk in chunks:
            states.append(_random_state())
            parts.append(_tensors(encode(chunk)))
    torch.clear_autocast_cache()  # it may hold weights that were cast without a graph
    if any(len(part) != len(parts[0]) for part in parts):
        raise ValueError(f"encode gave {sorted({len(part) for part in parts})} tensors; give as many for each chunk")

    leaves = [torch.cat(column).requires_grad_(column[0].is_floating_point()) for column in zip(*parts)]
    sizes = [[len(tensor) for tensor in part] for part in parts]
    del parts
    with torch.enable_grad():
        value = loss(*leaves)
    _backward([value], [None])
    after = _random_state()

    gradients = [None if leaf.grad is None else leaf.grad.split(rows) for leaf, rows in zip(leaves, zip(*sizes))]
    for k, (chunk, state) in enumerate(zip(chunks, states)):
        last = k == len(chunks) - 1
        with nullcontext() if last else no_sync(), torch.enable_grad():
            _set_random_state(state)
            pairs = [(z, g[k]) for z, g in zip(_tensors(encode(chunk)), gradients) if g is not None and z.requires_grad]
            _backward([z for z, _ in pairs], [g for _, g in pairs])
    _set_random_state(after)
    return value.detach()


def _tensors(encoded: Any) -> tuple[Tensor, ...]:
    encoded = (encoded,) if isinstance(encoded, Tensor) else encoded
    if not isinstance(encoded, tuple) or not encoded or not all(isinstance(each, Tensor) for each in encoded):
        raise ValueError(
            f"encode gave {type(encoded).__name__}; expected a tensor or a tuple of tensors, such as "
            "lambda batch: net(batch).embedding"
        )
    return encoded


def _backward(outputs: list[Tensor], gradients: list[Tensor | None]) -> None:
    if outputs:
        # Backward under autocast would redo in bfloat16 what a loss asked for in float32.
        with torch.autocast(outputs[0].device.type, enabled=False):
            torch.autograd.backward(outputs, gradients)


def _random_state() -> dict[str, Any]:
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state:
        torch.mps.set_rng_state(state["mps"])
