"""HTTP for clients of every kind: those that never finish a head are cut, and so are more than can be served."""

import asyncio
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from affectspace.files import json_text

__all__ = ["Impatient"]

HEAD_SECONDS = 5.0  # in which a client must have sent the head of a request, from its first byte or from connecting
CONNECTIONS = 512  # at once; most systems give a process 1024 files


class Impatient(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, which by itself waits forever for the rest of a head.

    Between requests a connection is kept as long as uvicorn keeps it.
    """

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begin, or refuse one connection too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._say(503, f"{CONNECTIONS} connections are open, as many as may; close some, or come back in a moment")
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Go on, and notice whether a head is complete."""
        super().data_received(data)
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            self._cancel()
        elif self._head is None:  # of the next request on this connection
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Tell a client that it does not speak HTTP/1.1."""
        self._say(400, "this is not HTTP/1.1, or a head above 64 KiB; send such a request")

    def _await_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self._cut)

    def _cancel(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _cut(self) -> None:
        self._head = None
        self._say(408, f"no whole head of a request has come in {HEAD_SECONDS:g} s; send it at once")

    def _say(self, status: int, sentence: str) -> None:
        """Answer without a request, and close."""
        if self.transport.is_closing():
            return
        body = json_text({"error": sentence}).encode()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
