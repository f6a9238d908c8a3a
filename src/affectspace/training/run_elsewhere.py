"""Where a run has got to, of which several machines may each have a folder, and only the first one's is written."""

import json
import math
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.files import write_json
from affectspace.training.processes import Processes

__all__ = ["leave_word", "refuse_to_lose"]

FILE = "elsewhere.json"
REMEDY = (
    "machines that come and go need one run folder that all of them see: name one on storage that they share by --out"
)


def refuse_to_lose(folder: Path, together: Processes) -> str:
    """Refuse to begin a run anew that has got further on another machine; every process asks this.

    Torch makes that process the first whose machine's address sorts first, whatever machines have come or gone. Where
    each machine has a disk of its own, the one that is first now may know nothing of a run that others began.

    Returns:
        The host of the first process.

    Raises:
        InputError: on all of them, if the first one's folder has less of the run than another's, or has none of it
            where another was told of a checkpoint by :func:`leave_word`.
    """
    every = together.each(_known(folder))
    first = every[0]
    with together.in_turn():
        newest = max(every, key=lambda each: _order(each["step"]))
        if _order(newest["step"]) > _order(first["step"]):
            raise InputError(
                f"{folder} on {newest['host']} holds {_told(newest['step'])}, and on {first['host']}, where the first "
                f"process is now, {_told(first['step'])}: it would train that again; {REMEDY}, or copy the folder to "
                f"{first['host']}, or begin anew by removing it on {newest['host']}"
            )
        words = [(each["host"], each["elsewhere"]) for each in every if each["elsewhere"]]
        if words and not first["begun"]:
            host, word = words[0]
            raise InputError(
                f"this run has got to {_told(word['step'])} on {word['host']}, in a folder that {first['host']} does "
                f"not see, and would begin anew in {folder}; {REMEDY}, or copy the folder from {word['host']} to "
                f"{first['host']}, or begin anew by removing {folder / FILE} on {host}"
            )
    return first["host"]


def leave_word(folder: Path, host: str, step: int) -> None:
    """Note where the run is, in a process's own folder, unless that is the one in which the first process writes.

    Who is left without the first one's machine then does not take the run for a new one.
    """
    if (folder / "recipe.toml").exists():
        return
    with suppress(OSError):  # a machine whose disk cannot be written to may help all the same
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FILE, {"host": host, "step": step})


def _known(folder: Path) -> dict[str, Any]:
    """What this process can tell of the run, by names alone: whether files are whole the first one finds."""
    names = [path.name.removeprefix("step-") for path in folder.glob("checkpoints/step-*")]
    newest = max((int(name) for name in names if name.isdigit()), default=None)
    elsewhere = None
    with suppress(OSError, ValueError):
        elsewhere = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return {
        "host": socket.gethostname(),
        "begun": (folder / "recipe.toml").exists(),
        "step": "end" if (folder / "metrics.json").exists() else newest,
        "elsewhere": elsewhere,
    }


def _order(step: int | str | None) -> float:
    return math.inf if step == "end" else -1.0 if step is None else float(step)


def _told(step: int | str | None) -> str:
    return "its end" if step == "end" else "no checkpoint" if step is None else f"step {step}"
