"""SHA-256 of what features are made by: a file, a net that was trained here, or one that others have trained."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from affectspace.files import sha256
from affectspace.training.pretrained_source import FOLDER, source_of
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_encoder import PretrainedImageEntry, PretrainedSpeechEntry

__all__ = ["digest", "digest_of_encoder", "files_of_net", "files_of_pretrained"]

# Weights, settings and vocabularies of a folder that ``save_pretrained`` wrote; what else lies there is not read.
READ = (".safetensors", ".json", ".txt", ".model")


def files_of_net(folder: Path) -> list[Path]:
    """What decides the answers of a run's net: its settings and its weights.

    Args:
        folder: of the run, or of its model.
    """
    model = folder / "model" if (folder / "model").is_dir() else folder
    held = [model / "config.json", model / "model.safetensors", *sorted((model / FOLDER).glob("*"))]
    return [file for file in held if file.is_file()]


def files_of_pretrained(folder: Path) -> list[Path]:
    """What decides the answers of a model of ``transformers``: its weights, its settings and its vocabulary.

    Args:
        folder: as ``save_pretrained`` has written it.
    """
    return sorted(file for file in folder.iterdir() if file.suffix in READ and file.is_file())


def digest(files: Sequence[Path]) -> str:
    """SHA-256 of a file's bytes, or of the names and the bytes of several; where they lie does not matter.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = file.write_text("so")
        >>> digest([file]) == sha256(file) != digest([file, file])
        True
    """
    if len(files) == 1:
        return sha256(files[0])
    return hashlib.sha256("".join(f"{file.name} {sha256(file)}\n" for file in files).encode()).hexdigest()


def digest_of_encoder(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of the folder whose weights a recipe's net begins with, by its path; empty where there is none.

    A run that goes on begins with these again. Once it is trained, a net of pictures holds all of its weights, and
    adapters of speech remember the hash of theirs.
    """
    if not isinstance(recipe.encoder, PretrainedImageEntry | PretrainedSpeechEntry):
        return {}
    folder = source_of(recipe, recipe.encoder.source)
    return {recipe.encoder.source: digest(files_of_pretrained(folder))} if isinstance(folder, Path) else {}
