"""A port, and a server on it that ends well."""

import contextlib
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from affectspace.app.http_protocol import Impatient
from affectspace.errors import InputError

__all__ = ["address_of", "bound", "is_loopback", "listen", "serve_on"]

BACKLOG = 1024  # connections that wait to be taken


def is_loopback(host: str) -> bool:
    """Whether an address is one that only this machine reaches.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int) -> socket.socket:
    """A socket that has taken a port, and does not listen yet.

    Args:
        host: an address, or a name of this machine.
        port: 0: one that is free.

    Raises:
        InputError: a port that is taken or may not be, or a host that this machine is not.
    """
    if not 0 <= port < 65536:
        raise InputError(f"--port is {port}; legal: 0 (any that is free) to 65535")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # the latter of names that can be none
        raise InputError(
            f"--host {host!r} is no address of this machine: {getattr(error, 'strerror', None) or error}"
        ) from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(place)
    except OSError as error:
        taken.close()
        raise _untaken(host, port, error) from error
    return taken


def address_of(taken: socket.socket) -> str:
    """The address of a socket as a browser reads it.

    Example:
        >>> with bound("127.0.0.1", 0) as taken:
        ...     address_of(taken).startswith("http://127.0.0.1:")
        True
    """
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listen(taken: socket.socket) -> None:
    """Let clients connect, who then wait until they are served.

    Raises:
        InputError: somebody else listens on the port by now; the socket is closed.
    """
    try:
        taken.listen(BACKLOG)
    except OSError as error:
        host, port = taken.getsockname()[:2]
        taken.close()
        raise _untaken(host, port, error) from error


def serve_on(taken: socket.socket, app: ASGIApp, stopping: float, ready: Callable[[], object]) -> None:
    """Serve until the process is asked to end (SIGTERM, SIGINT), and then end what has been begun.

    Args:
        taken: see :func:`bound`.
        app: what answers.
        stopping: seconds that requests have to come to their end.
        ready: called as soon as clients are answered.

    Raises:
        InputError: somebody else listens on the port by now.
    """
    listen(taken)
    config = uvicorn.Config(
        app, http=Impatient, ws="none", lifespan="on", log_level="error", access_log=False, server_header=False,
        proxy_headers=False, backlog=BACKLOG, timeout_keep_alive=15, timeout_graceful_shutdown=int(stopping) + 1,
    )  # fmt: skip
    _Server(config, ready).run([taken])


class _Server(uvicorn.Server):
    """One that says when it is ready, and for which being asked to end is no fault."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]):
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End by these signals; uvicorn would raise them once more when all is done."""
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _untaken(host: str, port: int, error: OSError) -> InputError:
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"port {port} of {host} is in use; end what listens there, or choose another: --port 0 finds one"
        )
    if error.errno == errno.EACCES:
        return InputError(f"port {port} is kept for the system; choose one from 1024 on")
    return InputError(f"--host {host} --port {port} cannot be taken: {error.strerror}; give an address of this machine")
