"""Calls to a running service, as cheap as they can be: a caller that took much of the processor would slow what it
measures. So requests are bytes made beforehand, and an answer is its status and its bytes.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from asyncio import StreamReader, StreamWriter, Task
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CLOSES = re.compile(rb"(?i)\r\nconnection: *close")
_READ = 2**20


@dataclass(frozen=True)
class Answer:
    """An answer; status 0 stands for a connection that broke. `sent` is of the monotonic clock, `port` the caller's."""

    status: int
    seconds: float
    body: bytes = b""
    sent: float = 0.0
    port: int = 0

    def results(self) -> list[dict[str, Any]]:
        """The results of `POST /v1/tag`."""
        return list(json.loads(self.body)["results"])


class Caller:
    """One connection, which is opened when it is needed and kept. For one call at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[StreamReader, StreamWriter] | None = None
        self.asking = False

    @property
    def port(self) -> int:
        """Its own end's; 0 if it is not connected."""
        return int(self._ends[1].get_extra_info("sockname")[1]) if self._ends else 0

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read its answer."""
        began, port = time.monotonic(), 0
        self.asking = True
        try:
            reader, writer = await self.open()
            port = self.port
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
        except (OSError, EOFError, asyncio.LimitOverrunError):
            self.close()
            return Answer(0, time.monotonic() - began, sent=began, port=port)
        finally:
            self.asking = False
        if _CLOSES.search(head):
            self.close()
        return Answer(int(head[9:12]), time.monotonic() - began, body, began, port)

    def close(self) -> None:
        if self._ends:
            self._ends[1].close()
            self._ends = None

    async def open(self) -> tuple[StreamReader, StreamWriter]:
        """Its connection, as it is or anew."""
        if self._ends and self._ends[0].at_eof():  # the service closed it while nothing was asked
            self.close()
        if not self._ends:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port, limit=_READ)
        return self._ends


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(path: str, body: object) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def tagging(texts: Sequence[str], size: int) -> list[bytes]:
    """Calls of `size` mentions each, of texts that are all distinct."""
    calls = [texts[first : first + size] for first in range(0, len(texts) - size + 1, size)]
    return [post("/v1/tag", {"mentions": [{"id": str(n), "text": text} for n, text in enumerate(c)]}) for c in calls]


@dataclass
class Closed:
    """Callers that each ask again once they are answered, until the block ends: the load of a full service."""

    port: int
    requests: Iterator[bytes]
    count: int
    answers: list[Answer] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    keep: Callable[[Answer], None] | None = None
    """What is done with an answer, in place of keeping it."""

    async def __aenter__(self) -> Closed:
        self.callers = [Caller(self.port) for _ in range(self.count)]
        self._tasks = [asyncio.create_task(self._go_on(caller)) for caller in self.callers]
        self._ends = False
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ends = True
        await asyncio.gather(*self._tasks)  # each is answered what it has asked
        for caller in self.callers:
            caller.close()

    async def _go_on(self, caller: Caller) -> None:
        while not self._ends:
            answer = await caller.ask(next(self.requests))
            self.keep(answer) if self.keep else self.answers.append(answer)
            if answer.status != 200:
                await asyncio.sleep(0.05)


@dataclass
class Open:
    """Calls sent at a steady pace, whether those before are answered or not: what a service gets from the world."""

    port: int
    requests: Iterator[bytes]
    per_second: float
    answers: list[Answer] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    """By how many seconds each call was sent later than planned."""

    async def run(self, seconds: float) -> None:
        """Send for so long; returns when the last was sent."""
        self._free: list[Caller] = []
        self._tasks: set[Task[None]] = set()
        began = time.monotonic()
        for number in range(round(seconds * self.per_second)):
            due = began + number / self.per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late.append(time.monotonic() - due)
            caller = self._free.pop() if self._free else Caller(self.port)
            task = asyncio.create_task(self._ask(caller, next(self.requests)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until all are answered."""
        await asyncio.gather(*self._tasks)
        for caller in self._free:
            caller.close()

    async def _ask(self, caller: Caller, request: bytes) -> None:
        self.answers.append(await caller.ask(request))
        self._free.append(caller)


async def counted(port: int, name: str) -> float:
    """A number of `GET /metrics` that has no labels."""
    caller = Caller(port)
    answer = await caller.ask(get("/metrics"))
    caller.close()
    found = re.search(rf"(?m)^{name} (\S+)$", answer.body.decode())
    return float(found[1]) if found else 0.0


async def until(holds: Callable[[], bool], *, seconds: float) -> float | None:
    """The seconds until `holds`, looking twenty times a second; None if it did not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if holds():
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    return None
