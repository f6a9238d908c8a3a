"""How far the planned runs of a study are: finished, begun, not begun, or left by another recipe."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.studies.overrides import dotted
from affectspace.studies.plan import Planned, Shape
from affectspace.training.recipe import load_recipe

__all__ = ["State", "finished", "look", "no_longer_planned", "refuse_stale", "replace_stale"]


@dataclass(frozen=True)
class State:
    """Of planned runs, in their order: which are finished, which are still to do, and which are stale.

    Args:
        finished: never run again.
        left: begun with an equal recipe, and then resumed, or not begun.
        stale: their folders hold runs of other recipes; each with the first difference in words.
    """

    finished: list[Planned]
    left: list[Planned]
    stale: list[tuple[Planned, str]]

    def __add__(self, other: "State") -> "State":
        return State(self.finished + other.finished, self.left + other.left, self.stale + other.stale)

    @property
    def done(self) -> set[Path]:
        """Folders of those that are finished."""
        return {run.folder for run in self.finished}


def finished(folder: Path) -> bool:
    """Whether the run in a folder is; its final figures are the last thing that training writes."""
    return (folder / "metrics.json").is_file()


def look(folder: Path, planned: Iterable[Planned], shape: Shape) -> State:
    """What is there of the planned runs, and whether it is of their recipes and of the corpora as they are."""
    state = State([], [], [])
    for run in planned:
        place = folder / run.folder
        recipe = place / "recipe.toml"
        if not recipe.is_file():
            state.left.append(run)
        elif difference := _difference(recipe, run) or _changed(place, shape.tables.get((run.recipe, run.split), {})):
            state.stale.append((run, difference))
        else:
            (state.finished if finished(place) else state.left).append(run)
    return state


def _difference(path: Path, run: Planned) -> str:
    """The first key by which the run in a folder differs from the planned one; empty where none does."""
    if path.read_text(encoding="utf-8") == run.text:
        return ""
    try:
        before = load_recipe(path)
    except InputError as error:
        return str(error).splitlines()[0].removeprefix(f"{path}: ")
    if before == run.settings:
        return ""
    return _first(dotted(before.model_dump(mode="json")), dotted(run.settings.model_dump(mode="json")))


def _changed(place: Path, tables: Mapping[str, str]) -> str:
    """Which corpora are no longer what a run was given."""
    try:
        given = json.loads((place / "data.json").read_text(encoding="utf-8"))["corpora"]
        changed = [
            corpus["name"] for corpus in given if tables.get(corpus["name"], corpus["sha256"]) != corpus["sha256"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"the tables of corpus {', '.join(changed)} have changed since" if changed else ""


def _first(was: dict[str, Any], now: dict[str, Any]) -> str:
    for key in {**now, **was}:
        if was.get(key) != now.get(key):
            one, other = was.get(key), now.get(key)
            if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
                return _first(
                    {f"{key}.{n}": v for n, v in enumerate(one)}, {f"{key}.{n}": v for n, v in enumerate(other)}
                )
            if isinstance(one, dict) and isinstance(other, dict):
                return _first({f"{key}.{k}": v for k, v in one.items()}, {f"{key}.{k}": v for k, v in other.items()})
            return f"{key} was {_told(one)}, is {_told(other)}"
    return "it is of another version"


def _told(value: Any) -> str:
    return "not given" if value is None else json.dumps(value, ensure_ascii=False)


def refuse_stale(state: State, folder: Path, waiting: int = 0) -> None:
    """Refuse to go on where runs of other recipes are in the way.

    Args:
        state: of the runs.
        folder: the study's.
        waiting: how many more runs there are whose recipe follows from a choice that is to be made anew.

    Raises:
        InputError: how many are, how many still hold, and the first difference by key.
    """
    if not state.stale:
        return
    run, difference = state.stale[0]
    count, valid = len(state.stale) + waiting, len(state.finished)
    raise InputError(
        f"the study has changed since {folder} was begun: of the runs there {valid:,} still hold, and {count:,} do "
        f"not; in {run.folder}: {difference}. Choose a new folder with --out, or train what does not hold anew with "
        f"--replace, which keeps the old runs in {folder / 'replaced'}"
    )


def replace_stale(state: State, folder: Path) -> int:
    """Move runs of other recipes to ``folder/replaced/<n>``, each to its own place there; how many.

    The pooled figures of folds go with the first of their folds.
    """
    if not state.stale:
        return 0
    number = 1 + max((int(p.name) for p in (folder / "replaced").glob("*") if p.name.isdecimal()), default=0)
    for run, _ in state.stale:
        pooled = (folder / run.folder).parent / "metrics.json"
        for place in (pooled, folder / run.folder):
            if place.exists() and (place != pooled or run.fold is not None):
                target = folder / "replaced" / str(number) / place.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(place, target)
    return len(state.stale)


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
    return sorted(found)
