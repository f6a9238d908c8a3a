"""The service beside a plain FastAPI and torch handler: requests a second, latency, memory, and bad company.

    python benchmarks/service.py RUN "FILES" [SECONDS] [ROUNDS]

RUN is a finished run on recordings or pictures, FILES a pattern of such. 32 clients ask as soon as they are answered,
in turn the plain handler (``service_plain.py``), with torch's own number of threads and with one, and ``affectspace
serve``, each a single process. Then the service is asked while others send too much, too slowly, or too often. The most
probable class of every answer is compared with that of the same file asked alone.
"""

import asyncio
import contextlib
import glob
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.__main__ import machine

CLIENTS = 32
KEY = "prediction"


@dataclass
class Asked:
    """What clients have met."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    lost: int = 0
    sent: int = 0

    @property
    def right(self) -> int:
        return self.statuses[200] - self.wrong


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def started(command: list[str], port: int, **environment: str) -> Iterator[int]:
    """The process of a server, once it answers."""
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json").read()
                break
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} has ended")
            time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def request(port: int, path: str) -> bytes:
    """A whole request that uploads a file."""
    name, content = os.path.basename(path), Path(path).read_bytes()
    part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    body = f"{part}Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n--x--\r\n"
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection goes on."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length), b"connection: close" not in head


def told(body: bytes) -> str:
    content = json.loads(body)
    return content["files"][0][KEY] if "files" in content else content[KEY]


async def client(port: int, requests: list[bytes], first: int, until: float, met: Asked, right: list[str]) -> None:
    """Ask as soon as the last question is answered; one that is told to come back does so after a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    place = first
    while time.perf_counter() < until:
        began = time.perf_counter()
        met.sent += 1
        try:
            writer.write(requests[place % len(requests)])
            status, body, stays = await answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            met.lost += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        met.statuses[status] += 1
        if status == 200:
            met.seconds.append(time.perf_counter() - began)
            met.wrong += bool(right) and told(body) != right[place % len(requests)]
        elif status == 429:
            await asyncio.sleep(0.2)
        if not stays:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        place += CLIENTS
    writer.close()


async def oversize(port: int, until: float, met: Counter[int]) -> None:
    """Send 30 MB, again and again."""
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    while time.perf_counter() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}Content-Length: 30000000\r\n\r\n".encode() + bytes(1_000_000))
        met[(await answer(reader))[0]] += 1
        writer.close()
        await asyncio.sleep(0.5)


async def slow(port: int, whole: bytes, until: float, met: Counter[int]) -> None:
    """Send a byte at a time, ten of them a second."""
    while time.perf_counter() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        heard = asyncio.create_task(answer(reader))
        for place in range(len(whole)):
            if heard.done():
                break
            writer.write(whole[place : place + 1])
            await asyncio.sleep(0.1)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            met[(await heard)[0]] += 1
        writer.close()


async def ask(
    port: int, requests: list[bytes], seconds: float, right: list[str], clients: int = CLIENTS, bad: bool = False
) -> tuple[Asked, Counter[int], Counter[int]]:
    met, large, late = Asked(), Counter[int](), Counter[int]()
    until = time.perf_counter() + seconds
    company = [oversize(port, until, large) for _ in range(4)] if bad else []
    company += [slow(port, requests[0], until, late) for _ in range(8)] if bad else []
    async with asyncio.timeout(seconds + 60):
        await asyncio.gather(*(client(port, requests, k, until, met, right) for k in range(clients)), *company)
    return met, large, late


