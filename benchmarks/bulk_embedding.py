"""20,000 clips by two nodes of a Ray cluster, one of which is killed half-way, beside one process on one machine.

    python benchmarks/bulk_embedding.py RUN SPEECH FOLDER [CLIPS [ROUNDS]]

RUN is a finished run on log-Mel energies, SPEECH a folder of real corpora, FOLDER an empty one for the clips (about
1.3 GB) and all that is made of them; clips that lie there already are used again. They are real recordings at another
speed and loudness, with noise; among them are files of which nothing can be read, six kinds of them.

A round is ``affectspace embed``, ``affectspace embed --on ray`` three times, and again the first. All have two cores of
this machine: the local command as two at once, each on one core with all clips, since a core is slower where the other
is busy; Ray as two nodes of one CPU, each with a core and a network namespace, where the command runs on the head's.
The first time all is in peace, the second time one node is killed once half of the shards are there, and its core has
the local command to do from then on, which is not counted: alone, the other core would be faster. The third time
another node is started in its place at once.

Counted are clips a second by the clock for each core that is there (the killed node's until then, the new one's from
when it is started), and for each second of a core that all processes have used, those of Ray too. The same of 1,000
clips tells what the start of all of them takes: further clips are without it.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import soundfile

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.__main__ import machine
from benchmarks.bulk_clips import BAD, make_clips
from benchmarks.process_watch import Watch
from benchmarks.ray_network import PORT, Network, on_core

from affectspace.space import Space

FEW = 1000
WAYS = (("two nodes", False, False), ("one killed", True, False), ("one replaced", True, True))  # lost, and joined
COLUMNS = (
    "round, how", "load", "s", "clips / s", "of a core, by the clock", "further clips", "s of cores",
    "clips / s of cores", "further clips",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Clips, seconds by the clock, seconds of cores that were used, and those that were there to be used."""

    items: int
    seconds: float
    used: float
    there: float

    def rates(self, few: "Cost") -> dict[str, float]:
        """Clips a second of a core: by the clock and as used, with the start and without it."""
        more = self.items - few.items
        return {
            "by the clock": self.items / self.there,
            "by the clock, further clips": more / (self.there - few.there),
            "as used": self.items / self.used,
            "as used, further clips": more / (self.used - few.used),
        }

    def row(self, name: str, few: "Cost") -> str:
        clock, clock_more, used, used_more = self.rates(few).values()
        told = (f"{os.getloadavg()[0]:.1f}", f"{self.seconds:.1f}", f"{self.items / self.seconds:.0f}", f"{clock:.0f}",
                f"{clock_more:.0f}", f"{self.used:.1f}", f"{used:.0f}", f"{used_more:.0f}")  # fmt: skip
        return f"| {name} | {' | '.join(told)} |"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "affectspace", "embed", *words, "--json"]


def begun(core: int, run: str, corpus: Path, folder: Path, **pipes) -> subprocess.Popen:
    """The local command, begun on a core, with nothing that it could find in its cache."""
    cache, out = folder / f"cache{core}", folder / f"local{core}.parquet"
    shutil.rmtree(cache, ignore_errors=True)
    asked = [*on_core(core), *command(run, str(corpus), "--out", str(out))]
    return subprocess.Popen(asked, env=os.environ | {"AFFECTSPACE_CACHE": str(cache)}, **pipes)


