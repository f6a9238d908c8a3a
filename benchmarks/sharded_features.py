"""Features that exceed memory and one disk: making and reading them, from one file and from files on two disks.

    python benchmarks/sharded_features.py ONE A B [GROUP]

ONE, A and B are folders: for the store of one file, and for that over two disks, best on disks of their own. GROUP is
a memory control group with a limit (a folder below /sys/fs/cgroup) that each part joins; without it each part may
allocate 256 MiB (RLIMIT_DATA) beyond what its imports take. Two rounds, of which every part is a process of its own,
then what a clip and a batch cost when all is in memory, both ways in turns in one process.
"""

import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

ITEMS, BANDS, SHORTEST, LONGEST = 52_000, 40, 200, 824  # frames; 4 GiB in all
FILE_BYTES = 256 << 20
ALLOWED = 256 << 20  # to be allocated, where there is no group
BATCH = 64
HOT = 1_500


class Frames:
    """A front end that costs next to nothing: a text to frames cut from fixed noise."""

    fingerprint, dimensions, medium = "frames/1", BANDS, "text"
    noise = np.random.default_rng(0).normal(size=(4096, BANDS)).astype(np.float32)

    def read(self, text, start=None, end=None):
        return text

    def compute(self, text):
        place, frames = map(int, text.split())
        return self.noise[place : place + frames]

    def sha256(self, text):
        return hashlib.sha256(text.encode()).hexdigest()


def media(items: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    places, frames = random.integers(0, 3000, items), random.integers(SHORTEST, LONGEST + 1, items)
    return pd.DataFrame({"id": [f"i{n}" for n in range(items)], "path": [f"{p} {f}" for p, f in zip(places, frames)]})


def memory(name: str) -> int:
    """Bytes, of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) * 1024


class Peak(threading.Thread):
    """The most anonymous memory of this process, looked at every 20 ms: of a mapped file nothing counts."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = 0
        self.start()

    def run(self):
        while True:
            self.most = max(self.most, memory("RssAnon"))
            time.sleep(0.02)


def store(folders, items):
    from affectspace.features import FeatureStore, value_files

    value_files.FILE_BYTES = FILE_BYTES if len(folders) > 1 else 1 << 50
    return FeatureStore(folders).extract(media(items), Frames(), workers=1, progress=False)


def inputs(features):
    from affectspace.features import Normaliser
    from affectspace.training.inputs import Clips, Inputs

    clips = Clips([features], np.stack([np.zeros(len(features), np.int64), np.arange(len(features))], 1))
    return Inputs(clips, Normaliser.fit(clips, "train", train=np.arange(len(features))))


def epoch(given, items, digest=None):
    order = np.random.default_rng(2).permutation(items)
    for start in range(0, items, BATCH):
        values, _ = given.read(order[start : start + BATCH])
        if digest:
            digest.update(values.numpy().tobytes())


def part(what: str, folders: list[str]) -> None:
    """One part, in this process; a line of JSON."""
    import affectspace.features
    import affectspace.training.inputs  # noqa: F401 - what it takes is no part of anything

    before, peak = memory("RssAnon"), Peak()
    if not os.environ.get("GROUP"):
        allowed = memory("VmData") + ALLOWED
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    began = time.perf_counter()
    told = {}
    if what == "make":
        features = store(folders, ITEMS)
        told["GiB"] = features.values.shape[0] * BANDS * 4 / 2**30
    else:
        features = store(folders, ITEMS)
        told["open s"], began = time.perf_counter() - began, time.perf_counter()
        given = inputs(features)
        told["statistics items/s"], began = ITEMS / (time.perf_counter() - began), time.perf_counter()
        digest = hashlib.sha256()
        epoch(given, ITEMS, digest)
        told["sha256"] = digest.hexdigest()[:16]
    told["items/s"] = ITEMS / (time.perf_counter() - began)
    told["anonymous MiB"], told["before MiB"] = peak.most / 2**20, before / 2**20
    print(json.dumps(told))


def hot(folders: dict[str, list[str]]) -> None:
    """A clip, and a batch as training has it, of features that are in memory; both ways in turns."""
    features = {name: store(places, HOT) for name, places in folders.items()}
    given = {name: inputs(each) for name, each in features.items()}
    spent = {(name, what): [] for name in folders for what in ("clip", "batch")}
    for _ in range(31):
        for name, each in features.items():
            began = time.perf_counter()
            for row in range(HOT):
                each[row]
            spent[name, "clip"].append((time.perf_counter() - began) / HOT * 1e6)
            began = time.perf_counter()
            epoch(given[name], HOT)
            spent[name, "batch"].append((time.perf_counter() - began) / HOT * 1e6)
    for what in ("clip", "batch"):
        ratios = sorted(b / a for a, b in zip(spent["one", what], spent["two", what]))
        middle = {name: statistics.median(spent[name, what]) for name in folders}
        print(
            f"hot, us an item of a {what}: one {middle['one']:.2f}, two {middle['two']:.2f}, "
            f"ratio {statistics.median(ratios):.3f} ({ratios[3]:.3f} to {ratios[-4]:.3f})"
        )


def main(one: str, a: str, b: str, group: str = "") -> None:
    folders = {"one": [f"{one}/store"], "two": [f"{a}/store", f"{b}/store"]}
    join = (lambda: Path(group, "cgroup.procs").write_text(str(os.getpid()))) if group else None
    for number in range(2):
        for what in ("make", "read"):
            for name in list(folders)[:: 1 if number % 2 else -1]:
                if what == "make":
                    for folder in folders[name]:
                        shutil.rmtree(folder, ignore_errors=True)
                command = [sys.executable, __file__, "part", what, *folders[name]]
                done = subprocess.run(
                    command, env=os.environ | {"GROUP": group}, preexec_fn=join, check=True, stdout=subprocess.PIPE
                )
                print(number + 1, what, name, json.loads(done.stdout), flush=True)
    files = [len(list(Path(folder).rglob("values*.npy"))) for folder in folders["two"]]
    print(f"two: {files[0]} files in A, {files[1]} in B")
    for folder in [*folders["one"], *folders["two"]]:
        shutil.rmtree(folder, ignore_errors=True)
    global FILE_BYTES
    FILE_BYTES = 8 << 20
    hot(folders)


if __name__ == "__main__":
    if sys.argv[1] == "part":
        part(sys.argv[2], sys.argv[3:])
    else:
        main(*sys.argv[1:])
