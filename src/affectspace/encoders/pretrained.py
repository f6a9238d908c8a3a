"""Models of ``transformers`` from a folder or by name: what all that open one look after."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from affectspace.errors import InputError
from affectspace.extras import refuse_missing

__all__ = ["FAULTS", "first_line", "opening", "refuse_source", "state_of"]

# What transformers and torch raise of a file that is damaged, or of another kind of model.
FAULTS = (OSError, ValueError, TypeError, KeyError, RuntimeError, ImportError, SafetensorError)


def refuse_source(source: str | Path, weights: bool = True) -> None:
    """Refuse what cannot be a model, before anything is opened.

    Args:
        source: a folder, or a model's name on the hub.
        weights: whether its weights are wanted, and not its architecture alone.

    Raises:
        InputError: ``transformers`` is not installed, no such folder, or one without safetensors.
    """
    refuse_missing("pretrained", "pretrained models need", "transformers")
    folder = Path(source)
    if not folder.is_dir() and (folder.is_absolute() or str(source).startswith(".") or str(source).count(os.sep) > 1):
        raise InputError(f"there is no folder {source}; give one with a saved model, or a model's name on the hub")
    if weights and folder.is_dir() and not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{source} has no safetensors, and other formats of weights may run code; save the model with "
            "save_pretrained(..., safe_serialization=True)"
        )


@contextmanager
def opening(source: str | Path) -> Iterator[None]:
    """Tell in one sentence what goes wrong while a model is opened.

    Raises:
        InputError: any of :data:`FAULTS` within the block.
    """
    try:
        yield
    except FAULTS as error:
        raise InputError(f"{source} cannot be opened as a model with safetensors: {first_line(error)}") from error


def state_of(source: str | Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of each file of a folder, so that one which was saved again is opened again.

    Args:
        source: the folder, or a model's name on the hub, of which nothing is told.

    Example:
        >>> state_of("nobody/has-such-a-folder")
        ()
    """
    if not Path(source).is_dir():
        return ()
    files = [(file.name, file.stat()) for file in sorted(Path(source).iterdir()) if file.is_file()]
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in files)


def first_line(error: BaseException) -> str:
    """What an error says, in one line.

    Example:
        >>> first_line(ValueError("no such size\\nsee the manual")), first_line(KeyError())
        ('no such size', 'KeyError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]
