"""A recipe to a run folder."""

from pathlib import Path

from affectspace.training.folds import train_folds
from affectspace.training.model import Model, load_model
from affectspace.training.recipe import GroupedFolds, LeaveOneOut, Recipe, dump_recipe, load_recipe, make_recipe
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


def train_recipe(recipe: Recipe, folder: str | Path, *, resume: bool = False, quiet: bool = False) -> Run:
    """One run, or all folds of a protocol whose ``fold`` is "all"."""
    folds = isinstance(recipe.protocol, LeaveOneOut | GroupedFolds) and recipe.protocol.fold == "all"
    return (train_folds if folds else train)(recipe, folder, resume=resume, quiet=quiet)
