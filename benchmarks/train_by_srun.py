"""How far the weights of two tasks of ``srun`` are from those of one process, and of a job that was put back.

    python benchmarks/train_by_srun.py

needs what ``study_on_slurm.py`` needs, and starts the same controller and node. A net is trained on made-up speech by
one process, by a job of two tasks, and by another such job that is put back into the queue (``scontrol requeue``) once
it has kept a checkpoint, as SLURM does when it needs a node for others. Prints the largest difference of a weight.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from many_processes import apart
from study_on_slurm import lay, slurm


def train(recipe: Path, run: Path) -> list[str]:
    settings = ["training.epochs=12", "training.threads=1", "training.checkpoint_seconds=0"]
    asked = ["train", str(recipe), *settings, "training.checkpoint_steps=2", "--out", str(run)]
    return [sys.executable, "-m", "affectspace", *asked]


def submit(recipe: Path, run: Path) -> str:
    words = " ".join(["srun", "--ntasks=2", *train(recipe, run)])
    told = ["sbatch", "--parsable", "--requeue", "--ntasks=2", "--mem=3000", f"--output={run}.log", f"--wrap={words}"]
    return subprocess.run(told, check=True, capture_output=True, text=True, cwd=run.parent).stdout.strip()


def state(job: str) -> str:
    return subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout


def wait_for(there: Callable[[], bool], what: str, log: Path) -> None:
    for _ in range(3000):
        if there():
            return
        time.sleep(0.1)
    raise SystemExit(f"no {what} within five minutes:\n{log.read_text() if log.exists() else 'no log'}")


def main() -> None:
    place = Path(tempfile.mkdtemp(prefix="srun-", dir="/tmp"))
    place.chmod(0o755)
    try:
        recipe = lay(place).with_name("recipe.toml")
        one, two, again = (place / name for name in ("one", "two", "again"))
        subprocess.run(train(recipe, one), check=True, capture_output=True)
        with slurm(place):
            for run in (two, again):
                job, log = submit(recipe, run), Path(f"{run}.log")
                if run == again:
                    wait_for(lambda run=run: any(run.glob("checkpoints/*")), "checkpoint", log)
                    subprocess.run(["scontrol", "requeue", job], check=True)
                wait_for(lambda run=run: (run / "metrics.json").exists(), "run", log)
                wait_for(lambda job=job: "COMPLETED" in state(job), "end", log)
                restarts = next(word for word in state(job).split() if word.startswith("Restarts="))
                print(f"{run.name}: {apart(one, run):.1e} from one process; {restarts}")
            print(f"the two jobs are {apart(two, again):.1e} apart")
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
