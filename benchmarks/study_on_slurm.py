"""A study by SLURM job arrays against the same one here: a real controller and a real node, on this machine alone.

    python benchmarks/study_on_slurm.py [RESULT.md]

needs root and SLURM's daemons (Debian: ``apt-get install slurmctld slurmd munge``), which it starts on loopback ports
and in a temporary folder of its own, and ends again. 24 runs on synthetic speech, by ``--on local`` and twice by ``--on
slurm``. The second time the process of one task is ended by SIGKILL, another task is put back into the queue by
``scontrol requeue`` as SLURM does when it needs a node for others, a third is told that its time is nearly up, the
controller is away for 45 seconds, and the study's own process is killed by SIGKILL and started again. Every file of
results is compared byte by byte.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import tomli_w

from affectspace.corpora import make_synthetic_world

SEEDS, EPOCHS, PROCESSES = 12, 30, 2
AWAY = 45  # seconds
CLOCKED = {"timing.json", "environment.txt", "report.html", ".lock"}
CONF = """ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(place: Path) -> Iterator[list[subprocess.Popen]]:
    """A controller and a node; the processes of munge, the controller and the node."""
    host = os.uname().nodename.partition(".")[0]
    (place / "slurm.conf").write_text(CONF.format(host=host, place=place))
    (place / "munge.key").write_bytes(os.urandom(128))
    (place / "munge.key").chmod(0o600)
    for folder in ("state", "spool"):
        (place / folder).mkdir()
    os.environ["SLURM_CONF"] = str(place / "slurm.conf")
    names = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid", "log-file": "munged.log"}
    paths = [f"--{name}={place / file}" for name, file in {**names, "seed-file": "munged.seed"}.items()]
    started = [subprocess.Popen(["munged", "--foreground", "--force", *paths], stderr=subprocess.DEVNULL)]
    try:
        _await("munge", lambda: (place / "munge.socket").exists())
        started.append(subprocess.Popen(["slurmctld", "-D"], stderr=subprocess.DEVNULL))
        started.append(subprocess.Popen(["slurmd", "-D", "-N", host], stderr=subprocess.DEVNULL))
        _await("SLURM", lambda: "idle" in _said("sinfo", "--noheader"))
        yield started
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def _await(what: str, there) -> None:
    for _ in range(300):
        if there():
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} does not start here")


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def lay(place: Path) -> Path:
    """The study's file, beside its recipe and its corpora."""
    make_synthetic_world(place / "world", ("alva", "boro"), speakers=4, items_per_speaker=24)
    recipe = {
        "name": "tiny", "data": str(place / "world"), "corpora": [{"path": "alva"}, {"path": "boro"}],
        "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
        "features": {"kind": "log_mel", "normalise": {"scope": "item"}},
        "protocol": {
            "kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_by": "session", "allow": ["script"],
        },
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": EPOCHS, "batch_size": 16, "checkpoint_seconds": 1},
    }  # fmt: skip
    (place / "recipe.toml").write_text(tomli_w.dumps(recipe))
    entries = [{"name": "CE", "path": "recipe.toml"}, {"name": "CE + KL", "path": "recipe.toml"}]
    entries[1]["set"] = {"terms": [{"kind": "cross_entropy"}, {"kind": "f_similarity"}]}  # pyright: ignore
    study = {"name": "slurm", "seeds": SEEDS, "recipes": entries, "splits": [{"name": "there"}]}
    (place / "study.toml").write_text(tomli_w.dumps(study))
    return place / "study.toml"


def command(path: Path, out: Path, on: str) -> list[str]:
    asked = [str(path), "--out", str(out), "--on", on, "--processes", str(PROCESSES)]
    return [sys.executable, "-m", "affectspace", "study", *asked]


