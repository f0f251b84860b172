"""The texts of one request on their way through the workers."""

from __future__ import annotations

import time
from asyncio import Future, get_running_loop
from collections.abc import Sequence

import numpy as np

from model.tagger import Window


class Ticket:
    """The texts of one request that are to be computed: windows waiting, and logits (windows, labels) found."""

    def __init__(self, windows: Sequence[Window], labels: int) -> None:
        self.windows = sorted(windows, key=lambda window: -len(window.ids))  # the longest first, so that none lags
        self.logits = np.zeros((len(windows), labels), dtype=np.float32)
        self.failed: set[int] = set()
        """Texts that the network could not compute."""
        self.waiting = sum(len(window.ids) for window in windows)
        """Tokens of the windows that no worker has taken."""
        self.dropped = False
        self.made = time.perf_counter()
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
    def empty(self) -> bool:
        """Whether every window was taken."""
        return self._taken == len(self.windows)

    def count(self) -> None:
        """One more window is computed; the last one wakes the request."""
        self._computed += 1
        if self._computed == len(self.windows):
            self.answer(None)

    def answer(self, error: Exception | None) -> None:
        """Wake the request, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._settle, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _settle(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)
