"""Requests that are not answered as asked: a status, and a sentence that says why and what to do."""

from collections.abc import Mapping

from starlette.responses import Response

from affectspace.files import json_text

__all__ = ["Refused", "answer_json"]


class Refused(Exception):
    """What a client is told instead of an answer.

    Args:
        status: of HTTP, 400 or above.
        reason: a sentence: the value, what is legal, the remedy.
        retry_after: seconds after which the same request may be answered; None: it will not be.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None):
        super().__init__(reason)
        self.status, self.reason, self.retry_after = status, reason, retry_after

    @property
    def headers(self) -> dict[str, str]:
        """What the answer has besides."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    @property
    def response(self) -> Response:
        """The answer."""
        return answer_json({"error": self.reason}, self.status, self.headers)


def answer_json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON that every reader accepts, whatever names clients give to their files.

    Half a surrogate pair, which UTF-8 cannot hold, becomes the escape that JSON has for it.

    Example:
        >>> bytes(answer_json({"file": chr(0xD800), "share": float("nan")}).body)
        b'{"file": "\\\\ud800", "share": null}'
    """
    body = json_text(content).encode("utf-8", "backslashreplace")
    return Response(body, status, headers, media_type="application/json")
