"""A recipe to a run folder.

Names are imported when they are asked for: reading a finished run takes a blink, importing torch takes seconds.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from affectspace.on_demand import on_demand

if TYPE_CHECKING:  # the same names, for readers, editors and type checkers
    from affectspace.training.folds import train_folds
    from affectspace.training.model import Model, load_model
    from affectspace.training.recipe import Recipe, make_recipe
    from affectspace.training.recipe_file import dump_recipe, load_recipe
    from affectspace.training.run import Run
    from affectspace.training.train import train

__all__ = [
    "Model",
    "Recipe",
    "Run",
    "dump_recipe",
    "load_model",
    "load_recipe",
    "make_recipe",
    "train",
    "train_folds",
    "train_recipe",
]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "Model": ".model",
        "Recipe": ".recipe",
        "Run": ".run",
        "dump_recipe": ".recipe_file",
        "load_model": ".model",
        "load_recipe": ".recipe_file",
        "make_recipe": ".recipe",
        "train": ".train",
        "train_folds": ".folds",
    },
)


def train_recipe(recipe: "Recipe", folder: str | Path, *, resume: bool = False, quiet: bool = False) -> "Run":
    """One run, or all folds of a protocol whose ``fold`` is "all"."""
    from affectspace.training.folds import train_folds
    from affectspace.training.recipe_protocol import all_folds
    from affectspace.training.train import train

    return (train_folds if all_folds(recipe.protocol) else train)(recipe, folder, resume=resume, quiet=quiet)


class _Package(ModuleType):
    """This package; its attribute ``train`` is always the function, though a module bears that name too."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Whoever imports the module affectspace.training.train makes Python bind it here, over the function.
        if name == "train" and isinstance(value, ModuleType):
            value = value.train
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
