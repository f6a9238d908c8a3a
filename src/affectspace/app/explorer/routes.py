"""The explorer's server: a page, and what it asks of spaces."""

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from affectspace.app.explorer.access import OwnerOnly
from affectspace.app.explorer.background import Later
from affectspace.app.explorer.explored import SHOWN_OF_SUBCLASS, Explored
from affectspace.app.explorer.shown_media import Gone
from affectspace.app.hosts import KnownHosts, loopback_hosts
from affectspace.corpora.corrections import CorrectedMeanwhile, NotWritten
from affectspace.errors import InputError, MediaError
from affectspace.files import json_text
from affectspace.space.subclasses import SubClasses

__all__ = ["make_explorer"]

PAGE = files("affectspace.app.explorer") / "page"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LARGEST = 16_384  # bytes of a correction
# Nothing but what this server gives is loaded, nothing inline runs, and no page of others may frame this one.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Api:
    """What the page asks, each by a path below ``/api``; a fault is a status and one sentence.

    Args:
        explored: what is shown.
    """

    def __init__(self, explored: Explored):
        self._explored = explored

    def routes(self) -> list[Route]:
        """The paths."""
        asked = {
            "about": self.about, "points": self.points, "column": self.column, "ids": self.ids, "item": self.item,
            "audio/{row}": self.audio, "waveform/{row}": self.waveform, "image/{row}": self.image,
            "doubts": self.doubts, "subclasses": self.subclasses, "find": self.find, "corrections": self.corrections,
        }  # fmt: skip
        answered = [Route(f"/api/{path}", answer, methods=["GET"]) for path, answer in asked.items()]
        return [*answered, Route("/api/corrections", self.correct, methods=["POST"])]

    def about(self, request: Request) -> Response:
        """What there is."""
        self._explored.judgements.refresh()
        return _json(self._explored.about())

    def points(self, request: Request) -> Response:
        """Where each item lies on a map."""
        space = self._space(request)
        return _later(self._explored.maps, lambda maps: _binary(maps[space], "<f4"))

    def column(self, request: Request) -> Response:
        """A column, as numbers."""
        name, space = request.query_params.get("name", ""), self._space(request)
        if name == "subclass" and self._explored.labelled:
            return _later(self._explored.subclasses[space], lambda found: _binary(found.assignment, "<i4", "category"))
        if (found := self._explored.column(name, space)) is None:
            raise HTTPException(404, f"{name[:100]!r} is no column; there are {', '.join(self._explored.columns)}")
        kind, cells = found
        return _binary(cells, "<i4" if kind == "category" else "<f4", kind)

    def ids(self, request: Request) -> Response:
        """The name of every item."""
        return _json(self._explored.items["id"].tolist())

    def item(self, request: Request) -> Response:
        """One item."""
        return _json(self._explored.item(self._row(request.query_params.get("row", "")), self._space(request)))

    def audio(self, request: Request) -> Response:
        """The sound of an item; parts of it where a range is asked for."""
        path, kind = self._explored.media.audio(self._row(request.path_params["row"]))
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})

    def waveform(self, request: Request) -> Response:
        """The outline of a sound."""
        return _json(self._explored.media.waveform(self._row(request.path_params["row"])))

    def image(self, request: Request) -> Response:
        """The picture of an item."""
        shown = self._explored.media.image(self._row(request.path_params["row"]))
        return Response(shown, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    def doubts(self, request: Request) -> Response:
        """Labels that the others contradict."""
        space = self._space(request)
        if not self._explored.contradicted:
            return _json({"state": "ready", "rows": []})
        return _later(self._explored.doubts[space], lambda found: _json({"state": "ready", "rows": found}))

    def subclasses(self, request: Request) -> Response:
        """Classes within classes, and the items that stand for them."""
        space = self._space(request)
        if not self._explored.labelled:
            return _json({"state": "ready", "groups": []})
        return _later(self._explored.subclasses[space], lambda found: _json(_groups(found, self._explored)))

    def find(self, request: Request) -> Response:
        """Items by words."""
        asked = request.query_params
        return _json(self._explored.find(asked.get("q", "")[:1000], asked.get("all") == "1"))

    def corrections(self, request: Request) -> Response:
        """What people have corrected since."""
        judgements = self._explored.judgements
        judgements.refresh()
        since = self._number(request.query_params.get("since", "0"), "since")
        version = judgements.version
        return _json({"version": version, "entries": judgements.since(since)})

    async def correct(self, request: Request) -> Response:
        """Take down what somebody says of an item."""
        told = await _told(request)
        judgements = self._explored.judgements
        row = judgements.row(told.pop("item"))
        try:
            entry, before = await run_in_threadpool(judgements.add, row, **told)
        except CorrectedMeanwhile as error:
            history = [asdict(each) for each in judgements.history(row)]
            told = {"history": history, "label": judgements.label(row)}
            return _json({"error": str(error), **told}, 409)
        except NotWritten as error:
            return _json({"error": str(error)}, 507)
        return _json({"entry": asdict(entry), "before": before, "version": judgements.version})

    def _space(self, request: Request) -> int:
        space = self._number(request.query_params.get("s", "0"), "s")
        if space >= len(self._explored.spaces):
            raise HTTPException(404, f"there is no space {space}; legal: 0 to {len(self._explored.spaces) - 1}")
        return space

    def _row(self, given: str) -> int:
        row = self._number(given, "row")
        if row >= len(self._explored):
            raise HTTPException(404, f"there is no item {row}; legal: 0 to {len(self._explored) - 1}")
        return row

    @staticmethod
    def _number(given: str, name: str) -> int:
        if not (given.isascii() and given.isdecimal() and len(given) < 16):
            raise HTTPException(422, f"{name} is {given[:100]!r}; legal: a whole number, 0 or more")
        return int(given)


def make_explorer(explored: Explored, token: str, port: int, library: Path, once: str = "") -> ASGIApp:
    """The application, for one port of the loopback interface.

    Args:
        explored: what is shown.
        token: which the address carries.
        port: that it is served at, which is part of the names that it answers to.
        library: the file of the script that draws points.
        once: a token that holds for one request, see :class:`~affectspace.app.explorer.access.OwnerOnly`.
    """

    def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        # Names are compared with what is there, so that no path leads elsewhere.
        found = next((each for each in PAGE.iterdir() if each.name == name and each.is_file()), None)
        kind = KINDS.get(f".{name.rsplit('.', 1)[-1]}")
        if found is None or kind is None:
            raise HTTPException(404, "there is no such page")
        return Response(found.read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"})

    def drawn_by(request: Request) -> Response:
        if request.path_params["name"] != library.name:
            raise HTTPException(404, "there is no such library")
        return FileResponse(library, media_type="text/javascript")

    answers = Starlette(
        routes=[Route("/", page), Route("/page/{name}", page), Route("/lib/{name}", drawn_by), *Api(explored).routes()],
        exception_handlers={
            HTTPException: _refused,
            Gone: lambda request, error: _json({"error": str(error)}, 404),
            MediaError: lambda request, error: _json({"error": str(error)}, 415),
            InputError: lambda request, error: _json({"error": str(error)}, 422),
            Exception: lambda request, error: _json({"error": f"a fault of the explorer: {type(error).__name__}"}, 500),
        },
    )
    # Around all of it, so that faults are answered as carefully as anything.
    owned = OwnerOnly(answers, token, f"affectspace-{port}", once)
    return KnownHosts(owned, loopback_hosts(port), {"Content-Security-Policy": POLICY})


def _json(told: Any, status: int = 200) -> Response:
    return Response(json_text(told), status, {"Cache-Control": "no-cache"}, "application/json")


def _binary(cells: np.ndarray, kind: str, column: str = "") -> Response:
    headers = {"Cache-Control": "no-cache", **({"X-Kind": column} if column else {})}
    return Response(np.ascontiguousarray(cells, kind).tobytes(), 200, headers, "application/octet-stream")


def _later(work: Later[Any], answer: Callable[[Any], Response]) -> Response:
    """The answer of what is there, or that it is being made."""
    ready, found = work.ask()
    return answer(found) if ready else _json({"state": "drawing", "share": None, "says": work.says}, 202)


def _groups(found: SubClasses, explored: Explored) -> dict[str, Any]:
    groups = []
    for place, (name, whole, size) in enumerate(zip(found.names, found.classes_of, found.sizes)):
        rows = found.nearest(place, SHOWN_OF_SUBCLASS).tolist()
        told = {"name": name, "label": found.space.classes[int(whole)], "items": int(size)}
        groups.append({**told, "rows": rows, "media": [explored.media.kinds(row) for row in rows]})
    return {"state": "ready", "groups": groups}


async def _told(request: Request) -> dict[str, Any]:
    """The body of a correction, of the kinds that it must have."""
    read = b""
    try:
        async for part in request.stream():
            read += part
            if len(read) > LARGEST:
                raise HTTPException(413, f"a correction has more than {LARGEST:,} bytes; legal: fewer")
    except ClientDisconnect:
        raise HTTPException(400, "the correction ends before its end") from None
    try:
        told = json.loads(read)
    except (ValueError, RecursionError):
        raise HTTPException(422, "the correction is no JSON") from None
    # Items are named: what a page could not send is kept, and rows may be other items by then.
    kinds = {"item": str, "old": str, "new": str, "why": str, "undo": bool}
    if not isinstance(told, dict) or not {"item", "old", "new"} <= told.keys() <= kinds.keys():
        raise HTTPException(422, f"a correction has item, old and new, and may have why and undo; legal: {[*kinds]}")
    for name, value in told.items():
        if type(value) is not kinds[name]:
            raise HTTPException(422, f"{name} of a correction is {str(value)[:100]!r}; legal: {kinds[name].__name__}")
    return told


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=dict(error.headers or {}))
