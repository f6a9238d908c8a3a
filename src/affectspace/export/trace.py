"""A graph as torch has traced it, for any number and length of items, without a trace of the machine it was made on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger

import numpy as np
import torch
from torch.export import Dim, ExportedProgram, export

from affectspace.errors import InputError
from affectspace.export.graph import Graph

__all__ = ["quietly", "traced"]

ITEMS = 2  # that are traced, any number may follow; and how long they are, which may be any length too
LENGTHS = {"samples": 16_000, "frames": 64}


def traced(graph: Graph) -> ExportedProgram:
    """The operations of a graph as a program, whose input axes of no fixed size stay open.

    Raises:
        InputError: an operation that torch cannot trace, such as of a model of others.
    """
    reads = graph.reads
    axes = [{place: Dim.DYNAMIC for place, size in enumerate(reads.shape) if isinstance(size, str)}]
    sizes = [size if isinstance(size, int) else LENGTHS[size] for size in reads.shape[1:]]
    example = graph.batch([np.zeros(sizes, np.float32)] * ITEMS)
    if reads.lengths:
        axes.append({0: Dim.DYNAMIC})
    with quietly():
        try:
            program = export(graph, example, dynamic_shapes=tuple(axes))
        except Exception as error:  # whatever the compiler raises of an operation that it does not know
            told = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"torch cannot trace this model's net, so no graph of it is made: {told}") from error
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)  # paths and lines of this machine
    return program


@contextmanager
def quietly() -> Iterator[None]:
    """Nothing of what compilers tell each other: deprecations of their own, and packages that they do without."""
    loggers = [getLogger(name) for name in ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
