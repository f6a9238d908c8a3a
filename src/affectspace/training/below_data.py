"""The files below a recipe's ``data`` by which features of new items are made."""

import glob
from collections.abc import Mapping
from pathlib import Path

from affectspace.errors import InputError
from affectspace.features import FaceSequence
from affectspace.training.digests import digest, files_of_net, files_of_pretrained
from affectspace.training.frontends import make_frontend
from affectspace.training.pretrained_source import source_folder
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_encoder import PretrainedSpeechEntry
from affectspace.training.recipe_features import FaceSequenceFeatures, VectorFeatures, WordFeatures
from affectspace.training.recipe_file import load_recipe

HUB = "hub:"  # before the name of a model that is no folder below the data

__all__ = ["digests_below", "files_below", "refuse_other_below", "with_data_of_run"]


def files_below(recipe: Recipe) -> list[str]:
    """Tables of vectors and words, nets and finders of faces, and folders of pretrained models; a model keeps none.

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
        if isinstance(view.features, VectorFeatures):
            path = view.features.path
            found += [path] if isinstance(path, str) else path
        found += _lasting(view)
    return list(dict.fromkeys(found))


def digests_below(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of each of :func:`files_below` that is there, by its path in the recipe, and of models on the hub.

    The name of one on the hub follows ``hub:``, and of it those files count that decide its answers.
    Tables of vectors are not among them: they get rows for new items, and those of others stay as they are.
    """
    lasting = {
        path: files
        for view in recipe.per_modality().values()
        for path, files in (_lasting(view) | _of_hub(view)).items()
    }
    return {path: digest(files) for path, files in lasting.items() if files}  # of others their front ends tell


def with_data_of_run(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe of a saved model with the ``data`` of its run, where the model lies in the run's folder.

    Args:
        recipe: as the model has it, which knows no path of the machine that it was trained on.
        folder: of the model.
    """
    run = folder.resolve().parent / "recipe.toml"
    # whether a source is a folder can only be seen below these data
    sources = any(getattr(view.features, "source", None) for view in recipe.per_modality().values())
    sources |= isinstance(recipe.encoder, PretrainedSpeechEntry)
    if not (files_below(recipe) or sources) or not run.is_file():
        return recipe
    return recipe.model_copy(update={"data": load_recipe(run).data})


def refuse_other_below(recipe: Recipe, digests: Mapping[str, str] | None) -> None:
    """Stop where a file that a model makes features by is not below its ``data``, or not the one of its training.

    Args:
        recipe: of the model.
        digests: :func:`digests_below` of its training; None: of a model that was saved before it kept them.

    Raises:
        InputError: it names all of them.
    """
    root, known = Path(recipe.data), digests or {}
    named = dict.fromkeys([*files_below(recipe), *(path for path in known if not path.startswith(HUB))])
    if gone := [path for path in named if not (root / path).exists() and not glob.glob(str(root / path))]:
        raise InputError(
            f"the model makes features by {', '.join(gone)}, which is not below {root.resolve()}: give "
            "the folder of its run, whose recipe.toml says where its data lie, or put the files back there"
        )
    if digests is None:
        return
    now = digests_below(recipe)
    # All folders are known since training; of the hub a model knows nothing that was saved before it kept that.
    if hidden := [path for path in now if path not in known and not path.startswith(HUB)]:
        raise InputError(
            f"the model makes features by {', '.join(hidden)} of the hub, and a folder of that name has since been put "
            f"below {root.resolve()}; give it another name"
        )
    changed = [path for path in known if now.get(path) != known[path]]
    if published := [path.removeprefix(HUB) for path in changed if path.startswith(HUB)]:
        raise InputError(
            f"{', '.join(published)} of the hub has changed since the model was trained, which would read features "
            "made by it wrongly; restore the hub's cache of that day and set HF_HUB_OFFLINE=1, or train again"
        )
    if changed:
        raise InputError(
            f"{', '.join(str(root.resolve() / path) for path in changed)} has changed since the model was trained, "
            "which would read features made by it wrongly; restore it from a copy, or train again"
        )


def _lasting(recipe: Recipe) -> dict[str, list[Path]]:
    """What must stay as it was in training for a single modality, by its path in the recipe: the files of each."""
    root, features = Path(recipe.data), recipe.features
    found: dict[str, list[Path]] = {}
    if isinstance(features, WordFeatures):
        found[features.path] = [root / features.path]
    if isinstance(features, FaceSequenceFeatures):
        if features.run is not None:
            found[features.run] = files_of_net(root / features.run)
        if features.finder != "cascade":
            found[features.finder] = [root / features.finder]
    if folder := source_folder(recipe):
        found[str(getattr(features, "source", None))] = files_of_pretrained(folder)
    return {path: [file for file in files if file.is_file()] for path, files in found.items()}


def _of_hub(recipe: Recipe) -> dict[str, list[Path]]:
    """The files of the hub by which a single modality is made, by ``hub:`` and the model's name."""
    source = getattr(recipe.features, "source", None)
    if source is None or source_folder(recipe):
        return {}
    frontend = make_frontend(recipe)  # its model stays open, so that the commit is the one that makes the features
    model = frontend.encoder if isinstance(frontend, FaceSequence) else frontend
    return {f"{HUB}{source}": model.hub_files}  # pyright: ignore[reportAttributeAccessIssue]  # all with a source have it
