"""Many workers on one store of media, simulated shard by shard: how long it takes, and what holds it up.

    python benchmarks/scale_simulation.py [RATES.json]

Worked out in docs/scale.md for 100,000 hours of speech in items of 4 seconds; RATES.json is what ``scale_rates.py``
has measured, by default ``results/scale-rates.json``. A worker takes a shard, asks the store for its items, so many
at a time, each of which comes after a latency over a line that all workers share alike, then works on them with one
core, and takes the next. A node that fails loses the shards that its workers have in hand, which others
do again, and comes back later. The same seed gives the same figures.

Two bounds stand beside the simulated time: all bytes through the line, and all cores always at work. Where it lies
close to one of them that one is the bottleneck; where it is close to neither, workers wait for answers.
"""

import heapq
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

HOURS, ITEM_SECONDS, SHARD_ITEMS = 100_000, 4.0, 512
DAY = 86_400.0


@dataclass(frozen=True)
class World:
    """What works, and over what.

    Args:
        cores: one worker each.
        line: bytes a second, of all together.
        latency: seconds until the store begins to answer for an item.
        at_once: items that a worker asks for at a time.
        item_bytes, item_seconds: what an item weighs, and the core seconds that it takes.
        overlap: whether a worker asks for its next shard while it works on one.
        shards: how many there are.
        items: in a shard.
        node_cores: that fail together.
        fails_every: mean seconds until a node fails; infinite for never.
        away: seconds until a node is back.
    """

    cores: int
    line: float
    latency: float
    at_once: int
    item_bytes: float
    item_seconds: float
    overlap: bool
    shards: int
    items: int = SHARD_ITEMS
    node_cores: int = 16
    fails_every: float = float("inf")
    away: float = 900.0

    @property
    def shard_bytes(self) -> float:
        return self.items * self.item_bytes

    @property
    def shard_seconds(self) -> float:
        return self.items * self.item_seconds

    @property
    def fastest(self) -> float:
        """Bytes a second that one worker has at most: of each item it waits for the first byte, then for the last."""
        return self.at_once * self.item_bytes / (self.latency + self.item_bytes / self.line)


