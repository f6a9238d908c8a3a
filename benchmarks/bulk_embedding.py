"""20,000 clips by two nodes of a Ray cluster, one of which is killed half-way, beside one process on one machine.

    python benchmarks/bulk_embedding.py RUN SPEECH FOLDER [CLIPS]

RUN is a finished run on log-Mel energies, SPEECH a folder of real corpora, FOLDER an empty one for the clips (about
1.3 GB) and all that is made of them; clips that lie there already are used again. They are real recordings at another
speed and loudness, with noise; among them are files of which nothing can be read, six kinds of them.

``affectspace embed`` is measured on one core before and after ``affectspace embed --on ray://...``: on two nodes of one
CPU each, first in peace, then with one that is killed once a third of the shards is there, and a new one after half.
Counted are items a second, and items for each second of a core that all of its processes have used, those of Ray too;
the first 1,000 clips alone tell what the start of all of them takes, and what each further clip does.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.__main__ import machine
from tests.ray_nodes import RayNodes

from affectspace.corpora import open_corpus
from affectspace.files import inside
from affectspace.media import read_audio
from affectspace.space import Space

CORPORA = ("emodb", "ravdess", "urdu", "ased")
BAD = 10  # files of each kind
RATE = 16000
MIB = 2**20
KINDS = {
    "MapWorker": "workers", "affectspace embed": "the command", "_Asker": "the actor that runs Ray Data",
    "raylet": "raylets and what they start", "gcs_server": "the head's server",
}  # fmt: skip
TICK = os.sysconf("SC_CLK_TCK")


def broken(path: Path, kind: str, whole: bytes) -> None:
    """A file of which no feature can be made."""
    path.unlink(missing_ok=True)
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_bytes(b"this is no sound\n" * 50)
        case "cut":
            path.write_bytes(whole[: len(whole) // 3])
        case "silent":
            soundfile.write(path, np.zeros(RATE), RATE)
        case "short":
            soundfile.write(path, np.full(200, 0.1), RATE)


def make_clips(folder: Path, speech: Path, count: int) -> None:
    """The corpus: items.csv, bad.json, and audio/ in folders of a thousand."""
    generator = np.random.default_rng(0)
    real = [inside(corpus.root, path) for corpus in (open_corpus(speech / name) for name in CORPORA)
            for path in corpus.items["audio"].dropna()]  # fmt: skip
    kinds = ["missing", "empty", "text", "cut", "silent", "short"]
    planted = dict(zip(generator.choice(count, BAD * len(kinds), replace=False).tolist(), kinds * BAD))
    rows, bad = [], {}
    for place in range(count):
        name = f"audio/{place // 1000:02d}/{place:05d}.flac"
        rows.append((f"{place:05d}", name, f"s{place % 97}"))
        if kind := planted.get(place):
            bad[f"clips/{place:05d}"] = kind
        if (folder / name).exists() or kind == "missing":
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        generator = np.random.default_rng(place)
        samples = read_audio(real[place % len(real)], RATE)[: 4 * RATE]
        speed, gain, noise = generator.uniform(0.85, 1.15), generator.uniform(0.3, 0.9), generator.uniform(0, 0.01)
        samples = soxr.resample(samples, RATE, RATE / speed)
        samples = samples / max(np.abs(samples).max(), 1e-3) * gain
        samples += generator.normal(0, noise, len(samples)).astype(np.float32)
        soundfile.write(folder / name, np.clip(samples, -1, 1), RATE)
        if kind:
            broken(folder / name, kind, (folder / name).read_bytes())
    (folder / "bad.json").write_text(json.dumps(bad))
    pd.DataFrame(rows, columns=["id", "audio", "speaker"]).to_csv(folder / "items.csv", index=False)


def own(pid: int) -> tuple[int, str, float, float]:
    """Parent, name, seconds of a core and MiB of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    rest = stat[stat.rindex(")") + 2 :].split()
    words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    memory = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB
    return int(rest[1]), words, (int(rest[11]) + int(rest[12])) / TICK, memory


