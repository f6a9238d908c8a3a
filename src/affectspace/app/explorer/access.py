"""Who may use a page: whoever has its address with the token, from that very page."""

import hmac

from starlette.datastructures import Headers, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["OwnerOnly"]

READING = {"GET", "HEAD"}
WELCOME = (
    '<!doctype html><meta charset="utf-8"><title>affectspace</title><link rel="icon" href="/page/icon.svg">'
    '<meta http-equiv="refresh" content="0; url=/">'
)


class OwnerOnly:
    """Answers only those who were given the token, and changes things only for the page itself.

    Other people on the machine reach its ports as well, and so does every page that a browser has open. The first
    lack the token, which ``/?token=...`` turns into a cookie; the others lack its origin, and the cookie, which a
    browser sends to pages of the same site alone.

    A browser that is started with an address shows it to everybody who lists the machine's processes. ``once`` is for
    that: it is a token for the first who comes with it, and for nobody after.

    Args:
        app: what answers.
        token: as random as a password.
        name: of the cookie; two servers on one machine need names of their own.
        once: another such token, which holds for one request.
    """

    def __init__(self, app: ASGIApp, token: str, name: str, once: str = ""):
        self._app, self._token, self._name, self._once = app, token, name, once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        await (self._app if refused is None else refused)(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        given = QueryParams(scope["query_string"].decode("latin-1")).get("token", "")
        if scope["path"] == "/" and given:
            if self._once and _same(given, self._once):
                self._once = ""
            elif not _same(given, self._token):
                said = (
                    "This address was used before, or is of an explorer that has ended: open the one that it printed."
                )
                return PlainTextResponse(f"{said}\n", 403)
            # A redirection would count as the visit of whoever led here, to whom browsers give no such cookie.
            welcome = HTMLResponse(WELCOME)
            welcome.set_cookie(self._name, self._token, httponly=True, samesite="strict", path="/")
            return welcome
        # Cookies know no ports: other servers of this machine send theirs along, whatever these are called.
        if not _same(cookie_parser(headers.get("cookie", "")).get(self._name, ""), self._token):
            said = "open the address that affectspace explore has printed, with its token"
            if scope["path"] == "/":
                return PlainTextResponse(f"{said.capitalize()}.\n", 403)
            return JSONResponse({"error": said}, 403)
        if scope["method"] in READING:
            return None
        if headers.get("origin") not in {f"http://{headers.get('host')}"}:
            origin = headers.get("origin", "none")
            return JSONResponse({"error": f"the origin is {origin[:100]!r}; legal: the explorer's own page"}, 403)
        if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return JSONResponse({"error": "the content type is not application/json, which is what is read"}, 415)
        return None


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
