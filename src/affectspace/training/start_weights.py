"""Weights to begin a training with, of a net that was trained before."""

from collections.abc import Mapping

from torch import Tensor, nn

from affectspace.errors import InputError

__all__ = ["start_with"]


def start_with(model: nn.Module, start: Mapping[str, Tensor]) -> None:
    """Give the net the weights of ``start``, by name, but for an output layer of another number of classes.

    Raises:
        InputError: any other weight that the net lacks, or has in another shape.
    """
    own = model.state_dict()
    wrong = [name for name, value in start.items() if name not in own or own[name].shape != value.shape]
    for name in wrong:
        if "output" not in name.split("."):  # what every net calls the layer that depends on the classes
            has = "no such weight" if name not in own else f"{tuple(own[name].shape)} there"
            raise InputError(
                f"start: {name} has shape {tuple(start[name].shape)}, and the recipe's net has {has}; give the weights "
                "of a net with the same [encoder] and [features] (its output layer alone may differ)"
            )
    model.load_state_dict(own | {name: value for name, value in start.items() if name not in wrong})
