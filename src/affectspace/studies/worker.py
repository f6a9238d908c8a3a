"""A process that trains one run after another for as long as a study lasts; started by ``pool``.

It reads one job a line from its standard input and answers one line each. It ends at once when that input
does, so that nothing outlives the study's own process, however that one ended.
"""

import errno
import fcntl
import json
import os
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from affectspace.errors import AffectspaceError, InputError

__all__ = ["fault", "main", "perform"]

FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}  # which the study's own command calls unusable input, too
PATIENCE = 10.0  # seconds for which a run may still be held by a process that is being ended


def main() -> None:
    """Do jobs until there are none to come."""
    # Whatever a library prints goes to stderr, so that the answers stay whole.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: SimpleQueue[str] = SimpleQueue()
    # The command line holds nothing back: the thread ends the process, whatever this one is busy with.
    threading.Thread(target=_listen, args=(sys.stdin, jobs), daemon=True).start()

    from affectspace.training.cache import DataCache

    cache = DataCache()
    answers.write("ready\n")
    answers.flush()
    while True:
        answer = perform(json.loads(jobs.get()), cache)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _listen(lines: TextIO, jobs: "SimpleQueue[str]") -> None:
    for line in lines:
        jobs.put(line)
    os._exit(0)


def perform(job: dict[str, Any], cache: Any) -> dict[str, Any]:
    """Train what a job describes, and tell how that went; nothing is raised.

    Args:
        job: ``folder``, ``recipe`` (its values), ``scratch`` when the folder is to be removed after, and ``only_open``
            when its data are to be opened and nothing is to be trained.
        cache: of data, kept from job to job.

    Returns:
        ``data_seconds`` (to open the data) and ``seconds`` (to train), or ``error``, a sentence, with its exit
        ``code`` and ``full`` when the disk is full.
    """
    from affectspace.training.recipe import make_recipe
    from affectspace.training.train import train

    folder = Path(job["folder"])
    try:
        recipe = make_recipe(job["recipe"], str(folder))
        began = time.perf_counter()
        data = cache(recipe)
        ready = time.perf_counter()
        if job.get("only_open"):
            return {"data_seconds": ready - began, "seconds": 0.0}
        _wait_for(folder)
        train(recipe, folder, resume=True, data=data, quiet=True)
        return {"data_seconds": ready - began, "seconds": time.perf_counter() - ready}
    except Exception as error:
        return fault(error)
    finally:
        if job.get("scratch"):
            shutil.rmtree(folder, ignore_errors=True)


def fault(error: Exception) -> dict[str, Any]:
    """What a job answers that failed: ``error``, a sentence, its ``code``, and more as :func:`perform` has it."""
    if isinstance(error, AffectspaceError):
        return {"error": str(error), "code": error.exit_code}
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        code = InputError.exit_code if error.errno in FORBIDDEN else AffectspaceError.exit_code
        return {"error": f"{where}{error.strerror or error}", "code": code, "full": error.errno in FULL}
    told = traceback.format_exception_only(error)[-1].strip()
    return {"error": told, "code": 1, "trace": "".join(traceback.format_exception(error))}


def _wait_for(folder: Path) -> None:
    """Wait until a process that was ended a moment ago has let go of the folder."""
    if not (folder / ".lock").is_file():
        return
    until = time.monotonic() + PATIENCE
    with open(folder / ".lock", "a") as lock:
        while time.monotonic() < until:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.02)
            else:
                return


if __name__ == "__main__":
    main()
