"""The files below a recipe's ``data`` by which features of new items are made."""

import glob
from pathlib import Path

from affectspace.errors import InputError
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_features import FaceSequenceFeatures, VectorFeatures, WordFeatures
from affectspace.training.recipe_file import load_recipe

__all__ = ["files_below", "refuse_missing_below", "with_data_of_run"]


def files_below(recipe: Recipe) -> list[str]:
    """Tables of vectors and words, nets and finders of faces, as the recipe names them; a model keeps none of these.

    Example:
        >>> from affectspace.training import make_recipe
        >>> files_below(make_recipe({
        ...     "name": "words", "corpora": [{"path": "mine"}],
        ...     "labels": {"kind": "classes", "names": ["sad", "happy"]},
        ...     "features": {"kind": "words", "path": "glove.npz"},
        ...     "protocol": {"kind": "leave_one_out", "by": "speaker"},
        ... }))
        ['glove.npz']
    """
    found: list[str] = []
    for view in recipe.per_modality().values():
        match view.features:
            case VectorFeatures(path=path):
                found += [path] if isinstance(path, str) else path
            case WordFeatures(path=path):
                found.append(path)
            case FaceSequenceFeatures() as features:
                found += [path for path in (features.run, features.finder) if path not in (None, "cascade")]
    return found


def with_data_of_run(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe of a saved model with the ``data`` of its run, where the model lies in the run's folder.

    Args:
        recipe: as the model has it, which knows no path of the machine that it was trained on.
        folder: of the model.
    """
    run = folder.resolve().parent / "recipe.toml"
    if not files_below(recipe) or not run.is_file():
        return recipe
    return recipe.model_copy(update={"data": load_recipe(run).data})


def refuse_missing_below(recipe: Recipe) -> None:
    """Stop where a file that the recipe reads is not below its ``data``.

    Raises:
        InputError: it names all of them.
    """
    gone = [path for path in files_below(recipe) if not glob.glob(str(Path(recipe.data) / path))]
    if gone:
        raise InputError(
            f"the model makes features by {', '.join(gone)}, which is not below {Path(recipe.data).resolve()}: give "
            "the folder of its run, whose recipe.toml says where its data lie, or put the files back there"
        )
