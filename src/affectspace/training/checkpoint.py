"""Checkpoints of everything: written aside, renamed, checksums last; damaged ones are passed over."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from affectspace.errors import InputError
from affectspace.files import atomic_directory, sha256
from affectspace.training.processes import Processes

__all__ = [
    "Checkpoint",
    "load_module",
    "load_optimiser",
    "newest_checkpoint",
    "optimiser_state",
    "random_state",
    "save_checkpoint",
    "send_checkpoint",
    "set_random_state",
]

KEPT = 2  # the newest may be lost with a disk; the one before it is then still there


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on to the bit: tensors by part and name, and plain values."""

    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]


def save_checkpoint(
    folder: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> Path:
    """Write ``folder/step-NNNNNNNN``: one safetensors file a part, ``state.json``, ``checksums.json``.

    The folder appears under its name only when every file is on the disk, and older checkpoints are
    removed only after that, so a kill at any moment leaves at least one whole checkpoint. A step is
    saved once: where its folder is there already, that one stays.
    """
    target = folder / f"step-{step:08d}"
    with atomic_directory(target) as path:
        for part, named in tensors.items():
            # Written by Python, whose error for a full disk says so; the library's own writer has another.
            content = save({name: value.detach().cpu().contiguous() for name, value in named.items()})
            (path / f"{part}.safetensors").write_bytes(content)
        (path / "state.json").write_text(json.dumps(state), encoding="utf-8")
        sums = {file.name: sha256(file) for file in sorted(path.iterdir())}
        (path / "checksums.json").write_text(json.dumps(sums), encoding="utf-8")
    for old in sorted(folder.glob("step-*"))[:-KEPT]:
        shutil.rmtree(old)
    return target


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint whose files match their checksums; None where there is none.

    Damaged ones that are newer are removed, so that they cannot push whole ones out later.
    """
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            sums = json.loads((path / "checksums.json").read_text(encoding="utf-8"))
            if any(sha256(path / name) != digest for name, digest in sums.items()):
                raise ValueError("a file does not match its checksum")
            tensors = {file.stem: load_file(file) for file in path.glob("*.safetensors")}
            return Checkpoint(tensors, json.loads((path / "state.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    return None


def send_checkpoint(checkpoint: Checkpoint | None, processes: Processes) -> Checkpoint:
    """The first process's, on all of them; the others give None."""
    state = processes.agree(checkpoint and checkpoint.state)
    content = None
    if checkpoint is not None:
        flat = {f"{part} {name}": value for part, named in checkpoint.tensors.items() for name, value in named.items()}
        content = save({name: value.detach().cpu().contiguous() for name, value in flat.items()})
    tensors: dict[str, dict[str, Tensor]] = {}
    for key, value in load(processes.send(content)).items():
        part, name = key.split(" ", 1)
        tensors.setdefault(part, {})[name] = value
    return Checkpoint(tensors, state)


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors by ``parameter.name``; its settings come from the recipe, not from here."""
    states = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, state in states.items()
        for name, value in state.items()
        if value is not None  # SGD's memory of steps, where it has no momentum
    }


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`optimiser_state` gave.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> adam = torch.optim.Adam([weight]); weight.sum().backward(); adam.step()
        >>> other = torch.optim.Adam([weight]); load_optimiser(other, optimiser_state(adam))
        >>> other.state[weight]["exp_avg"].tolist() == adam.state[weight]["exp_avg"].tolist()
        True
    """
    states: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        own = parameters[int(index)]
        if value.shape == own.shape:  # a fused step reads both by one order in memory, which files do not keep
            value = torch.empty_like(own, dtype=value.dtype, device=value.device).copy_(value)
        states.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})


def load_module(module: nn.Module, tensors: Mapping[str, Tensor], folder: Path, what: str) -> None:
    """Put back the state of a net or of its terms, as :func:`save_checkpoint` was given it.

    Args:
        module: into which.
        tensors: its ``state_dict()`` of then.
        folder: the run, and ``what`` the module is, in words, plural: for the error alone.

    Raises:
        InputError: any tensor that only one of both has, or that has another shape: recipe and data are those of then,
            so that another version makes another module of them.

    Example:
        >>> load_module(nn.Linear(3, 2), {"weight": torch.ones(2, 4)}, Path("runs/mine"), "layers of the net")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: runs/mine cannot go on: its checkpoint has no bias, and the layers of the net
        here have one of shape (2,) (1 more does not fit); another version of affectspace began it, so begin the run
        anew with --out, or go on with that version, which environment.txt names
    """
    own = module.state_dict()
    shapes = [(name, _shape(tensors, name), _shape(own, name)) for name in dict.fromkeys([*own, *tensors])]
    wrong = [(name, then, now) for name, then, now in shapes if then != now]
    if wrong:
        name, then, now = wrong[0]
        had = f"no {name}" if then is None else f"{name} of shape {then}"
        have = "none" if now is None else f"one of shape {now}"
        more = f" ({len(wrong) - 1} more do{'es' * (len(wrong) == 2)} not fit)" if len(wrong) > 1 else ""
        raise InputError(
            f"{folder} cannot go on: its checkpoint has {had}, and the {what} here have {have}{more}; another version "
            "of affectspace began it, so begin the run anew with --out, or go on with that version, which "
            "environment.txt names"
        )
    module.load_state_dict(tensors)


def _shape(tensors: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(tensors[name].shape) if name in tensors else None


def random_state() -> dict[str, Tensor]:
    """Where the random numbers of this process stand, by device."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_state(states: Mapping[str, Tensor]) -> None:
    """Put back what :func:`random_state` gave."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
