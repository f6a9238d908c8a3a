"""Stands in for SLURM's commands on a machine without SLURM: one file, called by each of their names.

Tasks of an array run one after another, by a process of their own. ``STAND_IN`` names a folder: ``refuse`` in it makes
sbatch refuse with its words, ``ends-N`` that the Nth array's tasks end at once, as if their node were lost, ``silent``
that neither squeue nor scancel can reach the controller, as often as it has bytes, and ``calls`` tells what was asked.
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

PLACE = Path(os.environ.get("STAND_IN", "."))


def sbatch(script: str) -> None:
    if (PLACE / "refuse").is_file():
        sys.exit((PLACE / "refuse").read_text())
    number = 1 + len(list(PLACE.glob("array-*")))
    (PLACE / f"array-{number}").mkdir()
    told = Path(script).read_text()
    array = re.search(r"--array=0-(\d+)%", told)
    for task in range(int(array[1]) + 1) if array else [None]:
        _state(number, task).write_text("PENDING")
    command = [sys.executable, __file__, "run", str(number), script]
    # of its own, as who calls sbatch reads on until nobody writes to it any more
    with open(PLACE / f"array-{number}" / "log", "w") as log:
        process = subprocess.Popen(command, start_new_session=True, stdout=log, stderr=log)
    (PLACE / f"array-{number}" / "process").write_text(str(process.pid))
    (PLACE / f"array-{number}" / "script").write_text(told)
    named = os.environ.get("SBATCH_JOB_NAME") or re.findall(r"--job-name=(\S+)", told)[-1]  # as SLURM prefers them
    (PLACE / f"array-{number}" / "name").write_text(named)
    print(f"Submitted batch job {number}")


def run(number: str, script: str) -> None:
    for state in sorted((PLACE / f"array-{number}").glob("state*")):
        task = state.name.removeprefix("state").lstrip("_")
        if (PLACE / f"ends-{number}").is_file():
            state.write_text("NODE_FAIL")
            continue
        state.write_text("RUNNING")
        job = {"SLURM_JOB_ID": number, "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_NODELIST": "here"}
        ranks = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
        array = {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": task} if task else {}
        done = subprocess.run(["bash", script], env={**os.environ, **job, **ranks, **array}, check=False)
        state.write_text("FAILED" if done.returncode else "COMPLETED")


def srun(*command: str) -> None:
    here = next(place for place, word in enumerate(command) if word == sys.executable)
    os.execv(command[here], command[here:])


def squeue(*options: str) -> None:
    _refuse_silent("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    if "--jobs" in options:
        array = PLACE / f"array-{options[options.index('--jobs') + 1]}"
        if not array.is_dir():
            sys.exit("slurm_load_jobs error: Invalid job id specified")
        arrays = [array]
    else:
        arrays = _named(options[options.index("--name") + 1])
    for array in arrays:
        for state in sorted(array.glob("state*")):
            print(f"{array.name.removeprefix('array-')}{state.name.removeprefix('state')} {state.read_text()}")


def scancel(_: str, name: str) -> None:
    _refuse_silent("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    for array in _named(name):
        left = [state for state in array.glob("state*") if state.read_text() in ("PENDING", "RUNNING")]
        if left:
            with suppress(ProcessLookupError):
                os.killpg(int((array / "process").read_text()), signal.SIGKILL)
        for state in left:
            state.write_text("CANCELLED")


def _named(name: str) -> list[Path]:
    return [path.parent for path in PLACE.glob("array-*/name") if path.read_text() == name]


def _refuse_silent(words: str) -> None:
    silent = PLACE / "silent"
    if left := silent.read_text() if silent.is_file() else "":
        silent.write_text(left[1:])
        sys.exit(words)


def sinfo(*_: str) -> None:
    print("main")


def _state(number: int, task: int | None) -> Path:
    return PLACE / f"array-{number}" / ("state" if task is None else f"state_{task}")


if __name__ == "__main__":
    name, *given = Path(sys.argv[0]).stem, *sys.argv[1:]
    if name == "slurm_commands":
        name, *given = given
    with open(PLACE / "calls", "a") as calls:
        print(name, *given, file=calls)
    {each.__name__: each for each in (sbatch, run, srun, squeue, scancel, sinfo)}[name](*given)
