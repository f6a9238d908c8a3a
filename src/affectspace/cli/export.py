"""``affectspace export``"""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from affectspace.cli.outputs import new_file, new_folder
from affectspace.cli.tell import next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:  # --help has no use for torch
    from affectspace.export import Graph, Parity

ENDINGS = {"onnx": ".onnx", "torch-export": ".pt2"}
BOUND = 1e-4  # of a difference between a file's answers and the model's, of numbers up to 1


def export(
    run: Path,
    *,
    to: Literal["onnx", "torch-export", "hub"],
    out: Path,
    push: str | None = None,
    without_items: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Write a run's model for other programs: as one ONNX file, one of torch.export, or a folder for the hub.

    An ONNX or torch.export file goes from samples, pixels or features to embeddings and probabilities; its answers are
    compared with the model's at once.

    Parameters
    ----------
    run
        A finished run folder; for a single file also a model folder, or hf:OWNER/NAME.
    to
        What to write.
    out
        The file (.onnx, .pt2) or folder to write, where nothing is yet.
    push
        Send the folder to the Hugging Face hub as OWNER/NAME; a repository that is new is private.
    without_items
        Leave the training items out of the folder, by which predict names the nearest.
    as_json
        Print what was written as JSON, for machines.
    """
    if to != "hub" and (push or without_items):
        raise InputError("--push and --without-items speak of a folder for the hub; choose --to hub")
    if os.path.lexists(out):
        raise InputError(f"there is something at {out} already; choose another path, or remove it")
    if to == "hub":
        _folder(run, new_folder(out), push, not without_items, as_json)
        return
    new_file(out)
    if out.suffix != ENDINGS[to]:
        raise InputError(f"--out {out} ends in {out.suffix!r}; a file of {to} ends in {ENDINGS[to]}")
    _file(run, to, out, as_json)


def _file(run: Path, to: str, out: Path, as_json: bool) -> None:
    from affectspace.export import (
        graph_of,
        made_up,
        open_onnx,
        open_torch_export,
        parity,
        write_onnx,
        write_torch_export,
    )
    from affectspace.training import load_model
    from affectspace.training.study_folder import refuse_study

    refuse_study(run)
    model = load_model(run)
    graph = graph_of(model)
    write, ask = (write_onnx, open_onnx) if to == "onnx" else (write_torch_export, open_torch_export)
    about = write(out, model, graph)
    found = parity(model, graph, ask(out)[0], made_up(model, graph))
    within = found.embedding <= BOUND * max(1.0, found.largest) and found.probabilities <= BOUND  # never where NaN is
    if as_json:
        print(json_text({"out": str(out), "to": to, **about, "parity": {**asdict(found), "within": within}}))
        return
    inputs, classes = ", ".join(graph.reads.inputs), ", ".join(model.classes)
    size = f"{out.stat().st_size / 1e6:.2f} MB"
    print(f"{model.recipe.name} -> {out} ({size}; {inputs} -> embedding, probabilities of {classes})")
    for line in _told(graph, about, found):
        print(line)
    if not within:
        print(
            f"warning: that is more than {BOUND:g} of the largest number, so check this file before you rely on it: "
            f"ask it about items of your own, and compare with what affectspace predict {quoted(run)} FILE --json "
            "answers (docs/export.md)"
        )
    next_commands(
        f"affectspace export {quoted(run)} --to hub --out {quoted(f'{out.with_suffix(str())}-hub')}",
    )


def _told(graph: "Graph", about: dict[str, Any], found: "Parity") -> list[str]:
    many = "" if graph.reads.lengths is None else f" of many {graph.reads.lengths}"
    return [
        f"before it: {about['before']}",
        f"normalisation: {about['normalisation']}",
        f"the same answers as the model's: of {found.items} made-up items{many}, each alone and all side by side, "
        f"embeddings differ by {found.embedding:.1e} at most (numbers up to {found.largest:.3g}), probabilities by "
        f"{found.probabilities:.1e}",
    ]


def _folder(run: Path, out: Path, push: str | None, items: bool, as_json: bool) -> None:
    from affectspace.export.hub_folder import push as send
    from affectspace.export.hub_folder import refuse_name, write_hub_folder
    from affectspace.training.hub_model import refuse_no_hub
    from affectspace.training.study_folder import refuse_study

    refuse_study(run)
    if push is not None:  # before anything is written
        refuse_name(push)
        refuse_no_hub()
    found = write_hub_folder(out, run, push, items)
    address = None if push is None else send(out, push)
    if as_json:
        print(json_text({"out": str(out), "to": "hub", **asdict(found), "pushed": address}))
        return
    print(f"{run} -> {out} ({', '.join(found.files)})")
    if found.items:
        print(
            f"note: known.safetensors tells ids, labels and vectors of {found.items:,} training items to whoever gets "
            "the folder; --without-items leaves it out"
        )
    for path in found.needs:
        print(f"note: features are made by {path}, which is not part of the model; whoever uses it needs it too")
    if address is not None:
        print(f"sent to {address}; a repository that is new is private until you open it there")
    named = quoted(out) if push is None else f"hf:{push}"
    next_commands(
        f"affectspace predict {named} FILE" if found.reads_files else f"affectspace embed {named} CORPUS",
        *([f"affectspace export {quoted(run)} --to hub --out NEW --push OWNER/NAME"] if push is None else []),
    )
