"""Who may ask a service that others than this machine can reach: whoever knows its key."""

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from affectspace.app.refused import Refused
from affectspace.errors import InputError

__all__ = ["VARIABLE", "KeyHolders", "read_key"]

VARIABLE = "AFFECTSPACE_API_KEY"
SHORTEST = 16
MAKE = "openssl rand -hex 24"


def read_key(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The key, from a file or else from the environment; never from a command line, which every process can read.

    Raises:
        InputError: a file that cannot be read, or a key that is too short, or cannot stand in a header.

    Example:
        >>> read_key(None, {"AFFECTSPACE_API_KEY": "guess-me"})
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: the API key of AFFECTSPACE_API_KEY has 8 characters; ...
    """
    if file is not None:
        where = str(file)
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--api-key-file {file} cannot be read: {getattr(error, 'strerror', error)}") from error
    else:
        where, key = VARIABLE, environment.get(VARIABLE, "").strip()
        if not key:
            return None
    if len(key) < SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(
            f"the API key of {where} has {len(key)} characters; legal: at least {SHORTEST}, letters, digits and signs "
            f"without blanks, as {MAKE} prints"
        )
    return key


class KeyHolders:
    """Answers only requests that bring the key, as ``Authorization: Bearer KEY``.

    Args:
        app: what answers.
        key: see :func:`read_key`.
        open_to_all: paths that need none.
    """

    def __init__(self, app: ASGIApp, key: str, open_to_all: frozenset[str] = frozenset()):
        self._app, self._open = app, open_to_all
        self._digest = _digest(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in self._open or self._holds(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        refused = Refused(401, "the request brings no key that is known; send it as Authorization: Bearer KEY")
        response = refused.response
        response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)

    def _holds(self, headers: Headers) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        # Digests are of one length, so that neither that nor the first wrong character shows in the time it takes.
        return hmac.compare_digest(_digest(key.strip()), self._digest) and scheme.lower() == "bearer"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
