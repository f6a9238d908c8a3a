"""A run's model as a folder in the hub's layout, and its way there."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from affectspace.encoders import AdaptedSpeech
from affectspace.errors import InputError
from affectspace.export.groups import group_scores, speaker_columns, speaker_spread
from affectspace.export.hub_card import Facts, hub_card
from affectspace.files import atomic_directory
from affectspace.training import Run, load_model
from affectspace.training.below_data import files_below
from affectspace.training.hub_model import HUB_FILES, NAME, PREFIX, refuse_no_hub
from affectspace.training.known import FILE as KNOWN
from affectspace.training.known import load_known
from affectspace.training.predict_files import reads_files

__all__ = ["HubFolder", "push", "refuse_name", "write_hub_folder"]


@dataclass(frozen=True)
class HubFolder:
    """What a folder for the hub holds.

    Args:
        files: names of its files, sorted.
        items: how many training items are told of in it.
        needs: files that the model makes features by, which it lacks.
        reads_files: whether the model may be asked about a recording or picture by itself, and not of corpora alone.
    """

    files: tuple[str, ...]
    items: int
    needs: tuple[str, ...]
    reads_files: bool


def write_hub_folder(folder: Path, run: Path, name: str | None = None, items: bool = True) -> HubFolder:
    """Write a folder that ``load_model`` and the hub take: settings, safetensors, and a card for whoever uses it.

    Args:
        folder: which must not be there yet.
        run: a finished run.
        name: ``OWNER/NAME`` that it is to have on the hub, for the card.
        items: whether the training items go with it by which new ones are placed, see ``docs/predict.md``.

    Raises:
        InputError: no finished run with a model, or one that another machine could not open; something is there.
    """
    opened = Run(run)
    model, metrics = load_model(run), opened.metrics
    if isinstance(model.encoder, AdaptedSpeech) and model.encoder.trunk.source.revision is None:
        raise InputError(
            "this model adapts a speech model that lies in a folder of yours, and holds none of its weights, so nobody "
            "else could open it; train it on one of the hub, by its name"
        )
    if folder.exists():
        raise InputError(f"there is something at {folder} already; choose another path, or remove it")
    needs = tuple(files_below(model.recipe))
    tested = opened.evaluated("test")
    columns, gone = speaker_columns(opened)
    known = load_known(run) if items else None
    facts = Facts(
        model, opened.data, metrics, () if tested is None else group_scores(tested, columns),
        None if tested is None else speaker_spread(tested), gone, known, needs, name,
    )  # fmt: skip
    source = run / "model" if (run / "model").is_dir() else run
    with atomic_directory(folder) as partial:
        for each in HUB_FILES:
            if (source / each).is_file() and (each != KNOWN or known is not None):
                (partial / each).parent.mkdir(exist_ok=True)
                shutil.copyfile(source / each, partial / each)
        (partial / "README.md").write_text(hub_card(facts), encoding="utf-8")
        files = sorted(str(path.relative_to(partial)) for path in partial.rglob("*") if path.is_file())
    return HubFolder(tuple(files), 0 if known is None else len(known), needs, reads_files(model))


def push(folder: Path, name: str) -> str:
    """Send a folder to the hub, as one commit to ``OWNER/NAME``; a repository that is new is private.

    Args:
        folder: made by :func:`write_hub_folder`.
        name: of the repository.

    Returns:
        The address of its page.

    Raises:
        InputError: huggingface_hub is not installed, nobody has logged in, or the hub refuses.
    """
    refuse_name(name)
    refuse_no_hub()
    from huggingface_hub import HfApi  # pyright: ignore[reportMissingImports]

    api = HfApi()
    try:
        address = api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="Publish a model by affectspace export")
    except Exception as error:  # its own faults of names and answers, and those of whatever client it has
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{folder} is written, and the hub did not take it as {name}: {line}; log in by hf auth login, then: "
            f"hf upload {name} {folder}"
        ) from error
    return str(address)


def refuse_name(name: str) -> None:
    """Raise where a name can be none on the hub.

    Raises:
        InputError: it names what is legal.

    Example:
        >>> refuse_name("somebody/feelings")
        >>> refuse_name("feelings")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: --push 'feelings' names no place on the hub; give OWNER/NAME
    """
    found = NAME.fullmatch(PREFIX + name)
    if found is None or found["revision"]:
        raise InputError(f"--push {name!r} names no place on the hub; give OWNER/NAME")
