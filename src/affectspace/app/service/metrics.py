"""What the service tells Prometheus: who asked what, how it went, how long it took, and how well batches fill."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affectspace.app.service.limits import Admission

__all__ = ["CONTENT_TYPE", "Measured", "ServiceMetrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
ITEMS = (1, 2, 4, 8, 16, 32, 64)


class ServiceMetrics:
    """The figures of one service, in a registry of its own.

    Args:
        admission: whose counts are told as they are when somebody asks.
    """

    def __init__(self, admission: Admission):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "affectspace_requests", "Requests answered, by route and status.", ["route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "affectspace_request_seconds", "From a request's head to the end of its answer.", ["route"],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.batches = Histogram(
            "affectspace_batch_items", "Items that went through the net together.", buckets=ITEMS,
            registry=self.registry,
        )  # fmt: skip
        self.rejected = Counter(
            "affectspace_rejected", "Requests beyond a limit, by status: 408 too slow, 413 too large, 429 too many.",
            ["status"], registry=self.registry,
        )  # fmt: skip
        for name, told, read in (
            ("uploading", "Requests that are arriving.", lambda: admission.uploads - admission.answers),
            ("waiting", "Requests that have arrived and wait for their answers.", lambda: admission.answers),
            ("held_bytes", "Bytes of the requests that are there.", lambda: admission.bytes),
        ):
            Gauge(f"affectspace_{name}", told, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)


class Measured:
    """Counts and times what an application answers.

    Args:
        app: what answers.
        metrics: where it is counted.
        routes: paths that are told apart; any other is ``other``, as clients could invent no end of them.
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics, routes: frozenset[str]):
        self._app, self._metrics, self._routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else "other"
        began, status = time.perf_counter(), "gone"  # the client, before it had an answer

        async def noticed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        except Exception:  # which is answered further out, and only if nothing was
            status = "500" if status == "gone" else status
            raise
        finally:
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
            if status in {"408", "413", "429"}:
                self._metrics.rejected.labels(status).inc()
