"""A study of 60 runs on a Ray cluster of three nodes, of which one is killed and another joins, beside ``--on local``.

    python benchmarks/study_on_ray.py CORPORA FOLDER [SEEDS]

CORPORA is a folder with emodb; FOLDER gets the two studies. Each node is a raylet in a network namespace of its own,
with an address of its own on a bridge that lies in another; the namespaces are made here and removed at the end, which
takes root and ``ip``. Without these the nodes have addresses of the loopback, which is told. After a third of the runs
the raylet of one node is killed (SIGKILL) while its process trains on, and another node is started. Ray is as it comes,
its patience with silent nodes too.

Told: whether every file of every run is the same to the bit, how often runs were trained, and what a run costs beyond
its training, on the cluster and here: the time from giving it to a process to its answer, less the seconds of training.
What a process does before it is given a run, such as to start and to open the data, is not in it.
Each node's own: how many runs it trained, and how its first one went.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, median

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.ray_network import PORT, Network

OWN_TIMES = {"timing.json"}  # all else of a run is compared, but for checkpoints, which follow the clock


# ---- the study


def lay(corpora: Path, folder: Path, seeds: int) -> Path:
    """EmoDB, seven emotions, other speakers validate and are tested; two recipes."""
    names = ["angry", "bored", "disgusted", "fearful", "happy", "neutral", "sad"]
    recipe = {
        "name": "emodb", "data": str(corpora), "corpora": [{"path": "emodb"}],
        "labels": {"kind": "classes", "names": names, "dimension": "label"},
        "features": {"kind": "log_mel", "normalise": {"scope": "train"}},
        "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 5, "fold": 0, "allow": ["script"]},
        "encoder": {"kind": "conv_pool", "channels": 16, "hidden": 16},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 8, "batch_size": 32, "checkpoint_seconds": 1},
    }  # fmt: skip
    import tomli_w

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe))
    terms = [{"kind": "cross_entropy"}, {"kind": "f_similarity"}]
    study = {
        "name": "sixty", "seeds": seeds, "splits": [{"name": "emodb"}],
        "recipes": [
            {"name": "CE", "path": "recipe.toml"},
            {"name": "KL", "path": "recipe.toml", "set": {"terms": terms}},
        ],
    }  # fmt: skip
    (folder / "study.toml").write_text(tomli_w.dumps(study))
    return folder / "study.toml"


def drive(path: Path, out: Path, on: str) -> None:
    """Train the study and write down what each run has cost; in a process of its own."""
    from affectspace.clusters import where
    from affectspace.studies import pool, ray_pool
    from affectspace.studies.execute import run_study

    given: dict[Path, tuple[float, str]] = {}
    rows: list[dict] = []

    def noting(give):
        def note(self, job, *rest):
            if job is not None:
                given[job.folder] = time.monotonic(), self.node.name if hasattr(self, "node") else "here"
            give(self, job, *rest)

        return note

    def timing(run):
        def timed(self, jobs, tell):
            def telling(job, answer):
                if answer.seconds is not None and not (job.scratch or job.only_open):
                    now, (began, node) = time.monotonic(), given[job.folder]
                    row = {"took": now - began, "trained": answer.seconds, "data": answer.data_seconds}
                    row |= {"node": node, "begun": began, "done": now}
                    rows.append({"run": str(job.folder.relative_to(out)), **row})
                tell(job, answer)

            run(self, jobs, telling)

        return timed

    for owner, name, wrap in (
        (pool._Worker, "give", noting), (ray_pool.Seat, "give", noting),
        (pool.Pool, "run", timing), (ray_pool.RayPool, "run", timing),
    ):  # fmt: skip
        setattr(owner, name, wrap(getattr(owner, name)))
    outcome = run_study(path, out, on=where(on), quiet=False)
    told = {
        "finished": outcome.finished, "ran": outcome.ran, "taken_up": [str(each) for each in outcome.taken_up],
        "seconds": outcome.seconds, "failures": [each.error for each in outcome.failures], "rows": rows,
    }  # fmt: skip
    (path.parent / f"{out.name}.json").write_text(json.dumps(told))


def driven(path: Path, out: Path, on: str, within: list[str], **environment: str) -> subprocess.Popen:
    words = [*within, sys.executable, __file__, str(path), str(out), "--drive", on]
    return subprocess.Popen(words, env={**os.environ, **environment})


# ---- what became of it


def contents(out: Path) -> dict[str, str]:
    """SHA-256 of every file of the runs that must not depend on where they were trained."""
    files = (path for path in sorted((out / "runs").rglob("*")) if path.is_file() and path.name not in OWN_TIMES)
    kept = [path for path in files if "checkpoints" not in path.parts and path.name != ".lock"]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def finished(out: Path) -> int:
    return len(list(out.glob("runs/*/*/seed-*/metrics.json")))


def tell(name: str, told: dict, processes: str) -> None:
    rows = told["rows"]
    beyond = [row["took"] - row["trained"] for row in rows]
    without = [row["took"] - row["trained"] - row["data"] for row in rows]
    trained = [row["trained"] for row in rows]
    print(
        f"{name} ({processes}): {told['finished']} finished, {told['ran']} trained, {len(told['taken_up'])} taken up "
        f"by another process,\n  {len(told['failures'])} failed; {told['seconds']:.1f} s in all, training "
        f"{sum(trained):.1f} s, a run {median(trained):.2f} s"
    )
    for what, each in (("beyond training", beyond), ("the same without opening data", without)):
        print(f"  {what}, a run: mean {fmean(each):.3f} s, median {median(each):.3f} s, most {max(each):.3f} s")


def tell_nodes(rows: list[dict], started: dict[str, float]) -> None:
    """What each node has trained, and how its first run went.

    Args:
        rows: of the runs, with times of the machine's clock that never goes back.
        started: when each node was up, by the same clock.
    """
    for node, up in started.items():
        own = sorted((row for row in rows if row["node"].startswith(f"{node} ")), key=lambda row: row["begun"])
        if not own:
            print(f"  {node}: trained none")
            continue
        first = own[0]
        print(
            f"  {node}: trained {len(own)}; the first was begun {first['begun'] - up:.1f} s after the node was up and "
            f"took {first['took']:.2f} s,\n    {first['took'] - first['trained']:.3f} s of them beyond training, "
            f"{first['data']:.3f} s of these to open data"
        )


def load() -> str:
    return "load " + " ".join(f"{each:.1f}" for each in os.getloadavg())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpora", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("seeds", type=int, nargs="?", default=30)
    parser.add_argument("--drive")
    asked = parser.parse_args()
    if asked.drive:
        drive(asked.corpora, asked.folder, asked.drive)
        return
    print(load(), flush=True)
    root = asked.folder.resolve()
    path = lay(asked.corpora.resolve(), root, asked.seeds)
    runs = 2 * asked.seeds
    here, there = root / "local", root / "ray"
    for left in (here, there):
        shutil.rmtree(left, ignore_errors=True)
    if driven(path, here, "local", []).wait():
        raise SystemExit("the study here has failed")
    with tempfile.TemporaryDirectory(prefix="r") as home, Network() as network:
        print("nodes are", "in network namespaces of their own" if network.own else "on the loopback", flush=True)
        started: dict[str, float] = {}
        for node in range(3):
            network.start(node, Path(home))
            network.await_node(node, Path(home))
            started[f"node{node}"] = time.monotonic()
        head = f"{network.address(0)}:{PORT}"
        began = time.monotonic()
        driver = driven(path, there, "ray", network.inside(0), RAY_ADDRESS=head)
        killed = joined = 0.0
        while driver.poll() is None:
            time.sleep(0.2)
            done = finished(there)
            if not killed and done >= runs // 3:
                network.kill_raylet(2)
                killed = time.monotonic() - began
                print(f"node 2 was killed after {killed:.1f} s, with {done} runs finished", flush=True)
            elif killed and not joined:
                network.start(3, Path(home))
                joined = time.monotonic() - began
                print(f"node 3 was started after {joined:.1f} s", flush=True)
            elif joined and "node3" not in started and network.is_up(3, Path(home)):
                started["node3"] = time.monotonic()
        if driver.returncode:
            raise SystemExit("the study on the cluster has failed")
    one, other = contents(here), contents(there)
    differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    tell("here", json.loads((root / "local.json").read_text()), "2 processes")
    tell("on Ray", json.loads((root / "ray.json").read_text()), "three nodes of 1 CPU, one killed, one more")
    tell_nodes(json.loads((root / "ray.json").read_text())["rows"], started)
    left = [str(path) for path in there.rglob(".*.claimed")]
    print(f"{len(one)} files compared, {len(differ)} differ {differ[:3]}; {len(left)} folders of attempts left")
    print(load())


if __name__ == "__main__":
    main()
