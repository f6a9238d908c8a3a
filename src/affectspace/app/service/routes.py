"""The service: a model and maybe a space behind HTTP, in bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import affectspace
from affectspace.app.hosts import KnownHosts
from affectspace.app.refused import Refused, answer_json
from affectspace.app.service.api_key import KeyHolders
from affectspace.app.service.asked_model import AskedModel, Found, Prepared
from affectspace.app.service.batching import Batching
from affectspace.app.service.hear_out import HearOut
from affectspace.app.service.limits import Admission, Limits, refuse_picture, refuse_recording, refuse_text
from affectspace.app.service.metrics import CONTENT_TYPE, Measured, ServiceMetrics
from affectspace.app.service.schemas import (
    Embeddings,
    Fault,
    Health,
    ModelCard,
    Predictions,
    Search,
    files_body,
    json_body,
    texts_body,
)
from affectspace.app.service.searched_space import SearchedSpace
from affectspace.app.service.told_faults import ToldFaults
from affectspace.app.service.uploads import FIELD, Upload, as_file, json_of, received, refuse_other_kind, uploads_of
from affectspace.errors import InputError

__all__ = ["make_service"]

ROUTES = frozenset({"/predict", "/embed", "/search", "/model", "/health", "/metrics", "/openapi.json"})
GONE = 499  # nobody is there to read it; as other servers count clients that have left
COUNT = 100  # items that a search finds at most
FAULTS = {
    401: "The request brings no key that is known, where the service has one.",
    408: "The request came too slowly.",
    413: "The request, a recording, a picture or a text is beyond a limit.",
    415: "An upload, or the request, is of another type than it may be.",
    421: "The host is none that the service answers to.",
    422: "An upload cannot be read, or the request has another form.",
    429: "As many wait as may: ask again after the seconds of Retry-After.",
    500: "A fault of the service.",
    503: "No answer in time: ask again after the seconds of Retry-After.",
}


def make_service(
    asked: AskedModel,
    searched: SearchedSpace | None = None,
    limits: Limits | None = None,
    hosts: Iterable[str] | None = None,
    key: str | None = None,
) -> FastAPI:
    """The application that answers for a model, and searches a space where there is one.

    Items are decoded in as many threads as there are cores, and go through the net together.

    Args:
        asked: the model.
        searched: the space; None: ``/search`` answers 404.
        limits: of requests; None: the usual ones.
        hosts: names that it answers to, see :class:`~affectspace.app.hosts.KnownHosts`; None: to any, as where no
            port is open.
        key: that a request must bring, but for ``/health``; None: none.
    """
    limits = limits or Limits()
    service = _Service(asked, searched, limits)
    app = FastAPI(
        title="affectspace",
        version=affectspace.__version__,
        description=f"A model of {asked.medium} with the classes {', '.join(asked.model.classes)}.",
        docs_url=None,  # its pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=service.lifespan,
        exception_handlers={
            Refused: _refused,
            HTTPException: _by_status,
            RequestValidationError: _invalid,
            ClientDisconnect: _gone,
        },
    )
    app.state.service = service
    uploads = texts_body(limits.characters, limits.files) if asked.medium == "text" else files_body(FIELD)
    _add(app, "/predict", service.predict, Predictions, uploads, "How probable each class is, and what is near.")
    _add(app, "/embed", service.embed, Embeddings, uploads, "Where the net places uploads.")
    one = json_body({"text": {"type": "string", "minLength": 1, "maxLength": limits.characters}})
    query = {**json_body({"id": {"type": "string"}}), **({} if asked.medium == "text" else files_body(FIELD, one=True))}
    if asked.medium == "text":
        schemas = [each["application/json"]["schema"] for each in (query, one)]
        query = {"application/json": {"schema": {"oneOf": schemas}}}
    _add(
        app, "/search", service.search, Search, query, "The items of the space nearest to an upload or an item.", {404}
    )
    _add(app, "/health", service.health, Health, None, "Whether requests are answered.", {503})
    _add(app, "/model", service.card, ModelCard, None, "What the model is, and what it may be asked.", {401, 421})
    app.add_api_route(
        "/metrics", service.figures, methods=["GET"], response_class=Response, summary="Figures for Prometheus.",
        responses={200: {"content": {CONTENT_TYPE: {}}}},
    )  # fmt: skip
    # The last one is the first to see a request.
    if key is not None:
        app.add_middleware(KeyHolders, key=key, open_to_all=frozenset({"/health"}))
    if hosts is not None:
        app.add_middleware(KnownHosts, hosts=hosts)
    app.add_middleware(HearOut)
    app.add_middleware(Measured, metrics=service.metrics, routes=ROUTES)
    app.add_middleware(ToldFaults, routes=ROUTES)
    return app


def _add(
    app: FastAPI, path: str, answer: Callable[..., Any], shape: type, body: dict[str, Any] | None, summary: str,
    more: set[int] = frozenset(),  # pyright: ignore[reportArgumentType]
) -> None:  # fmt: skip
    """One route, with the body that it reads and all that it may answer."""
    statuses = more if body is None else FAULTS.keys() | more
    app.add_api_route(
        path, answer, methods=["GET" if body is None else "POST"], response_model=shape, summary=summary,
        operation_id=path.strip("/"),
        responses={
            status: {"model": Fault, "description": FAULTS.get(status, "There is no such item, or no space.")}
            for status in sorted(statuses)
        },
        openapi_extra=None if body is None else {"requestBody": {"required": True, "content": body}},
    )  # fmt: skip


class _Service:
    """What the routes share."""

    def __init__(self, asked: AskedModel, searched: SearchedSpace | None, limits: Limits):
        self.asked, self.searched, self.limits = asked, searched, limits
        self.admission = Admission(limits)
        self.metrics = ServiceMetrics(self.admission)
        self.batching: Batching[Upload | str, Prepared, Found] | None = None

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """While the threads are there."""
        self.batching = Batching(
            self._prepare, self.asked.answers, self.asked.workers, observe=self.metrics.batches.observe
        )
        try:
            yield
        finally:
            batching, self.batching = self.batching, None
            await asyncio.to_thread(batching.close)

    async def predict(self, request: Request) -> Response:
        """Answer POST /predict."""

        def told(name: str, found: Found) -> dict[str, Any]:
            return {**found.answer.told(self.asked.model.classes), "file": name}

        return await self._each(request, told)

    async def embed(self, request: Request) -> Response:
        """Answer POST /embed."""
        classes = self.asked.model.classes

        def told(name: str, found: Found) -> dict[str, Any]:
            whole = found.answer.told(classes)
            return {
                "file": name,
                "vector": found.embedding.tolist(),
                **{key: whole[key] for key in ("prediction", "probabilities")},
            }

        return await self._each(request, told)

    async def search(self, request: Request, count: int = Query(10, ge=1, le=COUNT)) -> Response:
        """Answer POST /search."""
        if self.searched is None:
            raise Refused(404, "no space is served; start the service with --space SPACE.parquet")
        with self.admission.uploading():
            async with received(request, self.limits, self.admission) as body:
                content_type = request.headers.get("content-type", "")
                with self.admission.waiting():
                    query, wanted = await self._query(content_type, body)
                    found = await asyncio.to_thread(self.searched.nearest, wanted, count)
        return answer_json({"query": query, "searched": len(self.searched), "found": found})

    async def health(self) -> Response:
        """Answer GET /health."""
        if self.batching is None or not self.batching.alive:
            raise Refused(503, "the service is not at work; start it anew")
        return answer_json({"status": "ready"})

    async def card(self) -> Response:
        """Answer GET /model."""
        known, asked = self.asked.known, self.asked
        return answer_json(
            {
                "run": asked.folder.resolve().name,
                "reads": asked.medium,
                "classes": asked.model.classes,
                "dimensions": asked.dimensions,
                "known": None if known is None else len(known),
                "far": None if known is None else known.far.told,
                "notes": asked.notes,
                "space": None if self.searched is None else len(self.searched),
                "limits": asdict(self.limits),
            }
        )

    async def figures(self) -> Response:
        """Answer GET /metrics."""
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def _each(self, request: Request, told: Callable[[str, Found], dict[str, Any]]) -> Response:
        """All uploads of a request: those that can be read, and why others cannot; a fault where none can."""
        with self.admission.uploading():
            async with received(request, self.limits, self.admission) as body:
                items = self._items(request.headers.get("content-type", ""), body)
                with self.admission.waiting():
                    found = await self._in_time(items)
        answers = [told(_name(item), each) for item, each in zip(items, found) if isinstance(each, Found)]
        faults = [(item, each) for item, each in zip(items, found) if isinstance(each, Refused)]
        if not answers:
            many = f"none of the {len(faults)} files can be used; the first: " if len(faults) > 1 else ""
            first = faults[0][1]
            raise Refused(first.status, many + first.reason)
        unread = [{"file": _name(item), "reason": fault.reason} for item, fault in faults]
        return answer_json({"files": answers, "unread": unread})

    def _items(self, content_type: str, body: bytearray) -> "list[Upload] | list[str]":
        if self.asked.medium != "text":
            return uploads_of(content_type, body, self.limits.files)
        given = json_of(content_type, body)
        texts = given.get("text")
        if set(given) != {"text"} or not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            raise Refused(422, 'the body is another object; legal: {"text": ["...", ...]}')
        if not 1 <= len(texts) <= self.limits.files:
            status = 413 if texts else 422
            raise Refused(status, f"the body has {len(texts)} texts; legal: 1 to {self.limits.files}")
        return texts

    async def _query(self, content_type: str, body: bytearray) -> "tuple[str, Any]":
        """What a search looks for, by name and as a vector or row."""
        assert self.searched is not None
        if self.asked.medium == "text" or content_type.strip().lower().startswith("application/json"):
            given = json_of(content_type, body)
            if set(given) == {"id"} and isinstance(given["id"], str):
                return given["id"], self.searched.row(given["id"])
            if self.asked.medium != "text" or set(given) != {"text"} or not isinstance(given["text"], str):
                legal = (
                    '{"id": "..."} or {"text": "..."}' if self.asked.medium == "text" else '{"id": "..."}, or a form'
                )
                raise Refused(422, f"the body is another object; legal: {legal}")
            items: Sequence[Upload | str] = [given["text"]]
        else:
            items = uploads_of(content_type, body, 1)
        (found,) = await self._in_time(items)
        if isinstance(found, Refused):
            raise found
        return _name(items[0]), found.embedding

    async def _in_time(self, items: "Sequence[Upload | str]") -> "list[Found | Refused]":
        """What is found of each item, or why nothing is; all of them in time."""
        batching = self.batching
        if batching is None:
            raise Refused(503, "the service is stopping; ask again in a moment", 5)

        async def one(item: "Upload | str") -> "Found | Refused":
            try:
                return await batching.ask(item)
            except Refused as error:
                return error

        try:
            async with asyncio.timeout(self.limits.timeout):
                return [await one(items[0])] if len(items) == 1 else await asyncio.gather(*map(one, items))
        except TimeoutError:
            raise Refused(
                503, f"no answer within {self.limits.timeout:g} s; ask again in a moment, or for fewer files", 5
            ) from None

    def _prepare(self, item: "Upload | str") -> Prepared:
        """An item as the net takes it; in a thread.

        Raises:
            Refused: it is beyond a limit, is something else than the model reads, or cannot be read.
        """
        if isinstance(item, str):
            refuse_text(item, self.limits)
            try:
                return self.asked.prepare(item)
            except InputError as error:
                raise Refused(422, str(error)) from error
        refuse_other_kind(item, self.asked.medium)
        with as_file(item.content) as path:
            try:
                refuse = refuse_recording if self.asked.medium == "audio" else refuse_picture
                refuse(path, self.limits)
                return self.asked.prepare(path)
            except Refused as error:
                raise Refused(error.status, error.reason.replace(path, item.name)) from None
            except InputError as error:
                raise Refused(422, str(error).replace(path, item.name)) from None


def _name(item: "Upload | str") -> str:
    return item.name if isinstance(item, Upload) else item


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response


async def _by_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reasons = {
        404: f"there is nothing at {request.url.path[:100]!r}; legal: {', '.join(sorted(ROUTES))}",
        405: f"{request.url.path} does not answer {request.method}; /openapi.json tells what does",
    }
    return answer_json({"error": reasons.get(error.status_code, str(error.detail))}, error.status_code, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    given = f"{first.get('input')!r}"[:100]
    told = f"{first['loc'][-1]} is {given}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return Refused(422, f"{told}; /openapi.json tells what is legal").response


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=GONE)
