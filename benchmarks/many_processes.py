"""How far the weights of 2 and 4 processes are from those of one, on real recipes; and after kills.

    python benchmarks/many_processes.py CORPORA RUNS [RECIPE...]

CORPORA is a folder with emodb, ravdess, ased, urdu and ferplus. Each recipe is trained by one process, by 2 and 4 under
torchrun, by 2 of which one is killed by SIGKILL before its eighth batch and restarted (``--max-restarts``), and by two
machines of one process each, played by two torchruns on this one, of which one is killed with its process, so that the
other goes on alone (``--nnodes 1:2``). Prints Markdown: the largest difference of a weight from one process, in single
precision and, where that is above 1e-5, in double precision. To tell what rounding alone does, one process trains a
second time and only rounds otherwise: in chunks, or with two threads where a net cannot be trained in chunks. Then the
memory of a step in chunks.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

RECIPES = Path(__file__).parents[1] / "recipes"
TRIPLETS = '{ kind = "f_similarity", f = "kl", geometry = "chord", pairs = "triplets", weight = 10.0 }'
SHORT = [
    "training.epochs=3", "training.threads=1", "training.checkpoint_seconds=0", "training.checkpoint_steps=5",
]  # fmt: skip
SPEECH = [*SHORT, 'protocol.allow=["script", "near_audio"]']
ACROSS = [*SPEECH, "monitor.snapshots=[]"]
CONTRAST = (
    '{ kind = "cross_entropy" }',
    '{ kind = "supervised_contrastive", weight = 0.3, groups = "language", across_groups = 2.0 }',
    '{ kind = "linear_adversary", groups = "speaker" }',
)
MMD = '{ kind = "mmd", groups = "language" }'
CASES = {
    "f-SPL, in-batch": ("cross_corpus_speech", ACROSS),
    "f-SPL, triplets": ("cross_corpus_speech", [*ACROSS, f'terms=[{{ kind = "cross_entropy" }}, {TRIPLETS}]']),
    "MMD": ("cross_corpus_speech", [*ACROSS, f'terms=[{{ kind = "cross_entropy" }}, {MMD}]']),
    "SupCon, linear adversary": (
        "cross_corpus_speech",
        [*ACROSS, "training.items_per_class=16", "training.across=language", f"terms=[{', '.join(CONTRAST)}]"],
    ),
    "SGM, batch normalisation": (
        "face_subclasses", [*SHORT, "training.labelled_share=0.03", "training.precision=32-true"],
    ),
}  # fmt: skip
HERE = str(Path(__file__).resolve())


def worker(told: dict[str, Any], command: list[str]) -> None:
    """``affectspace COMMAND``, where one rank is killed before a batch, or numbers are of double precision."""
    import torch

    from affectspace.cli.app import main
    from affectspace.training.data import Data

    draw, drawn = Data.shared_batch, []

    def kills(self: Data, *given: Any) -> Any:
        drawn.append(None)
        # the machine at the rendezvous must stay, whatever the rank of its process
        chosen = "SECOND" in os.environ if told.get("machine") else os.environ["RANK"] == "1"
        if len(drawn) == told.get("batch") and chosen:
            lives = Path(told["once"])
            if not lives.exists():
                lives.touch()
                for process in (os.getppid(), os.getpid()) if told.get("machine") else (os.getpid(),):
                    os.kill(process, signal.SIGKILL)
        return draw(self, *given)

    Data.shared_batch = kills
    if told.get("double"):
        torch.set_default_dtype(torch.double)
        torch.Tensor.float = torch.Tensor.double
        for name in ("batch", "shared_batch"):
            setattr(Data, name, _wide(getattr(Data, name)))
    sys.argv[1:] = command
    main()


def _wide(draw: Any) -> Any:
    def drawn(self: Any, *given: Any) -> Any:
        batch = draw(self, *given)
        batch.values, batch.targets = batch.values.double(), batch.targets.double()
        return batch

    return drawn


def train(name: str, run: Path, data: str, processes: int = 1, more: tuple[str, ...] = (), **told: Any) -> None:
    """Train a recipe; a run that is there is not run again."""
    if (run / "metrics.json").exists():
        return
    recipe, overrides = CASES[name]
    asked = ["train", str(RECIPES / f"{recipe}.toml"), f"data={data}", *overrides, *more, "--out", str(run), "--json"]
    own = [HERE, "--worker", json.dumps(told | {"once": str(run) + ".killed"}), *asked]
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def begin(*how: str) -> "subprocess.Popen[bytes]":
        out = open(f"{run}.{len(list(run.parent.glob(run.name + '.*')))}.log", "w")  # noqa: SIM115 - ends with the process
        return subprocess.Popen([*how, *own], env=environment, stdout=out, stderr=out)

    run.parent.mkdir(parents=True, exist_ok=True)
    if processes == 1 and not told.get("machine"):
        begun = [begin(sys.executable)]
    elif told.get("machine"):
        rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:29617", "--rdzv-id", "together"]
        patience = ["--rdzv-conf", "last_call_timeout=20"]
        many = ["--nnodes", "1:2", "--nproc-per-node", "1", "--max-restarts", "3", *rendezvous, *patience]
        begun = [begin(*torchrun, *many)]
        time.sleep(2)  # so that the first one keeps the rendezvous
        environment["SECOND"] = "1"
        begun.append(begin(*torchrun, *many))
    else:
        begun = [begin(*torchrun, "--standalone", "--nproc-per-node", str(processes), "--max-restarts", "1")]
    codes = [process.wait() for process in begun]
    if codes[0]:
        sys.exit(f"{run} ended with {codes}; see its .log")


def apart(one: Path, other: Path) -> float:
    a, b = (load_file(run / "model/model.safetensors") for run in (one, other))
    return max(float((a[key].double() - b[key].double()).abs().max()) for key in a)


def rows(data: str, runs: Path, names: list[str]) -> Iterator[list[str]]:
    ways: dict[str, dict[str, Any]] = {
        "2": {"processes": 2},
        "4": {"processes": 4},
        "2, one killed": {"processes": 2, "batch": 8},
        "2 machines, one killed": {"processes": 1, "batch": 8, "machine": True},
    }
    for name in names:
        folder = runs / name.replace(" ", "-")
        train(name, folder / "1", data)
        for way, how in ways.items():
            run = folder / way.replace(" ", "-")
            train(name, run, data, **how)
            difference, told = apart(folder / "1", run), ""
            if difference > 1e-5 and way in ("2", "4"):
                for count in (1, how["processes"]):
                    train(name, folder / f"double-{count}", data, count, double=True)
                told = f"{apart(folder / 'double-1', folder / ('double-' + way)):.1e}"
            yield [name, way, f"{difference:.1e}", told]
        other = ("training.threads=2",) if "normalisation" in name else ("training.chunk_size=24",)
        train(name, folder / "rounded", data, more=other)
        yield [name, f"1, {other[0].removeprefix('training.')}", f"{apart(folder / '1', folder / 'rounded'):.1e}", ""]


def memory(data: str, runs: Path) -> None:
    """Peak memory of a process that trains AlexNet on faces, 2,048 at a time, in chunks."""
    print("\n| chunk_size | MiB | seconds |\n| --- | ---: | ---: |")
    for size in (None, 256, 64):
        settings = ["encoder.net=small_alexnet", "encoder.probe=false", "training.batch_size=2048", "training.epochs=1"]
        settings += ["training.labelled_share=0.25", "training.precision=32-true", "training.checkpoint_seconds=1000"]
        settings += ['terms=[{ kind = "cross_entropy" }]', "training.items_per_class=256", "monitor.space=false"]
        settings += [f"training.chunk_size={size}"] if size else []
        run = runs / f"chunks-{size}"
        asked = ["train", str(RECIPES / "face_subclasses.toml"), f"data={data}", *settings, "--out", str(run), "--json"]
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "affectspace", *asked], stdout=subprocess.DEVNULL)
        _, code, used = os.wait4(process.pid, 0)
        if code:
            sys.exit(f"{run} ended with {code}")
        print(f"| {size or 'none'} | {used.ru_maxrss / 1024:.0f} | {time.monotonic() - started:.0f} |", flush=True)


def main() -> None:
    data, runs = str(Path(sys.argv[1]).resolve()), Path(sys.argv[2])
    print("| recipe | processes | largest difference | in double precision |\n| --- | --- | ---: | ---: |")
    for row in rows(data, runs, sys.argv[3:] or [*CASES]):
        print("| " + " | ".join(row) + " |", flush=True)
    if not sys.argv[3:]:
        memory(data, runs)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        worker(json.loads(sys.argv[2]), sys.argv[3:])
    else:
        main()
