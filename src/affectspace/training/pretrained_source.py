"""Where a recipe's pretrained model comes from, and what of it is kept with a trained one."""

from pathlib import Path

from torch import nn

from affectspace.encoders import AdaptedSpeech, PretrainedImages
from affectspace.errors import InputError
from affectspace.features import Normaliser
from affectspace.training.named_paths import named_path
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_encoder import PretrainedImageEntry

__all__ = ["FOLDER", "keep_architecture", "make_pretrained", "revision_of", "source_folder", "source_of"]

FOLDER = "pretrained"  # within that of a model, whose file of weights holds all of them


def source_of(recipe: Recipe, source: str) -> str | Path:
    """The folder that a source names, below the recipe's ``data`` or absolute, or else the name itself, on the hub.

    Raises:
        InputError: a relative path that leaves ``data``, or a name on the hub that a folder in the working directory
            has, which would be opened in its place.

    Example:
        >>> from types import SimpleNamespace
        >>> source_of(SimpleNamespace(data="."), "nobody/has-such-a-folder")
        'nobody/has-such-a-folder'
    """
    local = named_path(recipe, "source", source)
    if local.is_dir():
        return local
    if Path(source).is_dir():
        raise InputError(
            f"source {source!r} is no folder below the recipe's data, {Path(recipe.data).resolve()}, and one in the "
            f"working directory, {Path.cwd()}, would be opened in place of that on the hub; put it below data, or "
            "rename it"
        )
    return source


def source_folder(recipe: Recipe) -> Path | None:
    """The folder of the pretrained model that makes the recipe's features; None where none does, or one on the hub."""
    source = getattr(recipe.features, "source", None)
    place = None if source is None else source_of(recipe, source)
    return place if isinstance(place, Path) else None


def make_pretrained(
    recipe: Recipe, entry: PretrainedImageEntry, channels: int, classes: int, normaliser: Normaliser | None,
    kept: Path | None, revision: str | None,
) -> PretrainedImages:  # fmt: skip
    """The net that the recipe names: with the weights that others have trained, or the architecture that was kept.

    Args:
        recipe: whose ``data`` a folder lies below.
        entry: its section ``encoder``.
        channels: of the pictures.
        classes: number of classes.
        normaliser: of this corpus, which the net undoes; None: a state that follows tells it.
        kept: folder of a saved model; None: the weights come from the source.
        revision: the commit of a model on the hub with which the run began; None: it begins.

    Raises:
        InputError: as :class:`affectspace.encoders.PretrainedImages`.
    """
    source = kept / FOLDER if kept is not None else source_of(recipe, entry.source)
    pooled = None if normaliser is None else normaliser.pooled
    mean, scale = (0.0, 1.0) if pooled is None else (pooled.mean.tolist(), pooled.scale.tolist())
    return PretrainedImages(
        source, channels, classes, entry.dimensions, entry.non_negative, entry.dropout, mean, scale,
        probe=entry.probe, frozen=entry.frozen, weights=kept is None, revision=None if kept else revision,
    )  # fmt: skip


def keep_architecture(recipe: Recipe, encoder: nn.Module, folder: Path) -> Recipe:
    """Write what the net is made from into the folder of a model; the recipe, which then names no other place.

    A recipe of another net is returned as it is.
    """
    if not isinstance(recipe.encoder, PretrainedImageEntry):
        return recipe
    assert isinstance(encoder, PretrainedImages), "made by this recipe"
    encoder.save_architecture(folder / FOLDER)
    return recipe.model_copy(update={"encoder": recipe.encoder.model_copy(update={"source": FOLDER})})


def revision_of(encoder: nn.Module) -> str | None:
    """The commit of the hub whose weights a net began with; None of any other."""
    if isinstance(encoder, AdaptedSpeech):
        return encoder.trunk.source.revision
    return encoder.trunk.revision if isinstance(encoder, PretrainedImages) else None
