"""Clients as a service meets them on a bad day: slow ones, very many, and some that send without end."""

from __future__ import annotations

import asyncio
import itertools
import re
import resource
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from benchmarks.errors import BenchmarkError
from benchmarks.faults.malformed import HEAD
from benchmarks.faults.traffic import Answer, Caller, tagging

_AT_ONCE = 250
"""Connections opened side by side: fewer than a system's queue of them, so that it is not the queue that is slow."""
_PIECE = b" " * 2**16
_SECONDS = 30
_ERRORS = (OSError, EOFError, TimeoutError)
_Found = TypeVar("_Found")


class Slow:
    """Clients that send a byte a second until the service hangs up, and then come again; until the block ends."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count
        self.lasted: list[float] = []
        """Seconds until each was cut off."""

    async def __aenter__(self) -> Slow:
        heads = (b"POST /v1/tag HTTP/1.1\r\nX-Slow: ", HEAD + b"Content-Length: 100000\r\n\r\n")
        self._tasks = [asyncio.create_task(self._go_on(heads[number % 2])) for number in range(self._count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go_on(self, head: bytes) -> None:
        while True:
            async with _connected(self._port) as (reader, writer):
                began = time.monotonic()
                writer.write(head)
                while not reader.at_eof() and not writer.is_closing():
                    try:
                        await asyncio.wait_for(reader.read(1000), 1)
                    except TimeoutError:
                        writer.write(b"x")
                    except OSError:
                        break
                self.lasted.append(time.monotonic() - began)


async def ordinary(port: int, texts: Sequence[str], seconds: float) -> list[Answer]:
    """What a caller gets who sends mentions one by one, twenty a second at most."""
    caller, answers, end = Caller(port), [], time.monotonic() + seconds
    for request in itertools.cycle(tagging(texts, 1)):
        answers.append(await caller.ask(request))
        await asyncio.sleep(0.05)
        if time.monotonic() > end:
            break
    caller.close()
    return answers


@asynccontextmanager
async def at_once(port: int, count: int) -> AsyncIterator[list[Caller]]:
    """So many connections, all open until the block ends."""
    callers = [Caller(port) for _ in range(count)]
    try:
        await _side_by_side(callers, Caller.open)
        yield callers
    finally:
        for caller in callers:
            caller.close()
        await asyncio.sleep(0)


async def ask_each(callers: Sequence[Caller], request: bytes) -> list[Answer]:
    """The answer that each of the callers gets."""
    return await _side_by_side(callers, lambda caller: caller.ask(request))


async def huge(port: int, size: int, *, chunked: bool) -> list[int]:
    """Send a body of `size` bytes until there is an answer, or all is sent; the statuses that come back."""
    head = HEAD + (b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size) + b"\r\n\r\n"
    piece = b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE) if chunked else _PIECE
    async with _connected(port) as (reader, writer):
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        try:
            writer.write(head)
            for _ in range(size // len(_PIECE)):
                writer.write(piece)
                await writer.drain()
                if answer.done():
                    break
            return _statuses(await asyncio.wait_for(answer, _SECONDS))
        except _ERRORS:
            return []
        finally:
            answer.cancel()


async def raw(port: int, sent: bytes) -> list[int]:
    """The statuses of all answers to what is sent, until the service hangs up; none if it does not within 30 s."""
    found = bytearray()
    async with _connected(port) as (reader, writer):
        try:
            async with asyncio.timeout(_SECONDS):
                writer.write(sent)
                while piece := await reader.read(2**16):
                    found += piece
        except TimeoutError:
            return []
        except OSError:  # it hung up on what it had no wish to read
            pass
    return _statuses(bytes(found))


def raise_limit(descriptors: int) -> None:
    """Let this process, and those that it starts, open so many; BenchmarkError if the system does not allow it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < descriptors:
        raise BenchmarkError("connections", f"need {descriptors:,} descriptors of {hard:,}", "Raise it: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))


async def _side_by_side(
    callers: Sequence[Caller], does: Callable[[Caller], Coroutine[Any, Any, _Found]]
) -> list[_Found]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(caller: Caller) -> _Found:
        async with turn:
            return await does(caller)

    return await asyncio.gather(*(one(caller) for caller in callers))


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # what is not sent yet is not to be waited for


def _statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"(?m)^HTTP/1\.1 (\d{3}) ", answers)]
