"""Which names a server answers to: a page of somebody else's cannot reach it by a name that leads here."""

from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOOPBACK", "KnownHosts", "loopback_hosts"]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Whatever the answer is: no guessing of its type, no trace of where it came from, no use on pages of others.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def loopback_hosts(port: int) -> frozenset[str]:
    """What a browser on this machine sends as ``Host`` for a port.

    Example:
        >>> sorted(loopback_hosts(8765))
        ['127.0.0.1:8765', '[::1]:8765', 'localhost:8765']
    """
    return frozenset(f"{name}:{port}" for name in LOOPBACK)


class KnownHosts:
    """Lets requests through whose ``Host`` is known, and gives every answer the same careful headers.

    A browser sends the name that it was led by. A page of a stranger whose own name points to this machine (DNS
    rebinding) so is told apart, and is refused with status 421.

    Args:
        app: what answers.
        hosts: names with their port, in lower case, such as ``127.0.0.1:8765``; without one, port 80 or 443 is meant.
        headers: of every answer, beside those that every answer has.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], headers: Mapping[str, str] | None = None):
        self._app = app
        self._hosts = frozenset(hosts)
        self._headers = {**ALWAYS, **(headers or {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        given = Headers(scope=scope).getlist("host")
        if len(given) == 1 and given[0].lower() in self._hosts:
            await self._app(scope, receive, careful)
            return
        named = repr(given[0][:100]) if given else "nothing"
        answer = JSONResponse(
            {"error": f"the host of this request is {named}; legal: {', '.join(sorted(self._hosts))}"}, 421
        )
        await answer(scope, receive, careful)
