"""Where, and how precisely, a net is trained."""

import logging

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from affectspace.errors import InputError
from affectspace.training.started import started

__all__ = ["make_fabric"]


def make_fabric(device: str, precision: str) -> Fabric:
    """Where and how precisely to train, by ``training.device`` and ``training.precision`` of a recipe.

    Of several processes on a machine each has a GPU of its own.

    Raises:
        InputError: a device that this machine does not have, or fewer of them than processes.

    Example:
        >>> make_fabric("cpu", "32-true").device
        device(type='cpu')
    """
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device in there and not there[device]():
        raise InputError(f"training.device is {device!r}, and this machine has none; legal here: cpu, auto")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces what the recipe asked for
    own, gpus = started(), torch.cuda.device_count() if device in ("auto", "cuda") else 0
    if own is None or not gpus:
        devices = 1
    elif own.local_rank < gpus:
        devices = [own.local_rank]
    else:
        raise InputError(
            f"{own.local_rank + 1} processes or more were started on a machine with {gpus} GPU{'s' * (gpus > 1)}; "
            'start one for each GPU, or set training.device = "cpu"'
        )
    # Processes meet in affectspace.training.processes, and Fabric is told of none: it would guess at them by variables
    # that SLURM sets for scripts, too, which no other process runs.
    alone = [LightningEnvironment()]
    return Fabric(accelerator=device, devices=devices, precision=precision, plugins=alone)  # pyright: ignore[reportArgumentType]
