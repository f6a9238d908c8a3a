"""The runs that folders hold, folds among them, and what each is called in a tracker."""

import re
from collections.abc import Sequence
from pathlib import Path

from affectspace.errors import InputError
from affectspace.training.runs import is_run

__all__ = ["run_folders", "run_name"]


def run_folders(paths: Sequence[str | Path]) -> list[Path]:
    """The folders of all runs in these folders, each once; the folds of a run follow it.

    Of a study these are the runs that it compares, in ``runs/``; those that only choose lie in ``grid/`` and ``own/``,
    which can be named themselves. Links are not followed, but to a run.

    Raises:
        InputError: a path that is no folder.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise InputError(f"there is no run folder {path}; affectspace train makes one")
        for run in _below(path):
            folds = sorted(each for each in run.glob("fold-*") if _is_fold(each) and is_run(each))
            found |= {place.resolve(): place for place in (run, *folds)}
    return list(found.values())


def _below(path: Path) -> list[Path]:
    if is_run(path):
        return [path]
    if _is_study(path):
        path = path / "runs"
    if path.is_symlink() or not path.is_dir():
        return []
    inner = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
    return [run for each in inner for run in _below(each)]


def run_name(folder: Path) -> str:
    """What a run is called: its folder; in a study the way to it from the study's folder, of a fold that of its run.

    It follows from where the run lies alone, so that a run has one name however it is asked for.

    Example:
        >>> run_name(Path("runs/synthetic")), run_name(Path("runs/synthetic/fold-03"))
        ('synthetic', 'synthetic/fold-03')
    """
    place = folder.resolve()
    if _is_fold(place):
        return f"{run_name(place.parent)}/{place.name}"
    for study in place.parents:
        if _is_study(study):
            way = place.relative_to(study).parts
            return "/".join((study.name, *(way[1:] if way[0] == "runs" else way)))
    return place.name


def _is_fold(folder: Path) -> bool:
    return re.fullmatch(r"fold-\d+", folder.name) is not None


def _is_study(folder: Path) -> bool:
    return (folder / "study.toml").is_file() and (folder / "runs").is_dir()
