"""Clusters that are there, and whatever else may be found where one was expected."""

import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from affectspace.clusters import RayAt, connect, look, nodes, ray_cluster, wanted
from affectspace.errors import InputError

pytest.importorskip("ray", reason='Ray is not installed; pip install "affectspace[ray]"')
pytestmark = pytest.mark.usefixtures("patience")


@contextmanager
def listening(backlog: int = 1):
    """A port at which somebody listens who never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        yield server.getsockname()[1]


def refused(at: str) -> str:
    with pytest.raises(InputError) as caught, connect(RayAt(at)):
        pass
    return str(caught.value)


def test_where_nobody_listens_that_is_told_at_once():
    with listening() as port:
        pass
    for scheme, usual in (("", 6379), ("ray://", 10001)):
        assert refused(f"{scheme}127.0.0.1:{port}") == (
            f"no Ray cluster answers at {scheme}127.0.0.1:{port} (Connection refused); is its head node up, and is "
            f"{port} its port, which is {usual} unless another was chosen?"
        )


def test_a_host_that_has_no_address_is_told():
    assert refused("ray://no-such-host.invalid:10001").startswith(
        "no Ray cluster answers at ray://no-such-host.invalid:10001 ("
    )


def test_a_host_that_is_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(ray_cluster, "PATIENCE", 0.2)
    with listening(backlog=0) as port, socket.create_connection(("127.0.0.1", port)):
        # The queue of one is full now: the kernel answers no more.
        assert "(no answer)" in refused(f"127.0.0.1:{port}")


def test_what_is_no_ray_is_told(monkeypatch):
    monkeypatch.setattr(ray_cluster, "PATIENCE", 0.3)
    with listening(backlog=8) as port:
        told = f"what listens at ray://127.0.0.1:{port} is no Ray cluster; its port is 10001, unless another"
        assert refused(f"ray://127.0.0.1:{port}") == f"{told} was chosen"
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert "is no Ray cluster" in refused(f"127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("named", "told"), [
    ("local", "RAY_ADDRESS is 'local', which is no cluster"),
    ("head", "RAY_ADDRESS is 'head'; legal: HOST:PORT, ray://HOST:PORT"),
    ("", "no Ray cluster runs on this machine and RAY_ADDRESS names none"),
])  # fmt: skip
def test_what_the_environment_names_is_checked(monkeypatch, named, told):
    from ray._private import services

    monkeypatch.setattr(services, "canonicalize_bootstrap_address", lambda address: None)
    monkeypatch.setenv("RAY_ADDRESS", named)
    assert refused("auto").startswith(told)


NONE_RUNS = (
    "no Ray cluster runs on this machine and RAY_ADDRESS names none; name one by --on ray://HOST:PORT, or start one "
    "with: ray start --head"
)


@pytest.mark.parametrize("named", ["", "auto"])
@pytest.mark.parametrize("raises", [False, True])
def test_that_no_cluster_runs_is_told_however_ray_says_it(monkeypatch, named, raises):
    from ray._private import services

    def answer(address):
        if raises:
            raise ConnectionError("Could not find any running Ray instance. Please specify the one to connect to")

    monkeypatch.setattr(services, "canonicalize_bootstrap_address", answer)
    monkeypatch.setenv("RAY_ADDRESS", named)
    assert refused("auto") == NONE_RUNS


def test_that_no_cluster_runs_is_told_by_ray_itself(monkeypatch, tmp_path):
    """Others may have a cluster on this machine: their processes and what they wrote down are not looked at."""
    from ray._private import services

    monkeypatch.setattr(services, "find_gcs_addresses", set)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert refused("auto") == NONE_RUNS


def test_without_ray_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refused("auto") == 'a Ray cluster needs ray and grpc, not installed; pip install "affectspace[ray]"'


def test_the_port_of_the_other_kind_is_told(ray_nodes):
    head, client = ray_nodes.address, ray_nodes.client
    assert refused(f"ray://{head}") == (
        f"ray://{head} is the port of the head node itself; on a node of that cluster use RAY_ADDRESS={head} and --on "
        "ray, elsewhere the port of its Ray Client, which is 10001 unless another was chosen"
    )
    bare = client.removeprefix("ray://")
    assert refused(bare) == f"{bare} is not the port of a head node; if it is that of a Ray Client, use {client}"


@pytest.mark.parametrize("by", ["address", "client"])
def test_a_cluster_of_another_version_is_told(ray_nodes, monkeypatch, by):
    import ray

    own, python = ray.__version__, ".".join(map(str, sys.version_info[:3]))
    monkeypatch.setattr(ray, "__version__", "2.9.1")
    address = getattr(ray_nodes, by)
    assert refused(address) == (
        f"the Ray cluster at {address} is of Ray {own} on Python {python}, and this is Ray 2.9.1 on Python {python}; "
        "Ray wants the same of both, here and on every node"
    )
    assert not ray.is_initialized()


def test_what_ray_says_becomes_a_sentence():
    asked = ray_cluster._told("head:1", RuntimeError("AuthenticationError: Token authentication is enabled"))
    assert "asks for a token" in asked
    lost = ray_cluster._told("ray://head:1", ConnectionAbortedError("Initialization failure from server:\nTraceback"))
    assert lost.startswith("the head node at ray://head:1 could not start a server for this client; try again")
    gone = (
        "Request can't be sent because the Ray client has already been disconnected due to an error. Last exception: "
        "Failed to reconnect within the reconnection grace period (30s)"
    )
    for said in (gone, gone.partition(" Last exception: ")[2]):
        assert ray_cluster._told("ray://head:20001", ConnectionError(said)) == (
            "no Ray cluster answers at ray://head:20001 (what listens there lost the connection); is its head node up, "
            "and is 20001 its port, which is 10001 unless another was chosen?"
        )
    other = ray_cluster._told("head:1", ConnectionError("\n Something is off.\nMore of it."))
    assert other == "the Ray cluster at head:1 cannot be used: Something is off"


def test_what_ray_shows_of_its_logs_as_it_ends_is_not_shown(ray_nodes, monkeypatch, capfd):
    import ray

    def shutdown():
        for stream in (sys.stdout, sys.stderr):
            print("(raylet) Last 20 lines of the Raylet logs: ...", file=stream)
        real()

    real = ray.shutdown
    monkeypatch.setattr(ray, "shutdown", shutdown)
    with connect(RayAt(ray_nodes.address)):
        print("ours")
    assert capfd.readouterr() == ("ours\n", "")


@pytest.mark.parametrize("by", ["address", "client"])
def test_nodes_are_found_and_asked_what_they_see(ray_nodes, tmp_path, by):
    import ray

    with connect(RayAt(getattr(ray_nodes, by))), wanted(tmp_path, {str(tmp_path): "corpus a"}, ["/", "/no"]) as want:
        found = nodes()
        assert [(node.name, node.address, node.cpus) for node in found] == [("127.0.0.2", "127.0.0.2", 1)]
        fit, unfit = look(found, want)
        assert [(each.node, each.ahead, each.seen, each.note) for each in fit] == [(found[0], 0.0, {"/"}, "")]
        assert unfit == []
        with connect(RayAt("elsewhere:1")):
            assert nodes() == found, "who is connected stays so"
        assert ray.is_initialized()
    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_what_ray_has_kept_to_print_at_its_end_is_printed_nowhere(ray_nodes, capfd):
    """As where a node is lost: what it says goes to standard output, where a command prints JSON for machines."""
    from ray._private.ray_logging import stdout_deduplicator

    said = {"pid": "raylet", "is_err": False, "lines": ["a node has been marked dead", "a node has been marked dead"]}
    with connect(RayAt(ray_nodes.address)):
        stdout_deduplicator.deduplicate(said)
        assert stdout_deduplicator.recent
    assert capfd.readouterr() == ("", "")
