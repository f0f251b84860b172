"""The body of a request: JSON, and no longer than allowed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from anyio import move_on_after
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from serving.errors import MediaTypeError, RequestTooLargeError

_DRAINED = 16  # times the limit: what is read and dropped so that a client still sending sees the answer
_DRAIN_SECONDS = 2.0


class JsonRoute(APIRoute):
    """A route whose body is JSON of at most `app.state.settings.max_bytes`, counted as it comes.

    Starlette's own RequestBodyLimitMiddleware answers with plain text, so it is not used.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def limited(request: Request) -> Response:
            limit = request.app.state.settings.max_bytes
            declared = request.headers.get("content-length", "")
            if declared.isdigit() and int(declared) > limit:
                await _drain(request.receive, _DRAINED * limit)
                raise _too_large(limit)
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise MediaTypeError("content-type", "is not application/json", "Send the mentions as JSON")
            return await handle(Request(request.scope, _counted(request.receive, limit)))

        return limited


def _counted(receive: Receive, limit: int) -> Receive:
    """`receive` until more than `limit` bytes came; RequestTooLargeError then."""
    total = 0

    async def counting() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            if message.get("more_body"):
                await _drain(receive, _DRAINED * limit)
            raise _too_large(limit)
        return message

    return counting


async def _drain(receive: Receive, most: int) -> None:
    with move_on_after(_DRAIN_SECONDS):
        while most > 0:
            message = await receive()
            most -= len(message.get("body", b""))
            if not message.get("more_body"):
                return


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError("body", f"is longer than {limit:,} bytes", "Send the mentions in several calls")
