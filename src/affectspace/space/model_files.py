"""The files that make a model, wherever it lies, and one hash of them all."""

import hashlib
from pathlib import Path

from affectspace.files import json_text, sha256
from affectspace.training.hub_model import model_folder

__all__ = ["model_files", "model_sha256"]

CARD = "README.md"  # of a model, which decides nothing


def model_files(run: str | Path) -> dict[str, Path]:
    """The files that make a model, by their names in its folder, but for its card."""
    folder = model_folder(run)
    folder = folder / "model" if (folder / "model").is_dir() else folder
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    return {file.relative_to(folder).as_posix(): file for file in files if file.name != CARD}


def model_sha256(run: str | Path) -> str:
    """A hash of the files of a model."""
    told = {name: sha256(file) for name, file in model_files(run).items()}
    return hashlib.sha256(json_text(told).encode()).hexdigest()