def below(root: int) -> list[int]:
    """A process and all that came of it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                parents[int(entry.name)] = own(int(entry.name))[0]
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


@dataclass
class Watch:
    """Seconds of cores, and memory of workers over time, of processes below this one, as they come and go."""

    cpu: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Watch":
        self._began = time.perf_counter()
        self._before = self._look()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self.stop.set()
        self._thread.join()

    def _look(self) -> dict[int, float]:
        found = {}
        for pid in below(os.getpid())[1:]:
            with suppress(OSError, ValueError):
                _, name, seconds, memory = own(pid)
                found[pid] = seconds
                self.names[pid] = name
                if "MapWorker" in name:
                    self.memory.setdefault(pid, []).append((time.perf_counter() - self._began, memory))
        return found

    def _go_on(self) -> None:
        while not self.stop.wait(0.5):
            for pid, seconds in self._look().items():
                self.cpu[pid] = seconds - self._before.get(pid, 0.0)

    def shares(self) -> str:
        """Seconds of cores by kind of process, those with most first."""
        kinds: dict[str, float] = {}
        for pid, spent in self.cpu.items():
            kind = next((told for words, told in KINDS.items() if words in self.names[pid]), "other processes of Ray")
            kinds[kind] = kinds.get(kind, 0.0) + spent
        return ", ".join(f"{kind} {spent:.1f}" for kind, spent in sorted(kinds.items(), key=lambda each: -each[1]))

    def seconds(self, of: str = "") -> float:
        """Of cores, of processes whose command has these words."""
        return sum(spent for pid, spent in self.cpu.items() if of in self.names[pid])


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "affectspace", "embed", *words, "--json"]


def by_one(run: str, corpus: Path, folder: Path) -> tuple[int, float, float, float]:
    """Items, seconds, seconds of cores and MiB of the local command on one core."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        ["taskset", "-c", "0", *command(run, str(corpus), "--out", str(folder / "local.parquet"))],
        env=os.environ | {"AFFECTSPACE_CACHE": str(folder / "cache")}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    spent = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(folder / "cache")
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout)["items"], spent, cores, after.ru_maxrss / 1024


def raylet_of(node) -> int:
    return next(each.process.pid for each in node.all_processes["raylet"])


def kill(node) -> None:
    """As if its power failed: the raylet and all that it started, at once."""
    for pid in reversed(below(raylet_of(node))):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def by_cluster(run: str, corpus: Path, out: Path, shards: int, killed: bool) -> tuple[Watch, float, dict, list[str]]:
    """What was used, how long it took, what it says, and what happened."""
    shutil.rmtree(out, ignore_errors=True)
    cluster, events = RayNodes(), []
    try:
        second = cluster.add()
        for core, node in enumerate((cluster._cluster.head_node, second)):
            for pid in below(raylet_of(node)):
                os.sched_setaffinity(pid, {core})
        with Watch() as watch:
            began = time.perf_counter()
            asked = subprocess.Popen(
                command(run, str(corpus), "--on", cluster.client, "--out", str(out)), stdout=subprocess.PIPE
            )
            lost = joined = False
            while asked.poll() is None and killed:
                done = len([*(out / "plan").glob("part-*.json")]) if (out / "plan").is_dir() else 0
                if not lost and done >= shards / 3:
                    kill(second)
                    lost = True
                    events.append(f"{time.perf_counter() - began:.1f} s, {done} of {shards} shards: one node killed")
                if lost and not joined and done >= shards / 2:
                    third = cluster.add()
                    for pid in below(raylet_of(third)):
                        os.sched_setaffinity(pid, {1})
                    joined = True
                    events.append(f"{time.perf_counter() - began:.1f} s, {done} of {shards} shards: one node added")
                time.sleep(0.1)
            told = asked.communicate()[0]
            spent = time.perf_counter() - began
        if asked.returncode:
            raise SystemExit(f"it ended with {asked.returncode}")
        return watch, spent, json.loads(told), events
    finally:
        cluster.end()


