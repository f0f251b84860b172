"""The texts of one request on their way through the workers."""

from __future__ import annotations

import math
import threading
import time
from asyncio import Future, TimerHandle, get_running_loop
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from model.tagger import Window
from serving.errors import DeadlineError

_LONGEST = 0.05  # seconds


class Ticket:
    """The texts of one request that are to be computed: windows waiting, and logits (windows, labels) found."""

    def __init__(self, windows: Sequence[Window], labels: int) -> None:
        self.windows = sorted(windows, key=lambda window: -len(window.ids))  # the longest first, so that none lags
        self.logits = np.zeros((len(windows), labels), dtype=np.float32)
        self.failed: set[int] = set()
        """Texts that the network could not compute."""
        self.waiting = sum(len(window.ids) for window in windows)
        """Tokens of the windows that no worker has taken."""
        self.made = time.perf_counter()
        self.ends = math.inf
        """When nobody waits for it any more, by `time.perf_counter`; so is `made`, when it joined the queue."""
        self._loop = get_running_loop()
        self.done: Future[None] = self._loop.create_future()
        self._taken = self._computed = 0

    def take(self) -> int:
        """The position of the next window, which is now the caller's to compute."""
        at = self._taken
        self._taken += 1
        self.waiting -= len(self.windows[at].ids)
        return at

    @property
    def left(self) -> int:
        """Windows that no worker has taken."""
        return len(self.windows) - self._taken

    @property
    def longest(self) -> int:
        """Tokens of the longest of them, which is the next; 0 if there are none."""
        return len(self.windows[self._taken].ids) if self.left else 0

    def count(self) -> bool:
        """One more window is computed; whether it was the last."""
        self._computed += 1
        return self._computed == len(self.windows)

    def answer(self, error: Exception | None) -> None:
        """Wake the request, from any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, error)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Have the event loop call something in so many seconds; from any thread."""
        with suppress(RuntimeError):  # as above
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, call)

    def expire(self, seconds: float, *, began: float) -> TimerHandle:
        """Wake the request with DeadlineError so many seconds after it `began`, by `time.perf_counter`.

        Unless what is returned is cancelled before.
        """
        self.ends = began + seconds
        late = DeadlineError("request", f"was not computed within {seconds:g} s", "Send fewer mentions")
        return self._loop.call_later(self.ends - time.perf_counter(), self._settle, late)

    def _settle(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)


class Answers:
    """Answers that are ready and wait a moment for others. Safe to use from several threads.

    One at a time, each would find that the network has driven all that answers requests out of the processor's caches,
    which is a third of the time that this takes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: list[Ticket] = []

    def add(self, ticket: Ticket, *, seconds: float) -> None:
        """Wake the request of a ticket, and of those that come meanwhile, in so many seconds: at most _LONGEST.

        One that ends soon is not held, and nor are the others then.
        """
        with self._lock:
            self._ready.append(ticket)
            first = len(self._ready) == 1
        if not seconds or ticket.ends < time.perf_counter() + 2 * _LONGEST:  # a timer may be late, and is no help then
            self.give()
        elif first:
            ticket.later(min(_LONGEST, seconds), self.give)

    def give(self) -> None:
        """Wake all of them now."""
        with self._lock:
            ready, self._ready = self._ready, []
        for ticket in ready:
            ticket.answer(None)