def contents(out: Path) -> dict[str, str]:
    """Hashes of every file of the runs but for times and checkpoints."""
    files = [path for path in (out / "runs").rglob("*") if path.is_file() and path.name not in CLOCKED]
    kept = [path for path in files if "checkpoints" not in path.parts]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def disturb(path: Path, out: Path, started: list[subprocess.Popen]) -> list[str]:
    """The study by SLURM, with all that goes wrong; what happened, in sentences."""
    told = []
    with open(out.with_suffix(".said"), "w") as said:
        driver = subprocess.Popen(command(path, out, "slurm"), stdout=subprocess.DEVNULL, stderr=said)
    _await_runs(out, 3)
    array = next((out / ".slurm").glob("*/logs/*submission.sh"))
    told.append("the array: " + ", ".join(re.findall(r"#SBATCH (--(?:array|cpus|time|signal)\S*)", array.read_text())))
    victim = next(
        int(pid) for pid in _said("pgrep", "-f", "python.*submitit.core._submit").split() if _trains(int(pid))
    )
    os.kill(victim, signal.SIGKILL)
    told.append(f"after {_finished(out)} runs a task's process was killed")
    _await_runs(out, _finished(out) + 3)
    task = _running()
    subprocess.run(["scontrol", "requeue", task], check=True)
    told.append(f"after {_finished(out)} runs task {task} was put back into the queue")
    _await_runs(out, _finished(out) + 3)
    task = _beginning(out)
    subprocess.run(["scancel", "--signal=USR2", task], check=False)  # it says that it cannot, where the task was faster
    told.append(f"after {_finished(out)} runs task {task} was told that its time is nearly up")
    _await_runs(out, _finished(out) + 3)
    told.append(
        "it " + ("put itself" if "Requeued job" in _log(out, task) else "did not put itself") + " into the queue"
    )
    told.append(_leave(out, started))
    driver.kill()
    driver.wait()
    told += [line for line in out.with_suffix(".said").read_text().splitlines() if "answer" in line]
    queued = len(_said("squeue", "--noheader", "--array").split("\n")) - 1
    told.append(f"after {_finished(out)} runs the study's own process was killed, with {queued} tasks in the queue")
    done = subprocess.run(command(path, out, "slurm"), capture_output=True, text=True, check=True)
    told += [line for line in done.stderr.splitlines() if any(word in line for word in ("finished", "went", "waiting"))]
    return told


def _leave(out: Path, started: list[subprocess.Popen]) -> str:
    """Have the controller away for longer than a study once waited for tasks of which it heard nothing."""
    before = _finished(out)
    started[1].terminate()
    started[1].wait()
    time.sleep(AWAY)
    meanwhile, arrays = _finished(out), len(list((out / ".slurm").glob("*/array.json")))
    started[1] = subprocess.Popen(["slurmctld", "-D"], stderr=subprocess.DEVNULL)
    _await("SLURM", lambda: _said("sinfo", "--noheader"))
    time.sleep(8)  # in which the study asks it again
    return (
        f"after {before} runs the controller was away for {AWAY} s, in which {meanwhile - before} runs were finished; "
        f"arrays then: {arrays}"
    )


def _trains(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(sys.executable.encode())
    return False


def _running() -> str:
    """A task that is at work, as soon as there is one."""
    while not (found := _said("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i").split()):
        time.sleep(0.1)
    return found[0]


def _beginning(out: Path) -> str:
    """A task that has just begun, and that has four runs to go."""
    began: set[str] = set()
    while True:
        now = {*_said("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i").split()}
        for task in now - began if began else ():
            while "Loading pickle" not in _log(out, task):
                time.sleep(0.1)
            return task
        began |= now
        time.sleep(0.1)


def _log(out: Path, task: str) -> str:
    return "".join(log.read_text() for log in (out / ".slurm").glob(f"*/logs/{task}_0_log.out"))


def _finished(out: Path) -> int:
    return len(list((out / "runs").glob("*/*/seed-*/metrics.json")))


def _await_runs(out: Path, count: int) -> None:
    while _finished(out) < count:
        time.sleep(0.1)


def main() -> None:
    if os.geteuid() or not shutil.which("slurmctld") or not shutil.which("munged"):
        raise SystemExit("it needs root, and SLURM's daemons: apt-get install slurmctld slurmd munge")
    place = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    place.chmod(0o755)
    try:
        path = lay(place)
        began = time.monotonic()
        subprocess.run(command(path, place / "local", "local"), check=True, capture_output=True)
        here = time.monotonic() - began
        with slurm(place) as started:
            began = time.monotonic()
            subprocess.run(command(path, place / "quiet", "slurm"), check=True, capture_output=True)
            quiet = time.monotonic() - began
            told = disturb(path, place / "disturbed", started)
        whole = contents(place / "local")
        lines = [f"{2 * SEEDS} runs of {EPOCHS} epochs, {PROCESSES} at once; {_said('sbatch', '--version').strip()}"]
        lines.append(f"here {here:.0f} s, by SLURM {quiet:.0f} s")
        for name in ("quiet", "disturbed"):
            found = contents(place / name)
            same = sum(found.get(file) == digest for file, digest in whole.items())
            left = len(list((place / name).rglob("*.claimed"))) + (place / name / ".slurm").exists()
            lines.append(f"{name}: {same} of {len(whole)} files are the same, {len(found)} are there, {left} left over")
        text = "\n".join([*lines, *told])
        print(text)
        if len(sys.argv) > 1:
            Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
