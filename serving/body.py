"""The body of a request: JSON, and no longer than allowed."""

from __future__ import annotations

from asyncio import CancelledError, Task, current_task, ensure_future, timeout
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any, cast

from anyio import move_on_after
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Message

from serving.errors import MediaTypeError, RequestTooLargeError, SlowRequestError
from serving.settings import Settings

_DRAINED = 16  # times the limit: what is read and dropped so that a client still sending sees the answer
_DRAIN_SECONDS = 2.0


class JsonRoute(APIRoute):
    """A route whose body is JSON of at most `max_bytes`, counted as it comes, and comes within `receive_seconds`.

    Starlette's own RequestBodyLimitMiddleware answers with plain text, so it is not used.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def limited(request: Request) -> Response:
            try:
                body = await _read(request, request.app.state.settings)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise MediaTypeError("content-type", "is not application/json", "Send the mentions as JSON")

            async def again() -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            with ExitStack() as held:  # what the answer is made with, until it is made
                request.state.held = held
                return await _unless_gone(request, handle(Request(request.scope, again)))

        return limited


async def _unless_gone(request: Request, answering: Coroutine[Any, Any, Response]) -> Response:
    """The answer; if the client hangs up before, which `Connection` tells, the work on it is cancelled."""
    answer = ensure_future(answering)
    request.state.gone = answer.cancel
    try:
        return await answer
    except CancelledError:
        if answer.cancelled() and not cast(Task[Any], current_task()).cancelling():
            return Response(status_code=400)  # nobody is there to read it
        raise
    finally:
        answer.cancel()
        request.state.gone = None  # an idle connection would keep all that the answer was made with


async def _read(request: Request, settings: Settings) -> bytes:
    """The whole body; RequestTooLargeError as soon as too many bytes are declared or come, SlowRequestError if late."""
    limit, seconds = settings.max_bytes, settings.receive_seconds
    declared = request.headers.get("content-length", "")
    if not (declared.isdecimal() and int(declared) > limit):
        try:
            async with timeout(seconds):  # a third of the time of anyio's
                body = await _at_most(request, limit)
        except TimeoutError:
            raise SlowRequestError("body", f"did not come within {seconds} s", "Send it at once") from None
        if body is not None:
            return body
    await drain(request, _DRAINED * limit)
    raise RequestTooLargeError("body", f"is longer than {limit:,} bytes", "Send the mentions in several calls")


async def _at_most(request: Request, limit: int) -> bytes | None:
    """The whole body; None as soon as it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


async def drain(request: Request, most: int) -> None:
    """Read on for a while and drop it: a connection closed while the client sends would hide the answer."""
    with move_on_after(_DRAIN_SECONDS):
        while most > 0:
            message = await request.receive()
            most -= len(message.get("body", b""))
            if not message.get("more_body"):
                return