def simulate(world: World, seed: int = 0) -> tuple[float, float, int]:
    """Seconds until all shards are done, the share of that time in which cores worked, and shards done again.

    All who wait for bytes get them alike, and all want as many: who has come later ends later, so that one queue of how
    much has come to everybody tells who is next.
    """
    random = np.random.default_rng(seed)
    left, done, again, now, came, worked = world.shards, 0, 0, 0.0, 0.0, 0.0
    lives = [0] * -(-world.cores // world.node_cores)  # of each node; what an earlier life began is void
    events: list[tuple[float, int, str, int, int]] = []  # when, number, what, worker, in which life
    wanting: list[tuple[float, int, int, int]] = []  # how much has come to all when it is through, number, worker, life
    asked: set[int] = set()  # workers whose next shard is on its way
    ready: set[int] = set()  # whose next shard has come
    busy: set[int] = set()
    down: set[int] = set()  # nodes
    number = iter(range(1 << 62))
    fastest, shard_bytes, shard_seconds = world.fastest, world.shard_bytes, world.shard_seconds

    def put(after: float, what: str, worker: int) -> None:
        heapq.heappush(events, (now + after, next(number), what, worker, lives[worker // world.node_cores]))

    def ask(worker: int) -> None:
        nonlocal left
        if left and worker not in asked:
            left -= 1
            asked.add(worker)
            life = lives[worker // world.node_cores]
            heapq.heappush(wanting, (came + shard_bytes, next(number), worker, life))

    def work(worker: int) -> None:
        ready.discard(worker)
        busy.add(worker)
        put(shard_seconds, "worked", worker)
        if world.overlap:
            ask(worker)

    for worker in range(world.cores):
        ask(worker)
    if world.fails_every < float("inf"):
        for node in range(len(lives)):
            put(random.exponential(world.fails_every), "fails", node * world.node_cores)
    while done < world.shards:
        speed = min(world.line / len(wanting), fastest) if wanting else 0.0
        through = now + (wanting[0][0] - came) / speed if wanting else float("inf")
        until = min(through, events[0][0]) if events else through
        came += (until - now) * speed
        worked += (until - now) * len(busy)
        now = until
        if through <= until:
            _, _, worker, _ = heapq.heappop(wanting)
            asked.discard(worker)
            if worker in busy:
                ready.add(worker)
            else:
                work(worker)
            continue
        _, _, what, worker, life = heapq.heappop(events)
        node = worker // world.node_cores
        mine = range(node * world.node_cores, min((node + 1) * world.node_cores, world.cores))
        if what == "worked" and life == lives[node]:
            busy.discard(worker)
            done += 1
            if worker in ready:
                work(worker)
            else:
                ask(worker)
        elif what == "fails":
            lost = sum((each in busy) + (each in asked) + (each in ready) for each in mine)
            left, again = left + lost, again + lost
            for held in (busy, asked, ready):
                held.difference_update(mine)
            wanting = [entry for entry in wanting if entry[2] not in mine]
            heapq.heapify(wanting)
            lives[node] += 1
            down.add(node)
            put(world.away, "back", worker)
            for each in range(world.cores):  # who had found nothing to do takes what was lost
                if each not in busy and each // world.node_cores not in down:
                    ask(each)
        elif what == "back":
            down.discard(node)
            for each in mine:
                ask(each)
            put(random.exponential(world.fails_every), "fails", worker)
    return now, worked / now / world.cores, again


def layouts(rates: dict) -> Iterator[tuple[str, World]]:
    """The layouts of docs/scale.md, worst first."""
    seconds = {name: figures["median"] for name, figures in rates["cpu_seconds_an_hour"].items()}
    sizes = rates["bytes_an_hour"]
    read = seconds["read FLAC"]
    made = read + seconds["log-Mel energies"] + seconds["embed by Conv-Pool, of log-Mel energies"]
    hour = 3600 / ITEM_SECONDS  # items
    shards = round(HOURS * hour / SHARD_ITEMS)
    one = World(64, 1.25e9, 0.03, 1, sizes["FLAC"] / hour, made / hour, False, shards)
    yield "one file after another, 30 ms each", one
    yield "32 files asked for at once", replace(one, at_once=32)
    yield "and the next shard while one is worked on", replace(one, at_once=32, overlap=True)
    packed = replace(one, latency=0.03 / SHARD_ITEMS, overlap=True)
    yield "items packed, a shard an object", packed
    yield "and 16 cores in place of 64", replace(packed, cores=16)
    yield "and a line of 125 MB/s", replace(packed, line=1.25e8)
    large = replace(packed, item_seconds=(read + seconds["WavLM Base, 94 million weights"]) / hour)
    yield "packed, WavLM Base on the cores", large
    yield "and 1,024 cores", replace(large, cores=1024)
    yield "and each node of 16 fails once a day", replace(large, cores=1024, fails_every=DAY)
    yield "and each node of 16 fails once an hour", replace(large, cores=1024, fails_every=DAY / 24)


def table(rates: dict) -> str:
    """The layouts as Markdown."""
    lines = [
        "| layout | hours | by the line | by the cores | cores at work | shards done again |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, world in layouts(rates):
        seconds, share, again = simulate(world)
        bounds = world.shards * world.shard_bytes / world.line, world.shards * world.shard_seconds / world.cores
        hours = " | ".join(f"{each / 3600:.1f}" for each in (seconds, *bounds))
        lines.append(f"| {name} | {hours} | {share:.0%} | {again / world.shards:.1%} |")
    return "\n".join(lines)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results" / "scale-rates.json"
    print(f"{HOURS:,} hours in items of {ITEM_SECONDS:g} s, shards of {SHARD_ITEMS}\n")
    print(table(json.loads(path.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
