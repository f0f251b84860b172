"""Watches every request from outside: gives it an id, and counts, times and logs how it was answered."""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problems
from serving.admission import OpenRoute
from serving.call import Call, begin
from serving.metrics import MEDIA_TYPE, OTHER
from serving.service import Service

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_log = logging.getLogger(__name__)
scraped = APIRouter(route_class=OpenRoute, tags=["operation"])


class Watch:
    """Watches what `inner` answers for `app`."""

    def __init__(self, inner: ASGIApp, app: FastAPI) -> None:
        self._inner = inner
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        call, started, status = Call.of(Headers(scope=scope)), time.perf_counter(), 500
        begin(call)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = call.id
                if call.model:  # for protocols whose answers have no place for it
                    headers["X-Model"] = quote(call.model)
            await send(message)

        try:
            await self._inner(scope, receive, sending)
        finally:
            self._tell(call, scope, status, time.perf_counter() - started)

    def _tell(self, call: Call, scope: Scope, status: int, seconds: float) -> None:
        service: Service = self._app.state.service
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = getattr(scope.get("route"), "path", OTHER)
        service.metrics.answered(method, route, status, seconds, call.refusal)
        service.see()
        level = logging.INFO if status < 500 else logging.ERROR if status == 500 else logging.WARNING
        if _log.isEnabledFor(level):
            facts = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
            facts |= {"mentions": call.mentions, "model": call.model or service.model}
            _log.log(level, "request", extra={"facts": facts})


def install(app: FastAPI) -> None:
    """Watch all that `app` answers, faults included."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Watch(build(), app)  # type: ignore[method-assign]  # as in headers.py


@scraped.get(
    "/metrics",
    summary="Counts and times, for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus's text format."},
        **problems.documented(401, 429),
    },
)
def metrics(request: Request) -> Response:
    """What the service counted and timed since it started; no text, id or key is in it."""
    service: Service = request.app.state.service
    service.see()
    return Response(service.metrics.exposition(), media_type=MEDIA_TYPE)
