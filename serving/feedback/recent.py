"""The mentions that were tagged lately, so that a correction may name one by its id, whichever process tagged it.

They are written in the background: tagging never waits for it, and goes on if it fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

from labels.feedback.correction import storable
from labels.feedback.mention import TaggedMention, plain_language
from model.mention import Mention
from model.tagger import Failed, Tagged
from model.watchlist import Watchlist
from serving.errors import FeedbackDownError
from serving.feedback.desk import Desk
from serving.metrics import Metrics

_ROOM = 5_000  # mentions that may wait to be written
_BATCH = 1_000
_PAUSE_SECONDS = 1.0  # after a failure, so that a database that is away is not tried without end
_LAST_SECONDS = 5.0  # for what waits when the service stops


class Recent:
    """Remembers the `keep` newest mentions at a desk; none if it is 0. For one event loop."""

    def __init__(self, desk: Desk | None, *, keep: int, metrics: Metrics) -> None:
        self._desk, self._keep, self._metrics = desk, keep, metrics
        self._waiting: deque[TaggedMention] = deque()
        self._more = asyncio.Event()
        self._stopping = False

    def note(
        self, mentions: Iterable[Mention], results: Iterable[Tagged | Failed], watchlist: Watchlist, model: str
    ) -> None:
        """Have those that were tagged remembered. Those that find no room are counted."""
        if not self._desk or not self._keep:
            return
        for mention, result in zip(mentions, results, strict=True):
            if isinstance(result, Failed) or "\0" in f"{mention.id}{mention.target}":
                continue  # no correction could name it
            if len(self._waiting) >= _ROOM:
                self._metrics.dropped(1)
                continue
            self._waiting.append(
                TaggedMention(
                    id=mention.id,
                    text=storable(mention.text),
                    lang=plain_language(result.lang),
                    target=mention.target,
                    watchlist=watchlist.organisations,
                    model=model,
                )
            )
        self._more.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the block lasts, and then what is left."""
        if not self._desk or not self._keep:
            yield
            return
        writing = asyncio.create_task(self._write(self._desk))
        try:
            yield
        finally:
            self._stopping = True
            self._more.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(writing, _LAST_SECONDS)

    async def _write(self, desk: Desk) -> None:
        while self._waiting or not self._stopping:
            if not self._waiting:
                self._more.clear()
                await self._more.wait()
            elif not await self._flush(desk):
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _flush(self, desk: Desk) -> bool:
        """Write one batch, which is dropped if that fails; whether it was written."""
        batch: Sequence[TaggedMention] = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        try:
            await desk.remember(batch, keep=self._keep)
        except FeedbackDownError:  # which the desk has logged
            self._metrics.dropped(len(batch))
            return False
        return True
