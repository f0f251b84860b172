"""The end of the service for requests that it cannot finish in the time that it has left: 503, and not a fault."""

from __future__ import annotations

from asyncio import CancelledError

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problems
from serving.errors import NotReadyError


class Ending:
    """Answers a request that is cancelled before its answer has begun, which only the end of the service does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except CancelledError:
            if begun:
                raise
            stopped = NotReadyError("service", "has stopped before this was computed", "Send it to another instance")
            answer = await problems.known(Request(scope), stopped)
            await answer(scope, receive, send)


def install(app: FastAPI) -> None:
    """Answer so for `app`."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Ending(build())  # type: ignore[method-assign]  # as in headers.py
