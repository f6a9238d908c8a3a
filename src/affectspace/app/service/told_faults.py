"""Faults of the service itself: an answer for the client, and for the operator where in the code each happened."""

import logging
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affectspace.app.refused import Refused

__all__ = ["ToldFaults"]

LOG = logging.getLogger("affectspace.service")  # on standard error, where nobody has told it otherwise
FRAMES = 6


class ToldFaults:
    """Answers 500 where the service is at fault, and logs the exception's type and place, but nothing that it says.

    What an exception says, and with it a traceback, may hold a client's words, the name of a file or where it lay.

    Args:
        app: what answers.
        routes: paths that are named; any other is ``other``, as it is a client's own words.
    """

    def __init__(self, app: ASGIApp, routes: frozenset[str]):
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noticed(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        except Exception as error:
            route = scope["path"] if scope["path"] in self._routes else "other"
            LOG.error("a fault of the service (%s): %s at %s", route, type(error).__name__, _place(error))
            if begun:  # the server has to end the connection
                raise RuntimeError("a fault after the answer had begun") from None
        else:
            return
        fault = Refused(500, "a fault of the service, which its own log tells; ask its operator")
        await fault.response(scope, receive, send)


def _place(error: BaseException) -> str:
    """The innermost lines of code that an exception has come through, by file, line and function.

    Example:
        >>> try:
        ...     int("a client's words")
        ... except ValueError as error:
        ...     _place(error).partition(":")[2].partition(" ")[0]
        '2'
    """
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return ", from ".join(f"{frame.filename}:{frame.lineno} ({frame.name})" for frame in reversed(frames))
