"""The body of a request: JSON, no longer than allowed, and with no more in it than can be checked at once."""

from __future__ import annotations

import json
from asyncio import CancelledError, Task, current_task, ensure_future, timeout
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from anyio import move_on_after
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from serving.errors import BusyError, MediaTypeError, RequestTooLargeError, SlowRequestError
from serving.settings import Settings

_DRAINED = 16  # times the limit: what is read and dropped so that a client still sending sees the answer
_DRAIN_SECONDS = 2.0
_TOGETHER = 64  # times the limit: what the bodies of all requests may come to
_SMALL = 2**14  # bytes, for which there is room whatever others hold
_CROWD = 1000  # entries of a list, which are always checked
_ENTRIES = 75  # of all lists and objects, for each that one list may have
_LONGEST_NAME = 40


class Bodies:
    """The bodies that this process holds, of all requests together: at most `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @classmethod
    def of(cls, settings: Settings) -> Bodies:
        """So that many of the longest find room."""
        return cls(_TOGETHER * settings.max_bytes)

    @contextmanager
    def one_more(self) -> Iterator[Callable[[int], None]]:
        """Hold what is taken until the block ends; a BusyError if there is no room, and it is not a little."""
        own = 0

        def take(length: int) -> None:
            nonlocal own
            if self._held + length > self._most and own + length > _SMALL:
                raise BusyError("service", "holds as many bodies as it can", "Try again later", seconds=1)
            self._held += length
            own += length

        try:
            yield take
        finally:
            self._held -= own


class JsonRoute(APIRoute):
    """A route whose body is JSON of at most `max_bytes`, counted as it comes, and comes within `receive_seconds`.

    Starlette's own RequestBodyLimitMiddleware answers with plain text, so it is not used.
    """

    deep = True
    """Whether all of the body is checked field by field; else much of it is another tool's, and never read."""
    longest = _CROWD
    """Entries that any list may have, if `max_mentions` is not more."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def limited(request: Request) -> Response:
            with ExitStack() as held:  # what the answer is made with, until it is made
                request.state.held = held
                try:
                    body = await _read(request, held.enter_context(request.app.state.bodies.one_more()))
                except ClientDisconnect:
                    return Response(status_code=400)  # nobody is there to read it
                if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                    raise MediaTypeError("content-type", "is not application/json", "Send the mentions as JSON")

                async def again() -> Message:
                    return {"type": "http.request", "body": body, "more_body": False}

                try:
                    found = json.loads(body)
                except (ValueError, RecursionError):  # FastAPI says what is wrong with it
                    return await handle(Request(request.scope, again))
                refuse_crowds(found, max(self.longest, request.app.state.settings.max_mentions), deep=self.deep)
                return await _unless_gone(request, handle(_Parsed(request.scope, again, found)))

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


async def _read(request: Request, take: Callable[[int], None]) -> bytes:
    """The whole body; RequestTooLargeError as soon as too many bytes are declared or come, SlowRequestError if late."""
    settings: Settings = request.app.state.settings
    limit, seconds = settings.max_bytes, settings.receive_seconds
    declared = request.headers.get("content-length", "")
    if not (declared.isdecimal() and int(declared) > limit):
        try:
            async with timeout(seconds):  # a third of the time of anyio's
                body = await _at_most(request, limit, take)
        except TimeoutError:
            raise SlowRequestError("body", f"did not come within {seconds} s", "Send it at once") from None
        if body is not None:
            return body
    await drain(request, _DRAINED * limit)
    raise RequestTooLargeError("body", f"is longer than {limit:,} bytes", "Send the mentions in several calls")


async def _at_most(request: Request, limit: int, take: Callable[[int], None]) -> bytes | None:
    """The whole body, which is taken bit by bit; None as soon as it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        take(len(chunk))
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


class _Parsed(Request):
    """A request whose body was parsed."""

    def __init__(self, scope: Scope, receive: Receive, found: object) -> None:
        super().__init__(scope, receive)
        self._found = found

    async def json(self) -> object:
        return self._found


def refuse_crowds(found: object, most: int, *, deep: bool = True) -> None:
    """RequestTooLargeError for JSON that would take seconds to check, each wrong entry being told by itself.

    That is a list of over `most` entries, or too many entries of lists and objects in all; unless `deep`, only what
    lies at the top is looked at.
    """
    entries, waiting = 0, [("body", found, 0)]
    while waiting:
        where, part, depth = waiting.pop()
        if isinstance(part, list) and len(part) > most:
            raise RequestTooLargeError(where, f"are more than {most:,}", "Send them in several calls")
        if isinstance(part, dict | list) and (deep or not depth):
            entries += len(part)
            if entries > _ENTRIES * most:
                raise RequestTooLargeError("body", f"has more than {_ENTRIES * most:,} entries", "Send several calls")
            if isinstance(part, dict) and not depth:
                waiting += [(_shown(name), each, 1) for name, each in part.items()]
            else:
                waiting += [(where, each, depth + 1) for each in (part.values() if isinstance(part, dict) else part)]


def _shown(name: str) -> str:
    """A caller's word for a field, if it can be one of ours."""
    return name if name.isascii() and name.isidentifier() and len(name) <= _LONGEST_NAME else "body"
