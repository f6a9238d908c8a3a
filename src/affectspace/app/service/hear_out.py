"""Answers given before a request has wholly come: the client hears them, and the connection ends."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HearOut"]

SECONDS = 2.0  # for which a refused client is listened to; most stop as soon as they read the answer
BYTES = 50_000_000


class HearOut:
    """Ends the connection of a client that was refused while it was still sending, but not before it has the answer.

    Were the connection closed at once, what it goes on to send would be answered by a reset, which may take the answer
    out of its hands unread. So it is listened to for a moment, and nothing of that is kept.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        whole = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        asked = "expect" not in headers  # a client that waits to be asked for its body sends none

        async def noticed() -> Message:
            nonlocal whole, asked
            asked = True
            message = await receive()
            whole = whole or not message.get("more_body", False)
            return message

        async def patient(message: Message) -> None:
            if whole:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                if asked:
                    await _hear_out(receive)
                await send({"type": "http.response.body", "body": b""})

        await self._app(scope, noticed, patient)


async def _hear_out(receive: Receive) -> None:
    heard, more = 0, True
    try:
        async with asyncio.timeout(SECONDS):
            while more and heard < BYTES:
                message = await receive()
                heard += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        pass
