"""What ``affectspace study --status`` prints: how a study stands, in one view."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectspace.cli.tell import quoted
from affectspace.errors import InputError
from affectspace.files import in_use, json_text

if TYPE_CHECKING:  # --help has no use for them
    from affectspace.studies.overview import Overview

__all__ = ["print_status"]

SHOWN = 5  # failures and idle machines that are told one by one
STAGES = {"grid": "grid", "own": "own grids", "final": "final runs"}


def print_status(path: Path, out: Path | None, as_json: bool) -> None:
    """Print how the study stands that a file or a folder names.

    Raises:
        InputError: there is no such study, or it has not begun.
    """
    from affectspace.studies.overview import folder_of, overview

    folder = folder_of(path, out)
    if not path.is_dir() and not (folder / "study.toml").is_file() and not in_use(folder):
        raise InputError(_not_begun(path, out, folder))
    found = overview(folder)
    if as_json:
        print(json_text(_record(found)))
    else:
        _print(found)


def _not_begun(path: Path, out: Path | None, folder: Path) -> str:
    command = quoted("affectspace", "study", path, *(["--out", out] if out else []))
    elsewhere = "" if out else "; where its folder is another, name that by --out"
    return f"{folder}: the study has not begun yet; start it by: {command}{elsewhere}"


def _print(found: "Overview") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from affectspace.studies.overview import STATES
    from affectspace.studies.words import counted

    console = Console(markup=False, highlight=False, soft_wrap=True)
    state = f"at work on {found.on}" if found.at_work else f"no process is at work on it{_why(found)}"
    console.print(f"{found.folder}: {found.count('finished'):,} of {counted(found.planned, 'run')} finished; {state}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("stage", *STATES):
        table.add_column(heading, justify="left" if heading == "stage" else "right", no_wrap=True)
    for stage, states in found.stages.items():
        table.add_row(STAGES.get(stage, stage), *(f"{states[name]:,}" for name in STATES))
    console.print(table)
    for line in [*_processes(found), *_cost(found), *_faults(found)]:
        console.print(line)


def _why(found: "Overview") -> str:
    return f" ({found.ended})" if found.ended else ""


def _processes(found: "Overview") -> list[str]:
    from affectspace.studies.words import duration

    lines = []
    idle = Counter(each.node for each in found.processes if each.run is None)
    for each in found.processes:
        if each.run is not None:
            epoch = f"epoch {each.epoch:,} of {each.epochs:,} saved, " if each.epoch else ""
            lines.append(f"{each.node}: {each.run} ({epoch}{duration(each.seconds)})")
    return lines + [f"{node}: {count} idle" for node, count in idle.items()]


def _cost(found: "Overview") -> list[str]:
    from affectspace.studies.words import duration

    told = []
    if not found.count("finished"):
        told.append("no run is finished yet")
    elif found.cpu_seconds:
        told.append(f"{duration(found.cpu_seconds)} of CPU in finished runs")
    if found.seconds:
        told.append(f"{duration(found.seconds)} gone by")
    if found.left_seconds is not None:
        told.append(f"about {duration(found.left_seconds)} left")
    return [f"cost so far: {', '.join(told)}"] if told else []


def _faults(found: "Overview") -> list[str]:
    from affectspace.studies.words import counted

    lines = [f"left out: {node}: {why}" for node, why in found.left_out.items()]
    if found.lost:
        lines.append(f"lost: {', '.join(found.lost)}")
    if found.taken_up:
        lines.append(f"{counted(len(set(found.taken_up)), 'run')} went on in another process")
    told = [f"failed: {found.folder / run}: {why}" for run, why in found.failures.items()]
    more = [f"... and {len(told) - SHOWN:,} more"] if len(told) > SHOWN else []
    return lines + told[:SHOWN] + more


def _record(found: "Overview") -> dict[str, Any]:
    """The same for machines."""
    return {
        "study": str(found.folder),
        "on": found.on,
        "at_work": found.at_work,
        "ended": found.ended,
        "planned": found.planned,
        "stages": found.stages,
        "processes": [vars(each) for each in found.processes],
        "failures": [{"run": run, "error": why} for run, why in found.failures.items()],
        "lost": found.lost,
        "left_out": found.left_out,
        "taken_up": found.taken_up,
        "cpu_seconds": round(found.cpu_seconds, 3),
        "seconds": found.seconds,
        "left_seconds": found.left_seconds,
    }
