"""The way from a request to the tagger: one call at a time, in the order of arrival, off the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from anyio import CapacityLimiter, to_thread

from model.mention import Mention
from model.tagger import Failed, Tagged, Tagger
from model.watchlist import Watchlist


class Line:
    """Where callers wait for one tagger. The network uses all processors, so two calls at once gain nothing."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger
        self._one = CapacityLimiter(1)

    async def tag(
        self, mentions: Sequence[Mention], *, watchlist: Watchlist | None = None, min_score: float = 0.0
    ) -> list[Tagged | Failed]:
        """As `Tagger.tag`, without blocking the event loop."""
        call = partial(self._tagger.tag, mentions, watchlist=watchlist, min_score=min_score)
        return await to_thread.run_sync(call, limiter=self._one)
