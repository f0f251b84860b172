"""What every answer says to browsers: keep nothing, guess nothing, frame nothing, and who may call from a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Raw = tuple[tuple[bytes, bytes], ...]
"""Headers as ASGI has them."""

_DOCUMENTATION = ("/docs", "/redoc", "/static-offline-docs")

_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_DATA = _EVERYWHERE | {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_PAGES = _EVERYWHERE | {
    # The pages of Swagger UI and ReDoc start with a script of their own and style themselves as they go.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}


class SafeHeaders:
    """Adds the headers to every answer that does not have its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = _headers(scope["path"])

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}  # in small letters, as ASGI has it
                message["headers"] += [header for header in added if header[0] not in given]
            await send(message)

        await self._app(scope, receive, sending)


def install(app: FastAPI, *, origins: Sequence[str]) -> None:
    """Add the headers, and let pages of `origins` call, around all else: the answer to a fault needs both too."""
    build = app.build_middleware_stack

    def stack() -> ASGIApp:
        inner = build()
        if origins:  # every method and header: what a page may do, its key says
            inner = CORSMiddleware(
                inner, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=["*"]
            )
        return SafeHeaders(inner)

    app.build_middleware_stack = stack  # type: ignore[method-assign]  # add_middleware() is inside the handler of faults


def _headers(path: str) -> Raw:
    shown = any(path == page or path.startswith(f"{page}/") for page in _DOCUMENTATION)
    return _OF_PAGES if shown else _OF_DATA


def _raw(headers: Mapping[str, str]) -> Raw:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


_OF_DATA, _OF_PAGES = _raw(_DATA), _raw(_PAGES)
