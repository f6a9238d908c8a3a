"""The network that finds faces, kept with the model whose pictures it has cropped."""

import shutil
from pathlib import Path

from affectspace.errors import InputError
from affectspace.files import inside, sha256
from affectspace.training.pretrained_source import source_folder
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_features import FaceFeatures, FaceSequenceFeatures

__all__ = ["NAME", "finder_file", "keep_finder", "with_kept_finder"]

NAME = "finder.onnx"


def finder_file(recipe: Recipe) -> Path | None:
    """Where the file of the recipe's face finder lies; None where it looks for none, or by the cascade.

    Raises:
        InputError: the path leaves the recipe's ``data``.
    """
    features = recipe.features
    if not isinstance(features, FaceFeatures | FaceSequenceFeatures) or features.finder in (None, "cascade"):
        return None
    return inside(recipe.data, str(features.finder))


def keep_finder(recipe: Recipe, folder: Path) -> tuple[Recipe, str | None]:
    """Copy the finder's file into the folder of a model.

    A model that sees faces by a net below ``data`` (``features.run``, or a folder as ``features.source``) goes nowhere
    without these data, and looks for the finder there too.

    Returns:
        The recipe with the copy for its finder, and the SHA-256 of the file; the recipe itself and None where there
        is no such file, or none is kept.

    Raises:
        InputError: as :func:`finder_file`.
    """
    if (path := finder_file(recipe)) is None or _reads_run(recipe) or source_folder(recipe):
        return recipe, None
    shutil.copyfile(path, folder / NAME)
    features = recipe.features.model_copy(update={"finder": NAME})
    return recipe.model_copy(update={"features": features}), sha256(folder / NAME)


def with_kept_finder(recipe: Recipe, folder: Path, digest: str | None) -> Recipe:
    """The recipe of a saved model, with its ``data`` where the finder's file was kept, if there is one.

    Args:
        recipe: as the model has it, with the ``data`` of its run where it reads others of them.
        folder: of the model.
        digest: SHA-256 of the file in training.

    Raises:
        InputError: the file is missing, or not the one of training, which would crop other pictures.
    """
    source = getattr(recipe.features, "source", None)  # where it was a folder the finder was not kept
    if finder_file(recipe) is None or _reads_run(recipe) or (source is not None and digest is None):
        return recipe
    path = folder / NAME
    if digest is None or not path.is_file():
        raise InputError(
            f"the model in {folder} was saved without {NAME}, the network that found the faces it was trained on; "
            "restore the folder from a copy, or train again"
        )
    if (found := sha256(path)) != digest:
        raise InputError(
            f"{path} is not the network that found the faces the model was trained on: its SHA-256 begins with "
            f"{found[:16]}, expected {digest[:16]}; restore it from a copy"
        )
    return recipe.model_copy(update={"data": str(folder.resolve())})


def _reads_run(recipe: Recipe) -> bool:
    return isinstance(recipe.features, FaceSequenceFeatures) and recipe.features.run is not None
