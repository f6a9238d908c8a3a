"""Several runs: found in their folders, grouped by model, and called as briefly as tells them apart."""

import json
from collections.abc import Sequence
from os.path import commonpath
from pathlib import Path

from affectspace.errors import InputError
from affectspace.training.run import Run, holds_run

__all__ = ["is_run", "model_groups", "model_names", "open_runs", "run_names", "unlike"]


def open_runs(paths: Sequence[str | Path]) -> list[Run]:
    """The runs in these folders; a folder that is no run but holds some stands for each of them, by name.

    One that is named twice counts once.

    Raises:
        InputError: a folder that neither is nor holds a run, or no folder at all.

    Example:
        >>> open_runs([])
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: no run was given; name at least one run folder
    """
    runs = []
    for path in map(Path, paths):
        inner = (
            sorted(p for p in path.iterdir() if p.is_dir() and is_run(p)) if path.is_dir() and not is_run(path) else []
        )
        runs.extend(Run(p) for p in inner or [path])
    runs = list({run.path.resolve(): run for run in runs}.values())
    if not runs:
        raise InputError("no run was given; name at least one run folder")
    return runs


def model_groups(runs: Sequence[Run]) -> list[list[int]]:
    """Places of the runs of each model: runs whose recipes differ in nothing but the seed are one model."""
    groups: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        recipe = {**run.recipe, "name": run.name, "seed": None, "data": None}
        groups.setdefault(json.dumps(recipe, sort_keys=True, default=str), []).append(place)
    return list(groups.values())


def run_names(runs: Sequence[Run]) -> tuple[str, ...]:
    """A name for each run: its recipe's; where several share that with their seed, or with where they lie.

    Seeds part runs of one model only: beside another model of that name they would hide what differs.
    """
    told, groups = [run.name for run in runs], model_groups(runs)
    for name in {name for name in told if told.count(name) > 1}:
        places = [place for place, run in enumerate(runs) if run.name == name]
        seeds = [f"seed {runs[place].seed}" for place in places]
        by_seed = places in groups and len(set(seeds)) == len(seeds)
        more = seeds if by_seed else unlike([runs[place].path for place in places])
        for place, what in zip(places, more):
            told[place] = f"{name} ({what})"
    return tuple(told)


def model_names(runs: Sequence[Run]) -> dict[str, list[int]]:
    """Places of the runs of each model; runs whose recipes differ in nothing but the seed are one model."""
    groups = model_groups(runs)
    found = {}
    for group in groups:
        name = runs[group[0]].name
        others = [other for other in groups if runs[other[0]].name == name]
        if len(others) > 1:
            folders = [Path(commonpath([runs[place].path.resolve() for place in other])) for other in others]
            if len(set(folders)) < len(folders):  # all lie in one; then the first run stands for its model
                folders = [runs[other[0]].path for other in others]
            name = f"{name} ({unlike(folders)[others.index(group)]})"
        found[name] = group
    return found


def unlike(paths: Sequence[Path]) -> list[str]:
    """Of several paths what tells them apart: the parts that differ, or what follows their common beginning.

    Example:
        >>> study = Path("studies/losses/runs")
        >>> unlike([study / "CE/to cirin/seed-0", study / "KL/to cirin/seed-0"])
        ['CE', 'KL']
        >>> unlike([Path("runs/CE/seed-0"), Path("runs/CE/seed-1"), Path("runs/KL/seed-0")])
        ['CE/seed-0', 'CE/seed-1', 'KL/seed-0']
        >>> unlike([Path("runs/a"), Path("runs/a/b")])
        ['a', 'a/b']
    """
    places = [path.resolve() for path in paths]
    parts = [place.parts for place in places]
    if len({len(each) for each in parts}) == 1:
        differ = [place for place, column in enumerate(zip(*parts)) if len(set(column)) > 1]
        return ["/".join(each[place] for place in differ) for each in parts]
    common = min(len(Path(commonpath(places)).parts), min(map(len, parts)) - 1)  # something is left of each
    return ["/".join(each[common:]) for each in parts]


def is_run(path: Path) -> bool:
    """Whether a folder is that of a run, of one fold or of several."""
    return holds_run(path) or any(holds_run(p) for p in path.glob("fold-[0-9]*"))
