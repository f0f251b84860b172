"""The way from concurrent requests to one tagger: every text is a piece of work by itself, and callers take turns.

The network computes one text a call (see `model/tagger.py`), so that what requests share is not a batch but the
workers: each takes one text from the caller whose turn it is (see `turns.py`). A small request need not wait for large
ones, and nothing waits for a batch to fill.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import numpy as np
from anyio import to_thread
from cachetools import LRUCache

from labels.suggestion import readable, suggestions
from model.decode import Floats
from model.mention import Mention
from model.tagger import Failed, Tagged, Tagger
from model.watchlist import Watchlist
from serving.call import note
from serving.errors import BusyError, NotReadyError, RequestTooLargeError
from serving.metrics import Metrics
from serving.pace import Pace
from serving.ticket import Answers, Ticket
from serving.turns import Turns

_log = logging.getLogger(__name__)
T = TypeVar("T")
_CHARACTERS = 4  # of a token, about: to refuse a call before anything is done for it
_MOST_READ = 2**22  # characters of all texts that a call needs read, one for each organisation that a mention names
_SHORT = 2_000  # characters in one call that the event loop reads by itself: a millisecond of work
_HELD_SHARE = 0.1  # of the time that what waits will take, for which an answer that is ready may wait for others
_SHARE = 3  # of a call's time, what may be waiting at its start: up to twice as much comes before, see `Turns`
_QUIET_SECONDS = 10.0  # after a failure is logged
_NICENESS = 5  # of the workers, see `_give_way`: a third of the loop's weight


async def _run(characters: int, call: Callable[[], T]) -> T:
    """What `call` returns, beside the event loop unless its texts are short: a change of threads takes longer then."""
    return call() if characters <= _SHORT else await to_thread.run_sync(call)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _give_way() -> None:
    """Let the event loop go first where processors are short, so that a refusal or a probe is answered at once."""
    if sys.platform == "linux":  # elsewhere it would be the whole process that gives way, which helps nobody
        with suppress(OSError):  # in a sandbox
            os.nice(_NICENESS)


class Line:
    """Where callers wait for one tagger. `room` is in tokens, `remembered` in texts.

    Safe to use from one event loop; `workers` are threads, as many as the tagger's if not given.
    """

    def __init__(
        self,
        tagger: Tagger,
        *,
        workers: int | None = None,
        room: int = 200_000,
        remembered: int = 50_000,
        metrics: Metrics | None = None,
    ) -> None:
        self._tagger = tagger
        self._room = room
        self._metrics = metrics or Metrics()
        self._known: LRUCache[bytes, Floats] = LRUCache(remembered)  # by digest: a text may have 80 KB
        self._lock = threading.Condition()
        self._turns = Turns()
        self._waiting = 0
        self._pace = Pace(workers or tagger.threads)
        self._logged = -math.inf  # when a failure was last
        self._answers = Answers()
        self._closed = self._dead = False
        self._workers = [
            threading.Thread(target=self._work, name=f"line-{number}", daemon=True)
            for number in range(workers or tagger.threads)
        ]
        for worker in self._workers:
            worker.start()

    async def tag(
        self,
        mentions: Sequence[Mention],
        *,
        watchlist: Watchlist | None = None,
        min_score: float = 0.0,
        caller: str = "",
        seconds: float | None = None,
    ) -> list[Tagged | Failed]:
        """As `Tagger.tag`, without blocking the event loop.

        `caller` is who takes turns with others. BusyError if there is no room for the texts, or no hope that they are
        computed within `seconds`; DeadlineError if they then are not; RequestTooLargeError if mentions name so many
        organisations that there is too much to read; NotReadyError if the line is closed or its workers died.
        Cancelled, it gives its place up.
        """
        began = time.perf_counter()
        note(mentions=len(mentions))
        texts = {mention.text for mention in mentions}
        characters = sum(map(len, texts))
        self._check_room(characters // _CHARACTERS, len(texts), caller, seconds)
        most = max(_MOST_READ, 2 * characters)
        searched = characters * (1 + len(watchlist.organisations) if watchlist else 1)  # again for each that is named
        with self._metrics.timed("prepare"):
            plans = await _run(searched, partial(self._tagger.plan, mentions, watchlist, most=most))
        read = sum(map(len, plans.texts))
        if read > most:
            problem = f"has so many organisations that these mentions name that over {most:,} characters are to be read"
            raise RequestTooLargeError("watchlist", problem, "Send fewer mentions in a call")
        found, failed = await self._probabilities(plans.texts, caller, seconds, began)
        with self._metrics.timed("decode"):
            decode = partial(self._tagger.results, plans, found, min_score, failed=failed)
            results = await _run(read, decode)
        self._metrics.tagged(results, self._tagger.bundle.languages)
        return results

    async def suggest(self, tasks: Sequence[Mapping[str, Any]], *, caller: str = "") -> list[dict[str, Any]]:
        """As `labels.suggestion.suggest`, with the errors of `tag`."""
        began = time.perf_counter()
        note(mentions=len(tasks))
        with self._metrics.timed("prepare"):
            texts = await to_thread.run_sync(readable, tasks)
        distinct = tuple(dict.fromkeys(filter(None, texts)))
        found, failed = await self._probabilities(distinct, caller, None, began)
        rows = dict(zip(distinct, found, strict=True))
        texts = ["" if text in failed else text for text in texts]
        given = [rows[text] for text in texts if text]
        return suggestions(texts, np.array(given).reshape(len(given), found.shape[1]), self._tagger)

    @property
    def alive(self) -> bool:
        """Whether what enters will be computed."""
        return not self._closed and not self._dead and all(worker.is_alive() for worker in self._workers)

    @property
    def waiting(self) -> int:
        """Tokens that no worker has taken yet."""
        return self._waiting

    def close(self) -> None:
        """Take nothing more, finish what is there, and stop the workers."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        for worker in self._workers:
            worker.join()

    async def _probabilities(
        self, texts: Sequence[str], caller: str, seconds: float | None, began: float
    ) -> tuple[Floats, frozenset[str]]:
        """Prepared texts → probabilities (texts, labels), and those that could not be computed.

        It has so many `seconds` since the call `began`.
        """
        digests = {text: _digest(text) for text in texts}
        rows = {text: row for text in texts if (row := self._known.get(digests[text])) is not None}
        missing = [text for text in texts if text not in rows]
        self._metrics.remembered(len(rows), len(missing))
        failed: frozenset[str] = frozenset()
        if missing:
            with self._metrics.timed("tokenise"):
                windows = await _run(sum(map(len, missing)), partial(self._tagger.encode, missing))
            ticket = Ticket(windows, len(self._tagger.taxonomy.labels))
            await self._computed_in_time(ticket, caller, seconds, began)
            found = np.zeros((len(missing), ticket.logits.shape[1]), dtype=np.float32)
            shares = self._tagger.decoder.probabilities(ticket.logits)
            np.maximum.at(found, [window.text for window in ticket.windows], shares)
            failed = frozenset(missing[position] for position in ticket.failed)
            rows |= dict(zip(missing, found, strict=True))
            for text in missing:
                if text not in failed:
                    self._known[digests[text]] = rows[text].copy()  # a row by itself would hold those of the whole call
        return np.array([rows[text] for text in texts]).reshape(len(texts), len(self._tagger.taxonomy.labels)), failed

    async def _computed_in_time(self, ticket: Ticket, caller: str, seconds: float | None, began: float) -> None:
        late = ticket.expire(seconds, began=began) if seconds else None
        try:
            if time.perf_counter() < ticket.ends:  # some of its time is left
                self._enter(ticket, caller, seconds)
            await ticket.done
        finally:
            if late:
                late.cancel()
            self._leave(ticket, caller)

    def _check_room(self, tokens: int, windows: int, caller: str, seconds: float | None) -> None:
        """BusyError if so many tokens have no room, or what comes before these windows takes too much of their time."""
        with self._lock:
            if not self._waiting:
                return
            if self._waiting + tokens > self._room or (seconds and self._late(tokens, windows, caller, seconds)):
                raise BusyError("service", "has no room for more", "Try again later", seconds=self._seconds_left())

    def _late(self, tokens: int, windows: int, caller: str, seconds: float) -> bool:
        most = self._pace.rate * seconds / _SHARE
        if not self._pace.known or self._waiting + tokens <= most:
            return False
        return self._turns.before(caller, tokens, windows) > most

    def _enter(self, ticket: Ticket, caller: str, seconds: float | None) -> None:
        with self._lock:
            if not self.alive:
                raise NotReadyError("service", "is stopping", "Try again soon")
            self._check_room(ticket.waiting, ticket.left, caller, seconds)
            self._waiting += ticket.waiting
            self._metrics.entered(ticket.waiting, len(ticket.windows))
            self._turns.add(caller, ticket)
            self._lock.notify_all()

    def _leave(self, ticket: Ticket, caller: str) -> None:
        """Give up the place of a ticket that nobody waits for; nothing of one that has none."""
        with self._lock:
            if self._turns.remove(caller, ticket):
                self._waiting -= ticket.waiting

    def _seconds_left(self) -> int:
        """About how long what waits will take: whole seconds, 1 or more."""
        return max(1, math.ceil(self._waiting / self._pace.rate))

    def _next(self) -> tuple[Ticket, int] | None:
        """The next window of the caller whose turn it is; None once the line is closed and empty."""
        with self._lock:
            while True:
                if piece := self._turns.next():
                    ticket, at = piece
                    self._waiting -= len(ticket.windows[at].ids)
                    if not at:
                        self._metrics.waited(time.perf_counter() - ticket.made)
                    return piece
                self._answers.give()
                if self._closed:
                    return None
                self._lock.wait()

    def _work(self) -> None:
        _give_way()
        while piece := self._next():
            try:
                self._compute(*piece)
            except BaseException:  # a worker must not die in silence: every caller is told, and /ready says so
                self._give_up(piece[0])
                raise

    def _compute(self, ticket: Ticket, at: int) -> None:
        window, started = ticket.windows[at], time.perf_counter()
        try:
            ticket.logits[at] = self._tagger.output(window.ids)
        except Exception as error:  # whatever it is, this text fails and no other
            ticket.failed.add(window.text)
            self._log_failure(error)
        spent = time.perf_counter() - started
        self._metrics.computed(len(window.ids), spent)
        with self._lock:
            self._pace.add(len(window.ids), spent)
            if ticket.count():
                self._answers.add(ticket, seconds=_HELD_SHARE * self._waiting / self._pace.rate)

    def _log_failure(self, error: Exception) -> None:
        """Log what the network fails on, but not every text of a model that fails on all: the metrics count them."""
        with self._lock:
            if time.monotonic() < self._logged + _QUIET_SECONDS:
                return
            self._logged = time.monotonic()
        _log.error("the network failed on a text", exc_info=error)

    def _give_up(self, held: Ticket) -> None:
        with self._lock:
            self._answers.give()
            self._dead = True
            for ticket in (held, *self._turns):
                ticket.answer(NotReadyError("service", "has lost a worker", "Try again soon"))
            self._turns.clear()
            self._waiting = 0
            self._lock.notify_all()
