"""A Ray cluster on this machine whose nodes come and go as a test wants it."""

import shutil
import socket
import tempfile
import time
from contextlib import suppress
from typing import Any

import pytest

ATTEMPTS = 3
SMALL = 80_000_000  # bytes of a node's object store, the least that Ray takes is about this


class RayNodes:
    """A head node with a Ray Client's server, and further nodes; all on this machine's loopback, each a raylet.

    Attributes:
        address: ``HOST:PORT`` of the head.
        client: ``ray://HOST:PORT``.
    """

    def __init__(self, cpus: int = 1):
        from ray.cluster_utils import Cluster

        self._patch = pytest.MonkeyPatch()
        self._home = tempfile.mkdtemp(prefix="r")  # sockets lie there, whose paths have to be short
        # A node that is killed refuses to answer at once, and is missed within a second; one that lives and is silent,
        # as the machine is busy, has two minutes.
        told = {"RAY_TMPDIR": self._home, "RAY_health_check_period_ms": "200", "RAY_health_check_timeout_ms": "60000",
                "RAY_health_check_failure_threshold": "2", "RAY_USAGE_STATS_ENABLED": "0",
                # No processes that may be of use later: each takes a second of CPU to start.
                "RAY_prestart_worker_first_driver": "0", "RAY_enable_worker_prestart": "0",
                # Else one in ten of the servers that a head forks for its clients never comes up.
                "GRPC_ENABLE_FORK_SUPPORT": "0"}  # fmt: skip
        for name, value in told.items():
            self._patch.setenv(name, value)
        for name in ("RAY_ADDRESS", "OMP_NUM_THREADS"):
            self._patch.delenv(name, raising=False)
        port = _free_port()
        head = {"num_cpus": cpus, "object_store_memory": SMALL, "include_dashboard": False,
                "include_log_monitor": False, "no_monitor": True,  # which no test asks for
                "node_ip_address": "127.0.0.2", "ray_client_server_port": port}  # fmt: skip
        self._cluster = Cluster()
        self._added(**head)
        self.address, self.client = self._cluster.address, f"ray://127.0.0.2:{port}"
        self._last = 2
        self._more: list[Any] = []
        _await(port)

    def add(self, cpus: int = 1, gpus: int = 0) -> Any:
        """One more node, at an address of its own."""
        self._last += 1
        address = f"127.0.0.{self._last}"
        node = self._added(num_cpus=cpus, num_gpus=gpus, object_store_memory=SMALL, node_ip_address=address)
        self._more.append(node)
        return node

    def _added(self, **words: Any) -> Any:
        """Ray gives a node half a minute to start, which on a busy machine may not be enough."""
        for _ in range(ATTEMPTS - 1):
            with suppress(Exception):
                return self._cluster.add_node(**words)
        return self._cluster.add_node(**words)

    def kill(self, node: Any) -> None:
        """As by power that fails: nothing of the node is told that it ends."""
        self._cluster.remove_node(node, allow_graceful=False)

    def only_head(self) -> None:
        """What has been added is gone."""
        while self._more:
            with suppress(Exception):  # some are gone already
                self.kill(self._more.pop())

    def end(self) -> None:
        """All of it, by kills: a head node that is asked to end waits for its nodes, for ever where one is gone."""
        self.only_head()
        self.kill(self._cluster.head_node)
        self._cluster.shutdown()  # what is left is what this process has noted
        self._patch.undo()
        shutil.rmtree(self._home, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def _await(port: int) -> None:
    """Until the Ray Client's server listens, which it does a little later than its head."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError):
            return socket.create_connection(("127.0.0.2", port), 1).close()
        time.sleep(0.05)
    raise TimeoutError("the Ray Client's server has not started within a minute")
