"""The simulation of scale_simulation.py beside workers that really fetch, over a line that really is narrow.

    python benchmarks/scale_check.py

needs root, ``ip`` and ``tc``. A store lives in a network namespace, behind a link that the kernel holds to 25 MB/s, and
answers each request after 30 ms. Eight workers fetch items over TCP, each with so many connections, and then rest for
as long as a core would take; nothing is computed, so two cores are enough. Told are the seconds of a run and of the
simulation of the same world.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

from scale_simulation import World, simulate

LINE, LATENCY, ROUNDS = 25e6, 0.03, 3
NAMESPACE, ADDRESS, PORT = "scale-store", "10.88.0.2", 9000
HEADER = 8  # bytes of a request: how many are wanted


@contextlib.contextmanager
def store() -> Iterator[None]:
    """A store in a namespace of its own, behind a narrow link; removed at the end."""

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", "scale0", "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
        ip("address", "add", "10.88.0.1/24", "dev", "scale0")
        ip("link", "set", "scale0", "up")
        ip("-n", NAMESPACE, "address", "add", f"{ADDRESS}/24", "dev", "eth0")
        ip("-n", NAMESPACE, "link", "set", "eth0", "up")
        rate = ["rate", f"{LINE * 8:.0f}bit", "burst", "64kb", "latency", "100ms"]
        subprocess.run(["tc", "-n", NAMESPACE, "qdisc", "add", "dev", "eth0", "root", "tbf", *rate], check=True)
        command = ["ip", "netns", "exec", NAMESPACE, sys.executable, __file__, "serve"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()
            try:
                yield
            finally:
                server.kill()
    finally:
        ip("netns", "delete", NAMESPACE)


async def serve() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(HEADER))
                await asyncio.sleep(LATENCY)
                writer.write(bytes(size))
                await writer.drain()

    server = await asyncio.start_server(answer, ADDRESS, PORT)
    print("ready", flush=True)
    await server.serve_forever()


async def fetch_and_rest(world: World) -> float:
    """Seconds in which all shards are fetched and worked on."""
    shards = iter(range(world.shards))

    async def connections() -> list:
        return [await asyncio.open_connection(ADDRESS, PORT) for _ in range(world.at_once)]

    async def fetched(lines: list) -> bool:
        if next(shards, None) is None:
            return False
        items = iter(range(world.items))

        async def over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in items:
                writer.write(round(world.item_bytes).to_bytes(HEADER))
                await reader.readexactly(round(world.item_bytes))

        await asyncio.gather(*(over(*line) for line in lines))
        return True

    async def worker(lines: list) -> None:
        coming = asyncio.create_task(fetched(lines))
        while await coming:
            if world.overlap:
                coming = asyncio.create_task(fetched(lines))
            await asyncio.sleep(world.shard_seconds)
            if not world.overlap:
                coming = asyncio.create_task(fetched(lines))

    each = [await connections() for _ in range(world.cores)]
    began = time.perf_counter()
    await asyncio.gather(*map(worker, each))
    took = time.perf_counter() - began
    for _, writer in (line for lines in each for line in lines):
        writer.close()
    return took


def main() -> None:
    one = World(8, LINE, LATENCY, 1, 100e3, 0.01, False, 64, items=64)
    worlds = {
        "one item after another": one,
        "16 at once": replace(one, at_once=16),
        "16 at once, the next while one is worked on": replace(one, at_once=16, overlap=True),
        "a shard an object": replace(one, items=1, item_bytes=64 * 100e3, item_seconds=0.64, overlap=True),
        "a shard an object, three times the work": replace(
            one, items=1, item_bytes=64 * 100e3, item_seconds=1.92, overlap=True
        ),
    }
    print("| layout | seconds, real (least to most) | simulated | by the line | by the cores |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with store():
        for name, world in worlds.items():
            real = sorted(asyncio.run(fetch_and_rest(world)) for _ in range(ROUNDS))
            bounds = world.shards * world.shard_bytes / world.line, world.shards * world.shard_seconds / world.cores
            told = f"{real[ROUNDS // 2]:.1f} ({real[0]:.1f} to {real[-1]:.1f}) | {simulate(world)[0]:.1f}"
            print(f"| {name} | {told} | {bounds[0]:.1f} | {bounds[1]:.1f} |", flush=True)


if __name__ == "__main__":
    asyncio.run(serve()) if sys.argv[1:] == ["serve"] else main()
