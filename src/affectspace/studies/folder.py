"""The folder of a study: whether it is free, or holds this very study."""

import tomllib
from pathlib import Path

from affectspace.errors import InputError
from affectspace.studies.split_name import former_name
from affectspace.studies.study import Study, dump_study

__all__ = ["as_begun", "refuse_other"]

BEGUN = ("progress.json", "timing.json", "grid/points.json", "grid/**/seed-*", "runs/*/*/seed-*")  # a study's own


def as_begun(study: Study, folder: Path) -> Study:
    """The study with the split's name of before, where it has one and was begun when a fold was called as all folds."""
    try:
        before = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8")).get("splits")
    except (OSError, ValueError):
        return study
    former = tuple(entry.model_copy(update={"name": former_name(entry.name)}) for entry in study.splits)
    known = len(former) == 1 and not former[0].set and before == [{"name": former[0].name}]
    return study.model_copy(update={"splits": former}) if known else study


def refuse_other(folder: Path, study: Study) -> None:
    """Stop where a folder holds a run, another study, or files of something else.

    Raises:
        InputError: it does.
    """
    if (folder / "recipe.toml").is_file():
        raise InputError(f"{folder} holds a run; choose another folder with --out")
    try:
        other = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8")).get("name")
    except (OSError, ValueError):
        other = study.name  # none, or one that is written anew
    if other != study.name:
        raise InputError(f"{folder} holds the study {other!r}, not {study.name!r}; choose another folder with --out")
    _refuse_taken(folder, study)


def _refuse_taken(folder: Path, study: Study) -> None:
    """Stop where a folder holds what no study has put there, which reports and tables would replace."""
    if not folder.is_dir() or any(next(folder.glob(mark), None) for mark in BEGUN):
        return
    for path in sorted(folder.iterdir()):
        own = path.name == "study.toml" and path.read_bytes() == dump_study(study).encode()  # all that it came to
        if not (own or path.name.startswith(".")):
            raise InputError(
                f"{folder} is there already, and holds {path.name}, which is of no study that was begun there; choose "
                "another folder with --out, or remove it first"
            )
