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
from model.tagger import Failed, Tagger
from serving.batching import Line
from serving.call import note
from serving.journal import Journal
from serving.metrics import Metrics
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
    users: Users = field(default_factory=Users)

    @classmethod
    def of(cls, tagger: Tagger, settings: Settings) -> Service:
        """The first service of a process."""
        metrics = Metrics()
        line = _line(tagger, settings, metrics)
        return cls(tagger, line, settings, tagger.bundle.version, Journal(settings.state), metrics)

    def on(self, tagger: Tagger) -> Service:
        """The same service on another model, with a line of its own."""
        line = _line(tagger, self.settings, self.metrics)
        return replace(self, tagger=tagger, line=line, model=tagger.bundle.version, users=Users())

    async def warm(self) -> None:
        """Make the first call, which is slow. BundleError if the network cannot compute."""
        (found,) = await self.line.tag([Mention("warm-up", "Bonjour, ciao, hello")])
        if isinstance(found, Failed):
            raise BundleError(str(self.tagger.bundle.path), "cannot be run", "Export it again with this version")

    async def close(self) -> None:
        """Let the requests that work with it finish, then stop its workers."""
        await self.users.gone()
        await to_thread.run_sync(self.line.close)


def _line(tagger: Tagger, settings: Settings, metrics: Metrics) -> Line:
    return Line(tagger, room=settings.queue_tokens, remembered=settings.cached_texts, metrics=metrics)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    note(model=service.model)
    held: ExitStack | None = getattr(request.state, "held", None)
    if held:  # in a JsonRoute; the others compute nothing
        held.enter_context(service.users.one_more())
    return service


Served = Annotated[Service, Depends(_service)]
