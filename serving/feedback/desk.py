"""What the route of corrections works with: the store, opened when it is first needed."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter, fail_after

from labels.errors import FeedbackStoreError
from labels.extra import library
from labels.feedback.correction import Correction
from labels.feedback.mention import TaggedMention
from model.taxonomy import Taxonomy
from serving.errors import FeedbackDownError
from serving.feedback.intake import RefusedError, conflict, read
from serving.feedback.schemas import CorrectionItem, RefusedItem, StoredItem
from serving.settings import Settings

if TYPE_CHECKING:
    from labels.feedback.store import FeedbackStore

T = TypeVar("T")
_CALLS = 4  # at once
_RETRY_SECONDS = 2  # for which a database that failed is left alone: callers must not queue for its timeouts
_SECONDS = 15  # for which a call waits, longer than the database's own limits
_DOWN = ("cannot be kept now", "Send the call again: none is kept twice")
_log = logging.getLogger(__name__)


class Desk:
    """Takes corrections in, and remembers mentions. FeedbackDownError while the database cannot be used."""

    def __init__(self, where: str | Path) -> None:
        self._where = where
        self._store: FeedbackStore | None = None
        self._opening = threading.Lock()
        self._limiter = CapacityLimiter(_CALLS)
        self._failed = -math.inf

    @classmethod
    def of(cls, settings: Settings) -> Desk | None:
        """That of the settings; None if they name no place for corrections. ExtraError without PostgreSQL's driver."""
        if url := settings.feedback.get_secret_value():
            library("psycopg", extra="postgres")
            return cls(url)
        return cls(settings.state) if settings.state else None

    async def take(self, items: Sequence[CorrectionItem], taxonomy: Taxonomy) -> list[StoredItem | RefusedItem]:
        """Keep what can be kept; what became of each, in order."""
        return await self._beside(partial(self._take, items, taxonomy))

    async def remember(self, mentions: Sequence[TaggedMention], *, keep: int) -> None:
        """As the store does."""
        await self._beside(lambda: self._opened().remember(mentions, keep=keep))

    def _take(self, items: Sequence[CorrectionItem], taxonomy: Taxonomy) -> list[StoredItem | RefusedItem]:
        store, now = self._opened(), datetime.now(UTC)
        known = store.recall(item.mention.id for item in items if item.mention.text is None)
        found: dict[int, StoredItem | RefusedItem] = {}
        good: dict[int, Correction] = {}
        for place, item in enumerate(items):
            try:
                good[place] = read(item, known, taxonomy, now)
            except RefusedError as error:
                found[place] = RefusedItem(id=item.id, error=error.at(place))
        for (place, correction), outcome in zip(good.items(), store.add(list(good.values())), strict=True):
            if outcome == "conflict":
                found[place] = RefusedItem(id=correction.id, error=conflict(correction).at(place))
            else:
                found[place] = StoredItem(id=correction.id, status=outcome)
        return [found[place] for place in range(len(items))]

    def _opened(self) -> FeedbackStore:
        from labels.feedback.store import FeedbackStore  # noqa: PLC0415 — loads the database's libraries

        with self._opening:
            if self._store is None:
                self._store = FeedbackStore(self._where)
            return self._store

    async def _beside(self, call: Callable[[], T]) -> T:
        """What `call` returns, beside the event loop."""
        down = FeedbackDownError("corrections", *_DOWN, seconds=_RETRY_SECONDS)
        if time.monotonic() < self._failed + _RETRY_SECONDS:
            raise down
        try:
            with fail_after(_SECONDS):
                place = object()
                await self._limiter.acquire_on_behalf_of(place)
                return await _in_a_thread(call, partial(self._limiter.release_on_behalf_of, place))
        except (FeedbackStoreError, TimeoutError) as error:
            self._failed = time.monotonic()
            _log.warning("corrections cannot be kept: %s", str(error) or f"no answer for {_SECONDS} s")
            raise down from error


def _in_a_thread(call: Callable[[], T], ended: Callable[[], None]) -> Awaitable[T]:
    """What `call` returns, by a thread of its own, which neither tagging nor the end of the process waits for.

    A database may be there and never answer: one of the threads that all share would be lost to it. `ended` is called
    on the event loop when the thread is done, whether or not anybody still waits.
    """
    future: Future[T] = Future()
    loop = asyncio.get_running_loop()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(ended)

    threading.Thread(target=work, name="feedback", daemon=True).start()
    return asyncio.wrap_future(future)
