"""How a study stands, by its folder alone: while a process is at work on it, and after."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.files import in_use
from affectspace.studies.board import PROGRESS
from affectspace.studies.claims import claimed_folders
from affectspace.studies.status import finished
from affectspace.studies.study import load_study, slug

__all__ = ["Overview", "Process", "folder_of", "overview"]

STATES = ("finished", "running", "left", "failed", "diverged")


@dataclass(frozen=True)
class Process:
    """A process, and the run that it trains, if any.

    Args:
        node: the machine.
        run: the folder of the run within the study's; None where it is idle, or measures.
        seconds: that it has been at it.
        epoch: that its newest checkpoint has reached.
        epochs: that it has in all.
    """

    node: str
    run: str | None = None
    seconds: float = 0.0
    epoch: int = 0
    epochs: int = 0


@dataclass(frozen=True)
class Overview:
    """How a study stands.

    Args:
        folder: the study's.
        on: where its runs are, or were last, trained.
        at_work: whether a process is at work on it now.
        ended: how the last one ended, where it did not end well.
        stages: numbers of runs by stage and state: finished, running, left, failed, diverged.
        processes: what each is doing.
        failures: runs that failed by themselves, with why.
        lost: machines that were lost in this call.
        left_out: machines that cannot do the work, and why.
        taken_up: runs that went on in another process.
        cpu_seconds: that all finished runs have taken, by their threads.
        seconds: wall time of all calls.
        left_seconds: that are thought to be left; None where that is not known.
    """

    folder: Path
    on: str
    at_work: bool
    ended: str
    stages: Mapping[str, Mapping[str, int]]
    processes: Sequence[Process] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    lost: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    taken_up: Sequence[str] = ()
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    left_seconds: float | None = None

    @property
    def planned(self) -> int:
        """How many runs it has."""
        return sum(sum(states.values()) for states in self.stages.values())

    def count(self, state: str) -> int:
        """How many runs of all stages are in a state."""
        return sum(states[state] for states in self.stages.values())


def folder_of(path: Path, out: Path | None = None) -> Path:
    """The folder of a study that is named by itself or by its study file.

    Raises:
        InputError: it is neither.
    """
    if path.is_dir():
        return path
    return out if out is not None else Path("studies") / slug(load_study(path).name)


def overview(folder: str | Path) -> Overview:
    """How a study stands.

    Raises:
        InputError: the folder holds no study, or none that has told of itself.
    """
    folder = Path(folder)
    told = _progress(folder)
    at_work = in_use(folder)
    try:
        working = [each for each in told["at_work"] if at_work]
        running = {each["run"] for each in working}
        failures = {each["run"]: each["error"] for each in told["failures"]}
        epochs = {run: count for runs in told["runs"].values() for run, count in runs}
        claimed = {str(place.relative_to(folder)): work for place, work in claimed_folders(folder)}

        def epoch(run: str) -> int:
            return _epoch(claimed.get(run, folder / run))

        stages, cpu = {}, 0.0
        for stage, runs in told["runs"].items():
            states = Counter(_state(folder, stage, run, running, failures) for run, _ in runs)
            stages[stage] = {state: states[state] for state in STATES}
            cpu += sum(_cost(folder / run) for run, _ in runs)
        processes = [
            Process(
                str(each["node"]), each["run"], float(each["seconds"]),
                epoch(each["run"]) if each["run"] else 0,
                epochs.get(each["run"], 0),
            )
            for each in working
        ]  # fmt: skip
        failures = {run: why for run, why in failures.items() if not finished(folder / run)}
        return Overview(
            folder, str(told["on"]), at_work, _ended(told["state"], at_work), stages, processes, failures,
            [str(each) for each in told["lost"]], dict(told["left_out"]), [str(each) for each in told["taken_up"]],
            cpu, _seconds(folder, told if at_work else {}), told["left_seconds"] if at_work else None,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(folder, error) from error


def _ended(state: str, at_work: bool) -> str:
    if state == "ended" or at_work:
        return ""
    return "it was killed" if state == "at work" else state


def _progress(folder: Path) -> dict[str, Any]:
    if not (folder / "study.toml").is_file():
        if in_use(folder):
            raise InputError(
                f"{folder}: a process is opening the data of the study, and has begun no run yet; ask again"
            )
        raise InputError(f"{folder} holds no study; name a study file or the folder of a study that was begun")
    try:
        told = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} has no {PROGRESS}: an older version trained that study; run the same command again, and it "
            "tells how far it is"
        ) from None
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from error
    if not isinstance(told, dict):
        raise _damaged(folder, f"it holds a {type(told).__name__}")
    return told


def _damaged(folder: Path, why: object) -> InputError:
    told = why if isinstance(why, str) else repr(why)
    return InputError(
        f"{PROGRESS} of {folder} is damaged ({told}); remove it and run the same command again, which writes it anew"
    )


def _state(folder: Path, stage: str, run: str, running: set[str | None], failures: Mapping[str, str]) -> str:
    place = folder / run
    if finished(place):
        return "finished"
    if run in running:
        return "running"
    if stage != "final" and (place / "diverged/batch.json").is_file():
        return "diverged"
    return "failed" if run in failures else "left"


def _epoch(work: Path) -> int:
    """The last epoch that a run has told of, which it does with its checkpoints."""
    try:
        return len((work / "metrics.jsonl").read_bytes().splitlines())
    except OSError:
        return 0


def _cost(place: Path) -> float:
    try:
        told = json.loads((place / "timing.json").read_text(encoding="utf-8"))
        return float(told["seconds"]) * int(told["threads"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _seconds(folder: Path, told: Mapping[str, Any]) -> float:
    """What the call at work tells, which is newer than what is kept of it; an older version tells nothing of that."""
    try:
        kept = float(json.loads((folder / "timing.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        kept = 0.0
    return max(kept, float(told.get("seconds", 0.0)))
