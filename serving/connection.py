"""One connection: what a client may take of the service without ever asking for something.

uvicorn closes a connection that is idle, and none that is slow: one byte a second keeps it for ever. Here a clock runs
whenever the client is to act: send the head of a request, stop sending what is no longer read, or read its answer.
The body of a request has its clock in `body.py`.
"""

from __future__ import annotations

import json
import resource
from asyncio import TimerHandle, Transport, get_running_loop
from contextlib import suppress
from functools import cache
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

_MOST = 2**14
_CORKED = 2**16  # bytes
_RESERVE = 256  # descriptors for files, threads and the listener: a model is loaded however many are connected
_PROBLEM = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "connections: are as many as the service can hold. Try again soon",
    "instance": "",
    "errors": [],
}
_BODY = json.dumps(_PROBLEM).encode()
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class Connection(H11Protocol):
    """uvicorn's, with `timeout_keep_alive` for each of the client's turns, and at most `most()` of them."""

    _due: float | None = None
    """When the request that has begun to come must have its head; of the loop's clock."""
    _unread: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(cast(Transport, _Corked(transport)))
        if len(self.connections) > most():  # its request is not read: whoever is slow would keep the place
            transport.write(_FULL)
            transport.close()
        else:
            self._expect(self.loop.time() + self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.cycle and (gone := self.cycle.scope["state"].get("gone")):
            gone()

    def data_received(self, data: bytes) -> None:
        due = self._due or self.loop.time() + self.timeout_keep_alive
        super().data_received(data)  # which stops the clock, whatever came
        waits = self.cycle is None or self.cycle.response_complete
        self._due = due if waits and not self.transport.is_closing() else None
        if self._due and self.timeout_keep_alive_task is None:
            self._expect(due)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():  # it is closed once that is read
            self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread:
            self._unread.cancel()

    def _expect(self, due: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_at(due, self.timeout_keep_alive_handler)


class _Corked:
    """A transport that sends what is written in one turn of the loop in one piece: the head of an answer and its body.

    uvicorn writes them one after the other, which would be two packets, and two calls of the system.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._held: list[bytes] = []
        self._length = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 — whatever a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            get_running_loop().call_soon(self._send)
        self._held.append(data)
        self._length += len(data)
        if self._length > _CORKED:  # so that a client who does not read is noticed
            self._send()

    def get_write_buffer_size(self) -> int:
        return self._length + self._transport.get_write_buffer_size()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._held:
            data, self._held, self._length = b"".join(self._held), [], 0
            self._transport.write(data)


def raise_limit() -> None:
    """Let this process open as many descriptors as the most connections need, or as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _RESERVE if hard == resource.RLIM_INFINITY else min(_MOST + _RESERVE, hard)
    if 0 <= soft < wanted:
        with suppress(ValueError, OSError):  # the system has a limit of its own below the one that it tells, as macOS
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@cache
def most() -> int:
    """The most connections of this process at once: its limit of descriptors, less a reserve."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST
    return min(_MOST, soft - min(_RESERVE, soft // 2))
