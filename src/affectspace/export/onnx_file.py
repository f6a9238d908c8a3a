"""A model as one ONNX file, and asking such a file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affectspace.errors import InputError
from affectspace.export.about import KEY, about_graph
from affectspace.export.graph import OUTPUTS, Graph
from affectspace.export.trace import quietly, traced
from affectspace.extras import refuse_missing
from affectspace.files import atomic_path, json_text
from affectspace.training import Model

__all__ = ["open_onnx", "write_onnx"]

OPSET = 20
MOST = 2_000_000_000  # bytes that one file can hold, less some room for what is no weight


def write_onnx(path: Path, model: Model, graph: Graph) -> dict[str, Any]:
    """Write a model as one ONNX file that needs no other, and prove that it is valid.

    Its metadata have an entry ``affectspace``, the JSON of :func:`about_graph`.

    Args:
        path: of the file, which is replaced.
        model: which one.
        graph: of it.

    Returns:
        The metadata.

    Raises:
        InputError: packages that are not installed, a net that cannot be traced or is too large for a single file.
    """
    refuse_missing("onnx", "ONNX needs", "onnx", "onnxscript")
    import onnx  # pyright: ignore[reportMissingImports]

    weights = sum(each.numel() * each.element_size() for each in graph.state_dict().values())
    if weights > MOST:
        raise InputError(
            f"the model's weights take {weights / 1e9:.1f} GB, and one ONNX file holds 2; choose --to torch-export, or "
            "hub"
        )
    program, reads = traced(graph), graph.reads
    with quietly():
        made = torch.onnx.export(
            program, dynamo=True, opset_version=OPSET, input_names=list(reads.inputs), output_names=list(OUTPUTS),
            verbose=False,
        )  # fmt: skip
    assert made is not None, "asked for no file"
    proto = made.model_proto
    _without_traces(proto)
    axes = {reads.name: reads.shape, "lengths": ("items",), **dict.fromkeys(OUTPUTS, ("items",))}
    named: dict[str, str] = {}
    for value in (*proto.graph.input, *proto.graph.output):
        for place, size in zip(value.type.tensor_type.shape.dim, axes[value.name]):
            if place.dim_param and isinstance(size, str):
                named[place.dim_param] = size
    _rename_axes(proto.graph, named)
    about = about_graph(model, graph)
    onnx.helper.set_model_props(proto, {KEY: json_text(about)})
    proto.producer_name, proto.producer_version = "affectspace", about["affectspace"]
    proto.graph.name = "affectspace"
    proto.graph.doc_string = f"{about['before']}; then this graph answers embeddings and probabilities"
    with atomic_path(path) as partial:
        onnx.save_model(proto, partial)
        onnx.checker.check_model(str(partial), full_check=True)
    return about


def open_onnx(path: Path) -> tuple[Callable[[Sequence[torch.Tensor]], tuple[np.ndarray, np.ndarray]], dict[str, Any]]:
    """An exported file as a function of its inputs, run by ONNX Runtime in one thread, and what the file tells.

    Raises:
        InputError: ONNX Runtime is not installed.
    """
    refuse_missing("onnx", "ONNX needs", "onnxruntime")
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def ask(inputs: Sequence[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
        embedding, probabilities = session.run(
            list(OUTPUTS), {name: each.numpy() for name, each in zip(names, inputs, strict=True)}
        )
        return embedding, probabilities  # pyright: ignore[reportReturnType]  # arrays, as the graph has no other

    return ask, json.loads(session.get_modelmeta().custom_metadata_map[KEY])


def _without_traces(proto: Any) -> None:
    """Take out what tells where on this machine an operation stands in a program."""
    del proto.metadata_props[:]
    for graph in (proto.graph, *proto.functions):
        for part in (graph, *graph.node, *graph.value_info, *getattr(graph, "initializer", ())):
            part.doc_string = ""
            del part.metadata_props[:]
    for value in (*proto.graph.input, *proto.graph.output):
        value.doc_string = ""
        del value.metadata_props[:]


def _rename_axes(graph: Any, named: dict[str, str]) -> None:
    """Axes that the compiler numbers by what they are; sizes within that follow from them have no name."""
    for value in (*graph.input, *graph.output):
        for place in value.type.tensor_type.shape.dim:
            if place.dim_param in named:
                place.dim_param = named[place.dim_param]
    del graph.value_info[:]
