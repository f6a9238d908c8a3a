"""A connection to a Ray cluster that is running; whatever is wrong with it is told within seconds, in a sentence."""

import io
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from affectspace.clusters.where import RayAt
from affectspace.errors import InputError
from affectspace.extras import refuse_missing

__all__ = ["connect", "head_answers", "refuse_silent"]

PATIENCE = 3.0  # seconds in which a head node has to answer; Ray itself waits for minutes
HEAD = "/ray.rpc.NodeInfoGcsService/CheckAlive"  # what a head node answers, and a Ray Client's server does not know
VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")
# How a Ray Client says that its server, which may outlive the head node, could do nothing for it.
GONE = ("Ray client has already been disconnected", "within the reconnection grace period")
START = "start one with: ray start --head"


@contextmanager
def connect(at: RayAt) -> Iterator[str]:
    """Be connected to a cluster for the length of a block; nothing is started.

    A program that is connected to Ray already stays so, and uses that cluster.

    Args:
        at: which cluster.

    Yields:
        Its address, for people.

    Raises:
        InputError: Ray is not installed; nobody answers there, or somebody else; a cluster of another version of Ray
            or Python, or one that asks for a token that is not known here.

    Example:
        ``with connect(RayAt("ray://head:10001")): print(nodes())``
    """
    refuse_missing("ray", "a Ray cluster needs", "ray", "grpc")
    import ray

    if ray.is_initialized():
        yield ray.get_runtime_context().gcs_address
        return
    address = _found() if at.address == "auto" else at.address
    refuse_silent(address)
    before = set(threading.enumerate())
    try:
        _begin(address)
        own = frozenset(threading.enumerate()) - before
        streams: list[Any] = [_Without(own, stream) for stream in (sys.stdout, sys.stderr)]
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            yield address
    finally:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # it shows what it kept of its logs
            ray.shutdown()


def head_answers() -> bool:
    """Whether the head node still listens; for who is connected. Ray itself ends a program a minute after it does not.

    Through a Ray Client it is taken to: there Ray says so by an error.
    """
    import ray
    from ray.util.client import ray as client

    if client.is_connected():
        return True
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except OSError:
        return False
    return True


class _Without:
    """A stream without what some threads print: Ray's own show pages of its logs when a node is lost.

    Args:
        silent: the threads.
        stream: where all others print to.
    """

    def __init__(self, silent: frozenset[threading.Thread], stream: Any):
        self.silent, self.stream = silent, stream

    def write(self, text: str) -> int:
        return len(text) if threading.current_thread() in self.silent else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _begin(address: str) -> None:
    import ray

    try:
        # What workers print is for their logs: their faults come back as answers.
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except Exception as error:
        raise InputError(_told(address, error)) from error


def _found() -> str:
    """The address of the cluster that ``RAY_ADDRESS`` names or that runs on this machine."""
    if named := os.environ.get("RAY_ADDRESS"):
        if named not in ("auto", "local"):
            return named
        if named == "local":
            raise InputError(f"RAY_ADDRESS is 'local', which is no cluster; unset it, or {START}")
    from ray._private import services  # the only place that knows where `ray start` writes it down

    try:
        found = services.canonicalize_bootstrap_address("auto")
    except ConnectionError:  # how Ray says that there is none; some versions of it answer with None
        found = None
    if not found:
        raise InputError(
            "no Ray cluster runs on this machine and RAY_ADDRESS names none; name one by --on ray://HOST:PORT, or "
            f"{START}"
        )
    return found


def refuse_silent(address: str) -> None:
    """Refuse an address at which no Ray cluster answers, within a few seconds.

    Args:
        address: ``HOST:PORT``, or ``ray://HOST:PORT``.

    Raises:
        InputError: nobody listens there, what listens is no Ray, or it is Ray's other port.

    Example:
        >>> refuse_silent("ray://127.0.0.1:1")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: no Ray cluster answers at ray://127.0.0.1:1 (Connection refused); ...
    """
    by_client = address.startswith("ray://")
    usual = 10001 if by_client else 6379
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"RAY_ADDRESS is {address!r}; legal: HOST:PORT, ray://HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or error
        raise InputError(_nobody(address, str(why))) from None
    if os.environ.get("RAY_USE_TLS", "0") in ("", "0"):  # certificates are Ray's own affair
        _refuse_others(address, by_client, usual)


def _nobody(address: str, why: str) -> str:
    usual = 10001 if address.startswith("ray://") else 6379
    return (
        f"no Ray cluster answers at {address} ({why}); is its head node up, and is {address.rpartition(':')[2]} its "
        f"port, which is {usual} unless another was chosen?"
    )


def _refuse_others(address: str, by_client: bool, usual: int) -> None:
    import grpc

    target = address.removeprefix("ray://")
    answer = grpc.StatusCode.OK
    # It is at the other end of this socket, whatever proxy is named for other things.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(HEAD)(b"", timeout=PATIENCE)
        except grpc.RpcError as error:
            answer = error.code()  # pyright: ignore[reportAttributeAccessIssue]
    if answer in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        raise InputError(f"what listens at {address} is no Ray cluster; its port is {usual}, unless another was chosen")
    client = answer == grpc.StatusCode.UNIMPLEMENTED
    if client and not by_client:
        raise InputError(f"{address} is not the port of a head node; if it is that of a Ray Client, use ray://{target}")
    if by_client and not client:
        raise InputError(
            f"{address} is the port of the head node itself; on a node of that cluster use RAY_ADDRESS={target} and "
            "--on ray, elsewhere the port of its Ray Client, which is 10001 unless another was chosen"
        )


def _told(address: str, error: Exception) -> str:
    """What Ray says when it cannot connect, as a sentence."""
    text = str(error)
    if len(found := VERSIONS.findall(text)) == 2:
        (ray, python), (own_ray, own_python) = found
        return (
            f"the Ray cluster at {address} is of Ray {ray} on Python {python}, and this is Ray {own_ray} on Python "
            f"{own_python}; Ray wants the same of both, here and on every node"
        )
    if "token" in text.lower() and "auth" in text.lower():
        return (
            f"the Ray cluster at {address} asks for a token that this process does not have; set RAY_AUTH_MODE=token "
            "and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH as on its nodes"
        )
    if "Initialization failure from server" in text:
        return (
            f"the head node at {address} could not start a server for this client; try again, and where it happens "
            "often start the head with GRPC_ENABLE_FORK_SUPPORT=0 in its environment"
        )
    if any(words in text for words in GONE):
        return _nobody(address, "what listens there lost the connection")
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return f"the Ray cluster at {address} cannot be used: {first.rstrip('.')}"
