"""What processes cost: seconds of cores, and memory over time, of all that come and go below this one."""

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ray_network import below

__all__ = ["Watch"]

MIB = 2**20
TICK = os.sysconf("SC_CLK_TCK")
EVERY = 0.5  # seconds between two looks, each of which takes some milliseconds of a core
KINDS = {
    "MapWorker": "workers", "affectspace embed": "the command", "Asker": "the actor that runs Ray Data",
    "StatsActor": "Ray Data's figures", "AutoscalingCoordinator": "Ray Data's autoscaler", "raylet/raylet": "raylets",
    "gcs_server": "the head's server", "agent": "agents of nodes", "ray::IDLE": "idle workers",
    "client.server": "servers of the Ray Client", "ray start": "ray start", "log_monitor": "monitors",
    "monitor.py": "monitors",
}  # fmt: skip


def _own(pid: int) -> tuple[str, float, float]:
    """Name, seconds of a core and MiB of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    rest = stat[stat.rindex(")") + 2 :].split()
    words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    memory = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB
    return words, (int(rest[11]) + int(rest[12])) / TICK, memory


@dataclass
class Watch:
    """Seconds of cores, and memory of workers over time, of processes below this one, as they come and go."""

    cpu: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    others: set[int] = field(default_factory=set)  # processes below this one that are not counted
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
        self._note()

    def _look(self) -> dict[int, float]:
        found = {}
        for pid in set(below(os.getpid())[1:]) - self.others:
            with suppress(OSError, ValueError):
                name, seconds, memory = _own(pid)
                found[pid] = seconds
                self.names[pid] = name or self.names.get(pid, "")  # one that has just ended has none
                if "MapWorker" in name:
                    self.memory.setdefault(pid, []).append((time.perf_counter() - self._began, memory))
        return found

    def _go_on(self) -> None:
        while not self.stop.wait(EVERY):
            self._note()

    def _note(self) -> None:
        for pid, seconds in self._look().items():
            self.cpu[pid] = seconds - self._before.get(pid, 0.0)

    def shares(self) -> str:
        """Seconds of cores by kind of process, those with most first."""
        kinds: dict[str, float] = {}
        for pid, spent in self.cpu.items():
            kind = next((told for words, told in KINDS.items() if words in self.names[pid]), "other processes of Ray")
            kinds[kind] = kinds.get(kind, 0.0) + spent
        return ", ".join(f"{kind} {spent:.1f}" for kind, spent in sorted(kinds.items(), key=lambda each: -each[1]))

    def memory_of_workers(self) -> list[str]:
        """Of each that lived long enough: MiB after a quarter, a half, three quarters, and at its end."""
        told = []
        for series in self.memory.values():
            values = [memory for _, memory in series]
            if len(values) > 12:
                places = [values[len(values) * part // 4 - (part == 4)] for part in (1, 2, 3, 4)]
                told.append(f"{' '.join(f'{value:.0f}' for value in places)} (largest {max(values):.0f})")
        return told

    def seconds(self, of: str = "") -> float:
        """Of cores, of processes whose command has these words."""
        return sum(spent for pid, spent in self.cpu.items() if of in self.names[pid])
