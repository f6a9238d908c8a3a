"""A run of a study as a process of a cluster does it: claimed, trained, put in its place, and told with its hashes."""

import json
from pathlib import Path
from typing import Any

from affectspace.studies.claims import claim, digests
from affectspace.studies.status import finished
from affectspace.studies.worker import fault, perform

__all__ = ["perform_claimed"]


def perform_claimed(job: dict[str, Any], cache: Any) -> dict[str, Any]:
    """Do a job as :func:`affectspace.studies.worker.perform` does, whoever else may be at it; nothing is raised.

    Args:
        job: as there; its folder is absolute.
        cache: of data, kept from job to job.

    Returns:
        As there, and ``files``: the SHA-256 of every file of the finished run. An error that is no fault of the run,
        as another process has taken it up and is at it, has ``taken``.
    """
    if job.get("scratch") or job.get("only_open"):
        return perform(job, cache)
    place = Path(job["folder"])
    try:
        claimed = claim(place)
        if claimed is None:
            return _of_finished(place)
        answer = _named(perform({**job, "folder": str(claimed.work)}, cache), str(claimed.work), str(place))
        if not claimed.put_in_place():
            if finished(place):
                return {**_of_finished(place), **({} if "error" in answer else answer)}
            return {"error": f"another process has taken up the run in {place}", "code": 1, "taken": True}
        return answer if "error" in answer else {**answer, "files": digests(place)}
    except OSError as error:
        return fault(error)


def _named(answer: dict[str, Any], work: str, place: str) -> dict[str, Any]:
    """The answer in words of the run's place: the folder of an attempt means nothing to anybody."""
    return {key: value.replace(work, place) if isinstance(value, str) else value for key, value in answer.items()}


def _of_finished(place: Path) -> dict[str, Any]:
    """The answer for a run that another has finished."""
    return {"seconds": _seconds(place), "files": digests(place)}


def _seconds(place: Path) -> float:
    """What a run has taken that was finished before."""
    try:
        return float(json.loads((place / "timing.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
