"""The optimiser of a run, and its learning rate at each step."""

import math
from typing import Any

import torch

from affectspace.training.recipe_training import Training

__all__ = ["make_optimiser", "set_rate"]


def make_optimiser(parameters: list[torch.nn.Parameter], settings: Training) -> torch.optim.Optimizer:
    """The optimiser that ``[training]`` of a recipe asks for."""
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, settings.learning_rate, settings.momentum or 0.0, weight_decay=settings.weight_decay
        )
    return torch.optim.Adam(parameters, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


def set_rate(optimiser: Any, settings: Training, progress: float) -> None:
    """The learning rate of a step, which follows from how far the training is, ``progress`` in [0, 1]."""
    if settings.schedule == "cosine":
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
