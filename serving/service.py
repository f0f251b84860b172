"""What the routes work with: one loaded tagger, the line before it, and the settings."""

from __future__ import annotations

from asyncio import Event
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request

from model.errors import BundleError
from model.mention import Mention
from model.tagger import Failed, Tagged, Tagger
from model.watchlist import Watchlist
from serving.batching import Line
from serving.call import note
from serving.journal import Journal
from serving.metrics import Metrics
from serving.priority import Priorities, Priority, own_target
from serving.rules import Rules, priorities_for
from serving.settings import Settings


class Users:
    """How many requests work with a service. For one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._none = Event()
        self._none.set()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Counts one until the block ends."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def gone(self) -> None:
        """Returns when there is none."""
        await self._none.wait()


@dataclass(frozen=True)
class Service:
    """What the routes work with: a request takes the one of its moment and keeps it to its end."""

    tagger: Tagger
    line: Line
    settings: Settings
    model: str
    """The bundle's version, worked out once."""
    journal: Journal
    metrics: Metrics
    rules: Rules | None
    """The rules of the settings, read once; None for those that ship."""
    priorities: Priorities | None
    """The rules made for the model's tags; None if those that ship are for others."""
    users: Users = field(default_factory=Users)

    @classmethod
    def of(cls, tagger: Tagger, settings: Settings) -> Service:
        """The first service of a process. PrioritiesError if the rules of the settings are not for its model."""
        rules = Rules.load(settings.priorities) if settings.priorities else None
        priorities = priorities_for(tagger.taxonomy, rules)
        metrics = Metrics()
        line = _line(tagger, settings, metrics)
        model, journal = tagger.bundle.version, Journal(settings.state)
        return cls(tagger, line, settings, model, journal, metrics, rules, priorities)

    def on(self, tagger: Tagger) -> Service:
        """The same service on another model, with a line of its own. PrioritiesError if the rules are not for it."""
        priorities = priorities_for(tagger.taxonomy, self.rules)
        line, model = _line(tagger, self.settings, self.metrics), tagger.bundle.version
        return replace(self, tagger=tagger, line=line, model=model, priorities=priorities, users=Users())

    async def warm(self) -> None:
        """Make the first call, which is slow. BundleError if the network cannot compute."""
        (found,) = await self.line.tag([Mention("warm-up", "Bonjour, ciao, hello")])
        if isinstance(found, Failed):
            raise BundleError(str(self.tagger.bundle.path), "cannot be run", "Export it again with this version")

    def see(self) -> None:
        """Have the metrics tell what is served now."""
        self.metrics.see(self.model, self.tagger.taxonomy.id, self.line.waiting)

    def priority(self, mention: Mention, tagged: Tagged, watchlist: Watchlist) -> Priority | None:
        """How pressing a mention is that was tagged with `watchlist`; None if there are no rules for the tags."""
        if self.priorities is None:
            return None
        target = own_target(watchlist, mention.target)
        return self.priorities.of(tagged, target=target, answered=mention.answered)

    async def close(self) -> None:
        """Let the requests that work with it finish, then stop its workers."""
        await self.users.gone()
        await to_thread.run_sync(self.line.close)


def _line(tagger: Tagger, settings: Settings, metrics: Metrics) -> Line:
    # One worker more than there are processors, if there are several: while one waits for the interpreter's lock, the
    # others keep them busy, which is worth 5 % under load.
    workers = tagger.threads + (tagger.threads > 1)
    room, remembered = settings.queue_tokens, settings.cached_texts
    return Line(tagger, workers=workers, room=room, remembered=remembered, metrics=metrics)


def serving(request: Request) -> Service:
    """The service that a request is to work with, and works with to its end."""
    service: Service = request.app.state.service
    note(model=service.model)
    held: ExitStack | None = getattr(request.state, "held", None)
    if held:  # in a JsonRoute; the others compute nothing
        held.enter_context(service.users.one_more())
    return service


async def _served(request: Request) -> Service:
    return serving(request)


Served = Annotated[Service, Depends(_served)]
