"""Where, and how precisely, a net is trained."""

import logging

import torch
from lightning_fabric import Fabric

from affectspace.errors import InputError

__all__ = ["make_fabric"]


def make_fabric(device: str, precision: str) -> Fabric:
    """Where and how precisely to train, by ``training.device`` and ``training.precision`` of a recipe.

    Raises:
        InputError: a device that this machine does not have.

    Example:
        >>> make_fabric("cpu", "32-true").device
        device(type='cpu')
    """
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device in there and not there[device]():
        raise InputError(f"training.device is {device!r}, and this machine has none; legal here: cpu, auto")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces what the recipe asked for
    return Fabric(accelerator=device, devices=1, precision=precision)  # pyright: ignore[reportArgumentType]
