"""How far the planned runs of a study are: finished, diverged, begun, not begun, or left by something else."""

import json
import os
import shutil
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.studies.data import StudyData, fold_key
from affectspace.studies.plan import Planned
from affectspace.studies.words import counted
from affectspace.training.dotted import dotted
from affectspace.training.recipe_file import load_recipe

__all__ = [
    "Status",
    "epochs_kept",
    "finished",
    "nearest",
    "next_replaced",
    "no_longer_planned",
    "refuse_stale",
    "replace_stale",
    "settled",
    "status_of",
    "versions",
]


@dataclass(frozen=True)
class Status:
    """Of planned runs, in their order: which are settled, which are still to do, and what is in their way.

    Args:
        finished: never run again.
        diverged: of the grid; they would diverge again, so that their settings are out of the question.
        left: begun with an equal recipe, and then resumed, or not begun.
        stale: folders of runs by other recipes or on other data, each with the first difference in words.
    """

    finished: list[Planned]
    diverged: list[Planned]
    left: list[Planned]
    stale: list[tuple[Path, str]]

    def __add__(self, other: "Status") -> "Status":
        mine, its = vars(self), vars(other)
        return Status(**{name: mine[name] + its[name] for name in mine})


def finished(place: Path) -> bool:
    """Whether the run in a folder is; its final figures are the last thing that training writes.

    Figures without a recipe are those of several folds, pooled.
    """
    return (place / "metrics.json").is_file() and (place / "recipe.toml").is_file()


def settled(place: Path, run: Planned) -> bool:
    """Whether a planned run is finished, or is one of the grid that diverged."""
    return finished(place) or _diverged(place, run)


def _diverged(place: Path, run: Planned) -> bool:
    return run.stage != "final" and (place / "diverged" / "batch.json").is_file() and not finished(place)


def status_of(folder: Path, planned: Iterable[Planned], data: StudyData) -> Status:
    """What is there of the planned runs, and whether it is of their recipes and of the data as they are."""
    status = Status([], [], [], [])
    stale: dict[Path, str] = {}
    for run in planned:
        place = folder / run.folder
        stale |= {path: why for path, why in _in_the_way(folder, run, data) if path not in stale}
        if not (place / "recipe.toml").is_file():
            status.left.append(run)
        elif difference := _difference(place, run) or _changed(place, run, data):
            stale[run.folder] = difference
        elif finished(place):
            status.finished.append(run)
        else:
            (status.diverged if _diverged(place, run) else status.left).append(run)
    status.stale.extend(stale.items())
    return status


def _in_the_way(folder: Path, run: Planned, data: StudyData) -> Iterable[tuple[Path, str]]:
    """Where all folds are planned: a run of one, or more folds than there are; and the other way round."""
    if run.stage != "final":
        return
    whole = run.folder if run.fold is None else run.folder.parent
    folds = [path.parent.name for path in (folder / whole).glob("fold-*/recipe.toml")]
    if run.fold is None:
        pooled = (folder / whole / "metrics.json").is_file() and not finished(folder / whole)
        if folds or pooled:
            yield whole, f"it holds {counted(len(folds), 'fold')}, and one run is planned"
        return
    recipe = folder / whole / "recipe.toml"
    if recipe.is_file():
        yield whole, _difference(recipe.parent, run) or "it holds a run of one fold, and several are planned"
    known = {fold_key(fold) for fold in data.folds[run.split]}
    for name in folds:
        if name not in known:
            yield whole / name, f"the protocol has {counted(len(known), 'fold')}, and this is another"


def _difference(place: Path, run: Planned) -> str:
    """The first key by which the run in a folder differs from the planned one; empty where none does."""
    path = place / "recipe.toml"
    if path.read_text(encoding="utf-8") == run.text:
        return ""
    try:
        before = load_recipe(path)
    except InputError as error:
        return str(error).splitlines()[0].removeprefix(f"{path}: ")
    if before.same_as(run.settings):
        return ""
    return before.difference(run.settings)


