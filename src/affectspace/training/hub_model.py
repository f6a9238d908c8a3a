"""A trained model by its name on the Hugging Face hub, where a folder could be given as well."""

import json
import re
import shutil
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from affectspace.errors import InputError
from affectspace.extras import refuse_missing
from affectspace.files import atomic_directory
from affectspace.training.finder_file import NAME as FINDER
from affectspace.training.frontends import cache_folder

__all__ = ["HUB_FILES", "PREFIX", "model_folder", "named_on_hub", "refuse_no_hub"]

PREFIX = "hf:"  # so that a mistyped path never asks anybody on the network
NAME = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
# All that a model is made of, and of a repository all that is ever fetched: arrays, settings and words, no code.
HUB_FILES = (
    "README.md", "config.json", "model.safetensors", "known.safetensors", FINDER, "pretrained/config.json",
    "pretrained/preprocessor_config.json",
)  # fmt: skip


def named_on_hub(source: str | Path) -> bool:
    """Whether a model is named on the hub, and not by a folder.

    Example:
        >>> named_on_hub("hf:somebody/feelings"), named_on_hub("runs/feelings")
        (True, False)
    """
    return str(source).startswith(PREFIX)


def model_folder(source: str | Path) -> Path:
    """The folder of a model: the path itself, or where the hub's files of ``hf:OWNER/NAME`` lie on this machine.

    They are fetched where they are not there yet; ``HF_HUB_OFFLINE=1`` keeps to those that are. ``@REVISION`` behind a
    name is a branch, a tag or a commit of it. Only safetensors, JSON and the card are fetched, whatever else there is.

    Args:
        source: a path, which may lead nowhere, or a name.

    Raises:
        InputError: a name that is none, huggingface_hub is not installed, no such model, the hub cannot be reached, or
            what it has is no model of ours in safetensors.

    Example:
        >>> model_folder("runs/feelings")
        PosixPath('runs/feelings')
        >>> model_folder("hf:feelings")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: 'hf:feelings' names no model; on the hub one is hf:OWNER/NAME, or ...
    """
    if not named_on_hub(source):
        return Path(source)
    if not (found := NAME.fullmatch(str(source))):
        raise InputError(f"{str(source)!r} names no model; on the hub one is hf:OWNER/NAME, or hf:OWNER/NAME@REVISION")
    refuse_no_hub()
    return _fetched(found["repository"], found["revision"])


def refuse_no_hub() -> None:
    """Raise where huggingface_hub is not installed.

    Raises:
        InputError: it says what to type.
    """
    refuse_missing("hub", "the hub needs", "huggingface_hub")


@lru_cache(maxsize=32)
def _fetched(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # pyright: ignore[reportMissingImports]

    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=list(HUB_FILES)))
    except Exception as error:  # its own faults of names and answers, and those of whatever client it has
        _tell(repository, revision, error)
    _refuse_other(folder, repository)
    return _without_links(folder, repository) if (folder / FINDER).exists() else folder


def _tell(repository: str, revision: str | None, error: Exception) -> NoReturn:
    """Raise what went wrong as one sentence, with the remedy."""
    from huggingface_hub import errors  # pyright: ignore[reportMissingImports]

    named = f"{repository}@{revision}" if revision else repository
    match error:
        case errors.GatedRepoError():
            told = f"{repository} is open to those alone who were let in; ask on its page, then: hf auth login"
        case errors.RepositoryNotFoundError():
            told = f"the hub knows no model {repository}, or it is private; check the name, or: hf auth login"
        case errors.RevisionNotFoundError():
            told = f"{repository} has no revision {revision}; give a branch, a tag or a commit of it"
        case errors.HFValidationError():
            told = f"{repository} can be no model on the hub; one is hf:OWNER/NAME"
        case errors.LocalEntryNotFoundError() | errors.OfflineModeIsEnabled() | ConnectionError():
            told = (
                f"{named} is not on this machine, and the hub cannot be asked for it (offline, or HF_HUB_OFFLINE is "
                "set); connect once, or give a folder"
            )
        case _:
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            told = f"{named} cannot be fetched from the hub: {line}; try again later, or give a folder"
    raise InputError(told) from error


def _refuse_other(folder: Path, repository: str) -> None:
    """Raise where a repository holds no model of ours, or not in safetensors."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        ours = {"format", "recipe", "normaliser"} <= config.keys()
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        raise InputError(
            f"{repository} is no model of affectspace (its config.json is missing or another's); give one that "
            "affectspace export --to hub has made"
        )
    if not (folder / "model.safetensors").is_file():
        raise InputError(
            f"{repository} has no model.safetensors, and other formats of weights, such as pickles, may run code, so "
            "none is opened; ask its author for safetensors"
        )


def _without_links(folder: Path, repository: str) -> Path:
    """A copy in our own cache: the hub's has links, and the file of a face finder must lie in the model's folder."""
    own = cache_folder() / "models" / f"{repository.replace('/', '--')}-{folder.name}"
    if not own.is_dir():
        with atomic_directory(own) as partial:
            shutil.copytree(folder, partial, dirs_exist_ok=True)
    return own