def memory(pid: int) -> float:
    """MiB that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(name: str, met: Asked, seconds: float, spent: float, held: float) -> str:
    p50, p99 = np.percentile(met.seconds, [50, 99]) * 1000
    lost = met.sent - sum(met.statuses.values())
    rate = met.right / seconds
    return (
        f"| {name} | {rate:.0f} | {p50:.0f} | {p99:.0f} | {1000 * spent / max(1, met.right):.2f} | {held:.0f} | "
        f"{met.sent} | {met.right} | {met.statuses[429]} | {met.wrong} | {lost} |"
    )


def main(run: str, pattern: str, seconds: float = 60.0, rounds: int = 2) -> None:
    paths = sorted(glob.glob(pattern))[:200]
    ours = free_port()
    serving = [sys.executable, "-m", "affectspace", "serve", run, "--port", str(ours)]
    plainly = [
        sys.executable,
        "-m",
        "uvicorn",
        "benchmarks.service_plain:app",
        "--no-access-log",
        "--log-level",
        "error",
    ]
    ports = {"plain": free_port(), "plain, torch.set_num_threads(1)": free_port(), "service": ours}
    print(f"{machine()}; {CLIENTS} clients, {seconds:g} s each, {len(paths)} files in turn\n")
    print("| server | answers / s | p50 ms | p99 ms | CPU ms / answer | MiB | sent | answered | 429 | wrong | lost |")
    print("| --- |" + " ---: |" * 10)
    rates: dict[str, list[float]] = {name: [] for name in ports}
    one, two, _ = ports.values()
    with (
        started([*plainly, "--port", str(one)], one, RUN=run) as first,
        started([*plainly, "--port", str(two)], two, RUN=run, THREADS="1") as second,
        started(serving, ours) as pid,
    ):
        processes = dict(zip(ports, (first, second, pid)))
        requests = {name: [request(port, path) for path in paths] for name, port in ports.items()}
        right = asyncio.run(_alone(ours, requests["service"]))
        for name, port in ports.items():
            asyncio.run(ask(port, requests[name], min(5.0, seconds), right))  # to be warm
        for number in range(rounds):
            for name, port in ports.items():
                before = cpu(processes[name])
                met, _, _ = asyncio.run(ask(port, requests[name], seconds, right))
                rates[name].append(met.right / seconds)
                spent, held = cpu(processes[name]) - before, memory(processes[name])
                print(row(f"{name}, {number + 1}", met, seconds, spent, held), flush=True)
        print(f"\nload {os.getloadavg()[0]:.1f}; answers a second of the service over those of")
        for name in [*ports][:-1]:
            ratios = [there / here for here, there in zip(rates[name], rates["service"])]
            print(f"- {name}: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
        print()
        before, held = cpu(pid), memory(pid)
        met, large, late = asyncio.run(ask(ours, requests["service"], seconds, right, bad=True))
        print("Beside 4 clients that send 30 MB and 8 that send ten bytes a second:\n")
        print(row("service", met, seconds, cpu(pid) - before, memory(pid)))
        print(f"\nthese were answered {dict(large)} and {dict(late)}; memory {held:.0f} -> {memory(pid):.0f} MiB")
        before = cpu(pid)
        met, _, _ = asyncio.run(ask(ours, requests["service"], seconds, right, clients=4 * CLIENTS))
        print(f"\n{4 * CLIENTS} clients, where 64 requests may wait:\n")
        print(row("service", met, seconds, cpu(pid) - before, memory(pid)))
        figures = urllib.request.urlopen(f"http://127.0.0.1:{ours}/metrics").read().decode()
        batches = {
            line.split()[0].rpartition("_")[2]: float(line.split()[1])
            for line in figures.splitlines()
            if line.startswith(("affectspace_batch_items_sum", "affectspace_batch_items_count"))
        }
        print(f"\nitems in a batch, on average: {batches['sum'] / batches['count']:.1f}")


async def _alone(port: int, requests: list[bytes]) -> list[str]:
    """What each file is answered when nobody else asks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for each in requests:
        writer.write(each)
        found.append(told((await answer(reader))[1]))
    writer.close()
    return found


if __name__ == "__main__":
    main(*sys.argv[1:3], *(kind(value) for kind, value in zip((float, int), sys.argv[3:])))
