"""Time and peak memory of each loss, forward and backward, beside its named peer.

    python benchmarks/losses.py [CASE ...]

Every figure comes from a process of its own with two threads; ours and the peer take turns, twice, and a ratio is the
mean of both turns, so that a busy machine slows both. A time is the median of at least three steps and half a second
(fewer steps, where they take ten seconds). Memory is how far the first step lifts the process's peak above what it held
before, after a step of the case's smallest size has loaded what is loaded on first use; the smallest size itself is
measured without that. A process may hold 21 GB, or what the machine has free.
"""

import ctypes
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

CASES = (
    "cross_entropy", "f_similarity", "supcon", "triplet", "contrastive_pairs", "gaussian_manifold", "ordered_emd",
    "guided_emd", "entropic_emd", "entropic_emd_geomloss", "mmd", "mmd_gram", "mmd_geomloss", "hsic", "matching",
)  # fmt: skip
ROUNDS, PATIENCE, LIMIT = 2, 180, 21 * 10**9
HERE = Path(__file__).parent


def held(field: str) -> int:
    """Bytes: ``VmRSS`` that this process holds, ``VmHWM`` the most it ever held."""
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith(field))


def free() -> int:
    """Bytes that a new process can have without anything being pushed out."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def measure(case: str, who: str, size: str) -> None:
    """In a fresh process: print the time and the memory of a step as JSON."""
    import torch

    torch.set_num_threads(2)
    module = importlib.import_module(f"loss_cases.{case}")
    if size != module.SIZES[0]:
        module.make(who, module.SIZES[0])()
    limit = min(LIMIT, free() - 10**9)
    step = module.make(who, size)
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = held("VmRSS")
    unused = held("VmSize") - before  # mapped, and never to be filled
    resource.setrlimit(resource.RLIMIT_AS, (limit + unused, limit + unused))
    try:
        step()
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
            raise
        print(json.dumps({"failed": f"needs over {limit / 1e9:.0f} GB"}))
        return
    peak = held("VmHWM") - before
    seconds: list[float] = []
    while sum(seconds) < 0.5 or (len(seconds) < 3 and sum(seconds) < 10):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": median(seconds), "bytes": peak}))


def ask(case: str, who: str, size: str) -> dict:
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, __file__, "--measure", case, who, size]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=HERE, env=environment, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"over {PATIENCE} s"}
    if done.returncode < 0:
        return {"failed": f"killed by signal {-done.returncode}"}
    if done.returncode:
        sys.exit(f"{case}, {who}, {size} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def median(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def row(case: str, size: str) -> str:
    told: dict[str, list[dict]] = {"ours": [], "peer": []}
    for _ in range(ROUNDS):
        for who, answers in told.items():
            if not answers or "failed" not in answers[-1]:
                answers.append(ask(case, who, size))
    cells = []
    for answers in told.values():
        if "failed" in answers[-1]:
            cells.append(f"{answers[-1]['failed']:>28s}")
        else:
            milliseconds = 1000 * median([a["seconds"] for a in answers])
            cells.append(f"{milliseconds:13.2f} ms {median([a['bytes'] for a in answers]) / 1e6:9.1f} MB")
    ratios = " " * 20
    if all("failed" not in answers[-1] for answers in told.values()):
        pairs = list(zip(told["ours"], told["peer"]))
        faster = median([peer["seconds"] / ours["seconds"] for ours, peer in pairs])
        # the last page of a table of pages is noise: below a megabyte memory is not compared
        ours, peer = (max(median([a["bytes"] for a in told[who]]), 1e6) for who in told)
        ratios = f"{faster:8.2f} x {peer / ours:7.1f} x"
    return f"{size:18s} {cells[0]} {cells[1]} {ratios}"


def main(cases: list[str]) -> None:
    print("forward and backward, dim 128, float32, two threads; c8: 8 balanced classes, pk4: 4 items a class")
    print(f"{'':18s} {'ours':>28s} {'peer':>28s} {'faster':>10s} {'leaner':>9s}")
    for case in cases:
        module = importlib.import_module(f"loss_cases.{case}")
        print(f"{case}: beside {module.PEER}")
        for size in module.SIZES:
            print(f"  {row(case, size)}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        main(sys.argv[1:] or list(CASES))