def by_two(run: str, corpus: Path, folder: Path) -> tuple[Cost, float]:
    """What the local command takes on each of two cores, as two at once, each with all clips; and MiB of one."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    asked = [begun(core, run, corpus, folder, stdout=subprocess.PIPE) for core in range(2)]
    told = [each.communicate()[0] for each in asked]
    spent = time.perf_counter() - began
    if any(each.returncode for each in asked):
        raise SystemExit("the local command has failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(sum(json.loads(each)["items"] for each in told), spent, used, 2 * spent), after.ru_maxrss / 1024


def by_cluster(
    run: str, corpus: Path, out: Path, shards: int, lose: bool = False, join: bool = False
) -> tuple[Cost, Watch, list[str]]:
    """What two nodes take, what their processes did, and what happened."""
    shutil.rmtree(out, ignore_errors=True)
    place = out.parent / "busy"
    with tempfile.TemporaryDirectory(prefix="r") as home, Network() as network, ExitStack() as ending:
        for node in range(2):
            network.start(node, Path(home), core=node)
            network.await_node(node, Path(home))
        time.sleep(5)  # agents of nodes come up a little later
        asking = [*on_core(0), *network.inside(0), *command(run, str(corpus), "--on", "ray", "--out", str(out))]
        address = f"{network.address(0)}:{PORT}"
        with Watch() as watch:
            began, events = time.perf_counter(), []
            asked = subprocess.Popen(asking, env=os.environ | {"RAY_ADDRESS": address}, stdout=subprocess.PIPE)
            first, lost, joined, busy = False, 0.0, 0.0, None
            while asked.poll() is None:
                done = len([*(out / "plan").glob("part-*.json")]) if (out / "plan").is_dir() else 0
                passed = time.perf_counter() - began
                now = f"{passed:.1f} s, {done} of {shards} shards"
                if done and not first:
                    first = True
                    events.append(f"{now}: the first is there")
                if lose and not lost and done >= shards / 2:
                    network.kill(1)
                    lost = passed
                    events.append(f"{now}: one node killed")
                    if join:
                        network.start(2, Path(home), core=1)
                        joined = time.perf_counter() - began
                        events.append(f"{joined:.1f} s: another started")
                    else:
                        busy = ending.enter_context(begun(1, run, corpus, place, stdout=subprocess.DEVNULL))
                        ending.callback(busy.kill)
                        watch.others.add(busy.pid)
                time.sleep(0.1)
            told = asked.communicate()[0]
            spent = time.perf_counter() - began
        if busy and busy.poll() is not None:
            raise SystemExit("the other core was not busy until the end")
        if asked.returncode:
            raise SystemExit(f"it ended with {asked.returncode}")
        there = 2 * spent - (joined - lost if joined else spent - lost if lost else 0.0)
        return Cost(json.loads(told)["items"], spent, watch.seconds(), there), watch, events


def judged(out: Path, corpus: Path, local: Space) -> str:
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
    return (
        f"{len(ids):,} ids, each once and in the corpus's order; quarantine: the {len(bad)} planted and no other; "
        f"largest difference of a number to the local space: {apart:.1e}"
    )


def main(run: str, speech: str, folder: str, count: str = "20000", rounds: str = "2") -> None:
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
        pd.read_csv(corpus / "items.csv", dtype="string").head(FEW).to_csv(few / "items.csv", index=False)
    print(f"| {' | '.join(COLUMNS)} |\n| --- {'| ---: ' * (len(COLUMNS) - 1)}|", flush=True)
    for number in range(1, int(rounds) + 1):
        notes = one_round(str(number), run, corpus, few, place, shards)
        print("\n" + "\n".join(f"- {number}, {note}" for note in notes) + "\n", flush=True)


def one_round(number: str, run: str, corpus: Path, few: Path, place: Path, shards: int) -> list[str]:
    """Print a row for each way; what else is to be told."""
    few_here, _ = by_two(run, few, place)
    before, most = by_two(run, corpus, place)
    print(before.row(f"{number}, here", few_here), flush=True)
    local, notes = Space.open(place / "local0.parquet"), [f"here: {most:.0f} MiB at most"]
    few_there, watch, _ = by_cluster(run, few, place / "start", 2)
    notes += [f"1,000 clips: here {few_here.seconds:.1f} s, {few_here.used:.1f} s of cores; two nodes "
              f"{few_there.seconds:.1f} s, {few_there.used:.1f} s of cores: {watch.shares()}"]  # fmt: skip
    there = {}
    for name, lose, join in WAYS:
        out = place / name.replace(" ", "_")
        there[name], watch, events = by_cluster(run, corpus, out, shards, lose, join)
        print(there[name].row(f"{number}, {name}", few_there), flush=True)
        worked = [json.loads(path.read_text()) for path in sorted((out / "plan").glob("part-*.json"))]
        within = sum(note["cpu_seconds"] for note in worked)
        notes += [f"{name}: {each}" for each in (
            *events, judged(out, corpus, local),
            f"{len(watch.memory)} workers; MiB of each: {'; '.join(watch.memory_of_workers())}",
            f"within shards {within:.1f} s of cores, {there[name].items / within:.0f} clips for each",
            f"s of cores: {watch.shares()}",
        )]  # fmt: skip
    after, _ = by_two(run, corpus, place)
    print(after.row(f"{number}, here, again", few_here), flush=True)
    own = [before.rates(few_here), after.rates(few_here)]
    for name, cost in there.items():
        shares = {what: rate / fmean(each[what] for each in own) for what, rate in cost.rates(few_there).items()}
        notes.append(f"{name} / here: {', '.join(f'{what} {share:.2f}' for what, share in shares.items())}")
    return notes


if __name__ == "__main__":
    main(*sys.argv[1:])
