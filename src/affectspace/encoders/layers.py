"""Fully connected layers one on another."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

__all__ = ["check_sizes", "connected"]


def connected(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers from each size to the next, with a ReLU between every two of them and none at the end.

    Raises:
        ValueError: a size below 1.

    Example:
        >>> connected((1582, 512, 128))
        Sequential(
          (0): Linear(in_features=1582, out_features=512, bias=True)
          (1): ReLU()
          (2): Linear(in_features=512, out_features=128, bias=True)
        )
    """
    check_sizes(**{f"layer {number}": size for number, size in enumerate(sizes)})
    layers = [part for pair in pairwise(sizes) for part in (nn.ReLU(), nn.Linear(*pair))]
    return nn.Sequential(*layers[1:])


def check_sizes(**sizes: int) -> None:
    """Refuse a size below 1, by its name."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}; give a whole number of at least 1")