def judged(out: Path, corpus: Path, local: Space) -> list[str]:
    """What is right of a space in shards, in words; an AssertionError for what is not."""
    bad = json.loads((corpus / "bad.json").read_text())
    items = pd.read_csv(corpus / "items.csv", dtype="string")
    manifest = json.loads((out / "manifest.json").read_text())
    ids = pd.concat([pd.read_parquet(out / each["name"], columns=["id"]) for each in manifest["shards"]])["id"]
    assert ids.is_unique
    assert ids.tolist() == [f"clips/{name}" for name in items["id"] if f"clips/{name}" not in bad]
    quarantine = pd.read_parquet(out / "quarantine.parquet")
    assert sorted(quarantine["id"]) == sorted(bad)
    space = Space.open(out)
    assert space.items["id"].tolist() == local.items["id"].tolist()
    apart = float(np.abs(space.vectors - local.vectors).max())
    return [f"{len(ids):,} ids, each once and in the corpus's order; quarantine: the {len(bad)} planted and no other; "
            f"largest difference of a number to the local space: {apart:.1e}"]  # fmt: skip


def memory_of(watch: Watch) -> list[str]:
    """Of each worker that lived long enough: MiB after a quarter, a half, three quarters, and at its end."""
    told = []
    for series in watch.memory.values():
        values = [memory for _, memory in series]
        if len(values) > 12:
            places = [values[len(values) * part // 4 - (part == 4)] for part in (1, 2, 3, 4)]
            told.append(f"{' '.join(f'{value:.0f}' for value in places)} (largest {max(values):.0f})")
    return told


def main(run: str, speech: str, folder: str, count: str = "20000") -> None:
    place, clips = Path(folder).resolve(), int(count)
    corpus, run = place / "clips", str(Path(run).resolve())
    if not (corpus / "items.csv").is_file():
        make_clips(corpus, Path(speech), clips)
    shards = -(-(clips - 2 * BAD) // 512)  # missing and empty files are told of before any shard is made
    seconds = sum(soundfile.info(path).duration for path in sorted((corpus / "audio/00").glob("*.flac"))[:50:5]) / 10
    print(f"{machine()}; {clips:,} clips of about {seconds:.1f} s\n")
    few = place / "few/clips"
    if not few.exists():
        shutil.copytree(corpus / "audio/00", few / "audio/00")
        pd.read_csv(corpus / "items.csv", dtype="string").head(1000).to_csv(few / "items.csv", index=False)

    def row(name: str, items: int, spent: float, cores: float, few: tuple[int, float]) -> None:
        further = (items - few[0]) / (cores - few[1])
        told = (f"{spent:.1f}", f"{items / spent:.0f}", f"{cores:.1f}", f"{items / cores:.0f}", f"{few[1]:.1f}")
        print(f"| {name} | {' | '.join(told)} | {further:.0f} |", flush=True)

    names = ["how", "s", "items / s", "s of cores", "items / s of a core", "1,000 clips: s of cores"]
    names.append("further clips / s of a core")
    print(f"| {' | '.join(names)} |\n| --- {'| ---: ' * 6}|")
    alone = by_one(run, few, place)
    start = (alone[0], alone[2])
    row("one process, one core", *(first := by_one(run, corpus, place))[:3], start)
    local = Space.open(place / "local.parquet")
    notes = [f"one process: {first[3]:.0f} MiB at most"]
    small, _, told, _ = by_cluster(run, few, place / "start", 2, False)
    started = (told["items"], small.seconds())
    notes.append(f"1,000 clips on two nodes: s of cores: {small.shares()}")
    for name, killed in (("two nodes", False), ("two nodes, one killed", True)):
        out = place / ("killed" if killed else "peace")
        watch, spent, told, events = by_cluster(run, corpus, out, shards, killed)
        row(name, told["items"], spent, watch.seconds(), started)
        worked = [json.loads(path.read_text()) for path in sorted((out / "plan").glob("part-*.json"))]
        within = sum(note["cpu_seconds"] for note in worked)
        notes += [f"{name}: {each}" for each in [
            *events, *judged(out, corpus, local),
            f"{len(watch.memory)} workers; MiB of each: {'; '.join(memory_of(watch))}",
            f"within shards {within:.1f} s of cores, {told['items'] / within:.0f} items for each",
        ]]  # fmt: skip
        notes.append(f"{name}: s of cores: {watch.shares()}")
    row("one process, one core, again", *by_one(run, corpus, place)[:3], start)
    print("\n" + "\n".join(f"- {note}" for note in notes))


if __name__ == "__main__":
    main(*sys.argv[1:])