def _changed(place: Path, run: Planned, data: StudyData) -> str:
    """What has changed in the corpora since a run was given them."""
    from affectspace.training.folder import changes  # loads torch; by now the data have been opened with it

    now = data.corpora.get(run.items_key)
    try:
        begun = json.loads((place / "data.json").read_text(encoding="utf-8"))["corpora"]
        return changes(begun, now) if now else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def epochs_kept(folder: Path, planned: Iterable[Planned]) -> set[int]:
    """Epochs that the runs in the folders of planned ones keep by a choice.

    Inner runs are told to end after it, as none goes on after the epoch that it keeps.
    """
    found = set()
    for run in planned:
        try:
            values = tomllib.loads((folder / run.folder / "recipe.toml").read_text(encoding="utf-8"))
            training, inner = values["training"], values["protocol"].get("inner")
            found.add(training["epochs"] if inner and training["selection"] == "last" else training["selection"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {kept for kept in found if isinstance(kept, int)}


def nearest(folder: Path, planned: Iterable[Planned]) -> list[Planned]:
    """Of runs that may be planned for the same folder, the one that differs least from the run that is there."""
    by_folder: dict[Path, list[Planned]] = {}
    for run in planned:
        by_folder.setdefault(run.folder, []).append(run)
    found = []
    for place, runs in by_folder.items():
        try:
            before = dotted(load_recipe(folder / place / "recipe.toml").model_dump(mode="json", exclude_none=True))
        except InputError:  # none, or none that can be read, which is told of whichever is planned
            before = {}
        found.append(min(runs, key=lambda run: _distance(before, run)) if before else runs[0])
    return found


def _distance(before: dict[str, Any], run: Planned) -> int:
    now = dotted(run.settings.model_dump(mode="json", exclude_none=True))
    return sum(before.get(key) != now.get(key) for key in {**before, **now})


def refuse_stale(status: Status, folder: Path, may: int = 0) -> None:
    """Refuse to go on where other runs are in the way.

    Args:
        status: of the runs.
        folder: the study's.
        may: how many of the finished ones hold only if a choice falls on their settings.

    Raises:
        InputError: how many are, how many still hold, and the first difference by key.
    """
    if not status.stale:
        return
    place, difference = status.stale[0]
    count, valid = len(status.stale), len(status.finished) + len(status.diverged) - may
    told = f"{valid:,} still hold{'s' if valid == 1 else ''}"
    told += f", {may:,} may not, as their settings are to be chosen" if may else ""
    told += f", and {count:,} {'does' if count == 1 else 'do'} not"
    raise InputError(
        f"the study has changed since {folder} was begun: of the runs there {told}; in {place}: {difference}. Choose a "
        "new folder with --out, or train what does not hold anew with --replace, which keeps the old runs in "
        f"{folder / 'replaced'}"
    )


def replace_stale(status: Status, folder: Path) -> int:
    """Move what is in the way to ``folder/replaced/<n>``, each to its own place there; how many runs.

    The pooled figures of folds go with the first of their folds.
    """
    aside = next_replaced(folder)
    for path, _ in status.stale:
        pooled = [path.parent / "metrics.json"] if path.name.startswith("fold-") else []
        for place in (*pooled, path):
            if (folder / place).exists():
                target = aside / place
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(folder / place, target)
    return len(status.stale)


def next_replaced(folder: Path) -> Path:
    """A new place in a study's folder for what is moved aside; nothing is made."""
    number = 1 + max((int(p.name) for p in (folder / "replaced").glob("*") if p.name.isdecimal()), default=0)
    return folder / "replaced" / str(number)


def no_longer_planned(folder: Path, planned: Sequence[Planned]) -> list[Path]:
    """Folders of runs that an earlier plan left here and this one has no use for, relative to the study's."""
    wanted = {run.folder for run in planned}
    found = []
    for top in ("grid", "runs"):
        for place, folders, files in os.walk(folder / top):
            if "recipe.toml" in files:
                folders.clear()  # what is within a run is its own
                path = Path(place).relative_to(folder)
                if path not in wanted:
                    found.append(path)
            folders[:] = [name for name in folders if not name.startswith(".")]  # attempts at runs
    return sorted(found)


def versions(folder: Path, planned: Iterable[Planned]) -> dict[str, list[str]]:
    """Packages of which the runs have seen several versions, with these: figures may differ a little by them."""
    seen: dict[str, set[str]] = {"affectspace": set(), "torch": set()}
    for run in planned:
        path = folder / run.folder / "environment.txt"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            name, _, version = line.partition(" ")
            if name in seen:
                seen[name].add(version)
    return {name: sorted(found) for name, found in seen.items() if len(found) > 1}
