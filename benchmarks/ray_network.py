"""A Ray cluster on one machine, whose nodes have a network namespace and an address of their own, as machines have.

The namespaces are made and removed here, which takes root and ``ip``; without these, nodes are on the loopback.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["PORT", "Network", "below", "on_core"]

PREFIX, PORT, SMALL = "affsp", 6379, 80_000_000


def below(root: int) -> list[int]:
    """A process and all that came of it."""
    parents = {}
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        with suppress(OSError, ValueError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            parents[pid] = int(stat[stat.rindex(")") + 2 :].split()[1])
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


class Network:
    """Namespaces of nodes on one bridge, made when it is entered and removed when it is left."""

    def __init__(self) -> None:
        self.own = os.geteuid() == 0 and shutil.which("ip") is not None
        self.prefix = f"{PREFIX}-{os.getpid()}-"  # another may be at work beside this one
        self.processes: dict[int, subprocess.Popen] = {}

    def __enter__(self) -> "Network":
        if self.own:
            _ip("netns", "add", f"{self.prefix}hub")
            _ip("-n", f"{self.prefix}hub", "link", "add", "br0", "type", "bridge")
            _ip("-n", f"{self.prefix}hub", "link", "set", "br0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        if not self.own:
            return
        there = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
        for name in (name for name in there if name.startswith(self.prefix)):
            for pid in _within(name):
                os.kill(pid, 9)  # only ours live there
            _ip("netns", "delete", name)

    def address(self, node: int) -> str:
        return f"10.77.0.{node + 1}" if self.own else f"127.0.0.{node + 10}"

    def inside(self, node: int) -> list[str]:
        """How a command begins that runs on a node."""
        return ["ip", "netns", "exec", f"{self.prefix}{node}"] if self.own else []

    def start(self, node: int, home: Path, core: int | None = None) -> None:
        """A node with one CPU; node 0 is the head, which has one, too.

        Args:
            node: its number.
            home: a folder with a short path, for sockets and what Ray writes down.
            core: of this machine, on which all that it starts stays.
        """
        if self.own:
            name, hub = f"{self.prefix}{node}", f"{self.prefix}hub"
            _ip("netns", "add", name)
            _ip("-n", hub, "link", "add", f"p{node}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("-n", hub, "link", "set", f"p{node}", "master", "br0", "up")
            _ip("-n", name, "address", "add", f"{self.address(node)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        head = ["--head", f"--port={PORT}", f"--temp-dir={home}", "--include-dashboard=false"]
        joins = [f"--address={self.address(0)}:{PORT}"]
        words = [
            *self.inside(node), sys.executable, "-m", "ray.scripts.scripts", "start", *(joins if node else head),
            f"--node-ip-address={self.address(node)}", f"--node-name=node{node}", "--num-cpus=1",
            f"--object-store-memory={SMALL}", "--disable-usage-stats", "--block",
        ]  # fmt: skip
        with open(home / f"node{node}.log", "w") as log:
            self.processes[node] = subprocess.Popen([*on_core(core), *words], stdout=log, stderr=log)

    def await_node(self, node: int, home: Path) -> None:
        """Until the node has joined, which takes a busy machine its time."""
        until = time.monotonic() + 90
        while not self.is_up(node, home):
            if self.processes[node].poll() is not None or time.monotonic() > until:
                raise SystemExit(f"node {node} has not started:\n{(home / f'node{node}.log').read_text()}")
            time.sleep(0.2)

    def is_up(self, node: int, home: Path) -> bool:
        return "Ray runtime started" in (home / f"node{node}.log").read_text()

    def kill(self, node: int) -> None:
        """As if its power failed: all that runs on a node ends at once."""
        for pid in reversed(below(self.processes[node].pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.processes.pop(node).wait()

    def kill_raylet(self, node: int) -> None:
        """End what speaks for a node, by no signal that it could answer; the process that trains is left alone."""
        os.kill(self._raylet(node), signal.SIGKILL)

    def _raylet(self, node: int) -> int:
        for pid in below(self.processes[node].pid):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if words[0].endswith("/raylet"):
                return pid
        raise SystemExit(f"node {node} has no raylet")


def on_core(core: int | None) -> list[str]:
    """How a command begins that stays on a core of this machine."""
    return [] if core is None else ["taskset", "-c", str(core)]


def _within(namespace: str) -> list[int]:
    told = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True).stdout
    return [int(pid) for pid in told.split()]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
