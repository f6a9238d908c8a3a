"""A model as a file of torch.export, which runs without this package, and asking such a file."""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affectspace.errors import InputError
from affectspace.export.about import KEY, about_graph
from affectspace.export.graph import Graph
from affectspace.export.trace import quietly, traced
from affectspace.files import atomic_path, json_text
from affectspace.training import Model

__all__ = ["open_torch_export", "pickles_in", "write_torch_export"]


def write_torch_export(path: Path, model: Model, graph: Graph) -> dict[str, Any]:
    """Write a model as a ``.pt2`` file: operations as JSON, weights as bytes, and no pickle among them.

    Its extra file ``affectspace`` is the JSON of :func:`about_graph`.

    Args:
        path: of the file, which is replaced.
        model: which one.
        graph: of it.

    Returns:
        The metadata.

    Raises:
        InputError: a net that cannot be traced, or of whose parts this torch makes pickles.
    """
    program, about = traced(graph), about_graph(model, graph)
    program.example_inputs = None  # which would be a pickle
    with atomic_path(path) as partial, quietly():
        with open(partial, "wb") as file:
            torch.export.save(program, file, extra_files={KEY: json_text(about)})  # pyright: ignore[reportArgumentType]
        if found := pickles_in(partial):
            raise InputError(
                f"this torch ({torch.__version__}) writes {found[0]} of a model as a pickle, which may run code where "
                "it is opened; choose --to onnx"
            )
    return about


def open_torch_export(
    path: Path,
) -> tuple[Callable[[Sequence[torch.Tensor]], tuple[np.ndarray, np.ndarray]], dict[str, Any]]:
    """An exported file as a function of its inputs, and what the file tells.

    Raises:
        InputError: a file with pickles, which none of ours has and which would run whatever they hold.
    """
    if found := pickles_in(path):
        raise InputError(f"{path} has {found[0]} as a pickle, which may run code; affectspace export writes none")
    told = {KEY: ""}
    with quietly():
        net = torch.export.load(path, extra_files=told).module()

    @torch.inference_mode()
    def ask(inputs: Sequence[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
        embedding, probabilities = net(*inputs)
        return embedding.numpy(), probabilities.numpy()

    return ask, json.loads(told[KEY])


def pickles_in(path: Path) -> list[str]:
    """Names of the parts of a ``.pt2`` file that are pickles, or that nothing says are none.

    ``torch.export.load`` opens parts that the file itself calls pickles with ``weights_only=False``, and would so run
    what is in them; it opens inputs that are kept as examples too.

    Raises:
        InputError: no file of torch.export.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            found = [name for name in names if "/sample_inputs/" in name and archive.getinfo(name).file_size]
            for name in names:
                if name.endswith("_config.json"):
                    parts = json.loads(archive.read(name))["config"]
                    found += [part for part, told in parts.items() if told["use_pickle"] is not False]
            known = ("/weights/", "/sample_inputs/", "_config.json", "/models/", "/extra/", "/archive_", "/.data/")
            found += [name for name in names if not any(part in f"/{name}" for part in (*known, "/byteorder"))]
            return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no file of torch.export: {error}; export the model anew") from error
