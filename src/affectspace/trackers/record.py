"""All that a tracker is told of a run: read from its folder, the same for every tracker."""

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from affectspace.trackers.find import run_name
from affectspace.trackers.names import epoch_name, leaves, settings
from affectspace.training.epoch_table import epoch_rows
from affectspace.training.run import Run
from affectspace.training.run_files import RunFiles

__all__ = ["Record", "read_record", "run_id", "same"]

FILES = ("recipe.toml", "environment.txt", "metrics.json", "report.html")
LEFT_OUT = ("seed", "per_fold")  # of the final figures: one is no figure, folds are told by themselves


@dataclass(frozen=True)
class Record:
    """A run as it is at one moment.

    Args:
        id: 16 hexadecimal digits that follow from where the run lies and its recipe; all that a tracker knows it by.
        name: see :func:`affectspace.trackers.find.run_name`.
        whole: the id of the run that this is a fold of; empty where it is none.
        tags: name of the recipe, seed, protocol, corpora, and the hashes of their tables and items.
        settings: the recipe, flat; see :func:`affectspace.trackers.names.settings`.
        points: figures after each epoch, by epoch and name; NaN where one is not finite.
        final: the final figures by name; empty until the run is finished.
        selected: the epoch that the final figures are of; 0 for several folds, and until it is known.
        state: whether the run is finished; "failed" means that it diverged.
        files: those of its folder that are kept with it, of a finished run.
        begun: when the run began, in seconds since 1970.
        told: when the newest figures were written, likewise.
    """

    id: str
    name: str
    whole: str
    tags: dict[str, str]
    settings: dict[str, bool | int | float | str]
    points: dict[int, dict[str, float]]
    final: dict[str, float]
    selected: int
    state: Literal["running", "finished", "failed"]
    files: tuple[Path, ...]
    begun: float
    told: float


def read_record(folder: str | Path) -> Record:
    """The record of the run, or of the fold, in ``folder``.

    A run of several folds has final figures alone: each fold is a run of its own.

    Raises:
        InputError: no run, or one with a damaged file.
    """
    run = Run(folder)
    finished = run.finished  # asked first: whatever finishes while the lines are read is told the next time
    points = {} if run.folds else epoch_rows(RunFiles(run.path), finished)
    metrics = run.metrics if finished else {}
    selected = metrics.get("selected_epoch")
    diverged = (run.path / "diverged" / "batch.json").is_file()
    place = run.path.resolve()
    return Record(
        id=run_id(run),
        name=run_name(run.path),
        whole=run_id(Run(place.parent)) if re.fullmatch(r"fold-\d+", place.name) else "",
        tags=_tags(run),
        settings=settings(run.recipe),
        points={epoch: {epoch_name(name): value for name, value in points[epoch].items()} for epoch in sorted(points)},
        final=_final(metrics, run.timing) if finished else {},
        selected=selected if isinstance(selected, int) else 0,
        state="finished" if finished else "failed" if diverged else "running",
        files=tuple(path for name in FILES if (path := run.path / name).is_file()) if finished else (),
        begun=_written(run.parts[0].path / "recipe.toml"),
        told=max(_written(run.path / name) for name in ("recipe.toml", "metrics.jsonl", "metrics.json")),
    )


def run_id(run: Run) -> str:
    """The same for one run as often as it is asked; another for a run of another recipe, or in another folder."""
    asked = f"{run.path.resolve()}\n{run.recipe_text}"
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def same(one: float, other: float) -> bool:
    """Whether two figures are equal, as they are when neither is a number.

    Example:
        >>> same(0.5, 0.5), same(float("nan"), float("nan")), same(0.5, float("nan"))
        (True, True, False)
    """
    return one == other or (math.isnan(one) and math.isnan(other))


def _tags(run: Run) -> dict[str, str]:
    corpora = run.data.get("corpora") or []
    tags = {
        "recipe": run.name,
        "seed": str(run.recipe.get("seed", "")),
        "protocol": str(run.data.get("protocol") or ""),
        "corpora": ", ".join(str(corpus.get("name")) for corpus in corpora),
    }
    for corpus in corpora:
        hashes = {key: corpus.get(key) for key in ("sha256", "items_sha256")}
        hashes["corrections_sha256"] = (corpus.get("corrections") or {}).get("sha256")
        tags |= {f"data.{corpus.get('name')}.{key}": str(value) for key, value in hashes.items() if value}
    tags |= {f"file.{path}.sha256": digest for path, digest in (run.data.get("files_sha256") or {}).items()}
    return {key: value for key, value in tags.items() if value}


def _final(metrics: dict[str, Any], timing: dict[str, Any]) -> dict[str, float]:
    """Every number of the final figures; ``null`` is NaN where it stands for a figure of a table of figures."""
    told = leaves({key: value for key, value in metrics.items() if key not in LEFT_OUT})
    figures: dict[str, float] = {}
    for name, value in told.items():
        if value is None and "." in name:
            figures[f"final/{name}"] = math.nan
        elif isinstance(value, int | float) and not isinstance(value, bool):
            figures[f"final/{name}"] = float(value)
    if "seconds" in timing:
        figures["final/seconds"] = float(timing["seconds"])
    return figures


def _written(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0
