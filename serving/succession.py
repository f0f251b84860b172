"""Which model is served: the champion of a registry, and after it the next one, without losing a request.

A new model is verified, loaded and warm before it takes its first request, and requests finish on the model that
they began with. Whatever goes wrong on the way, the model that is served goes on.
"""

from __future__ import annotations

import logging
import math
import os
import time
from asyncio import Lock, Task, create_task, gather, shield
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NoReturn, TypeVar

from anyio import sleep, to_thread
from starlette.datastructures import State

from model.errors import BundleError, RegistryError, TympanError
from model.registry import Registry
from model.tagger import Tagger
from serving.backoff import pause
from serving.errors import NotHeldError, UnfitModelError
from serving.memory import give_back
from serving.service import Service

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 1.0  # between the first two tries to follow a pointer
_Found = TypeVar("_Found")


class Succession:
    """The models of one registry that follow one another as `state.service`. For one event loop."""

    def __init__(self, state: State, registry: Registry) -> None:
        self.registry = registry
        self.since = datetime.now(UTC)
        """When this process began to serve the present model."""
        self.failure: str | None = None
        """Why the champion on disk is not the model that is served; None if it is."""
        self._state = state
        self._seen: tuple[int, int] | None = (0, 0)
        self._tries, self._again = 0, math.inf
        """How often the present pointer could not be followed, and when it is tried again, by `time.monotonic`."""
        self._turn = Lock()
        self._tasks: set[Task[Any]] = set()

    @classmethod
    def of(cls, state: State) -> Succession | None:
        """That of the registry in the settings of `state.service`; None if they name a bundle."""
        registry = Registry(state.service.settings.bundle)
        return cls(state, registry) if registry.champion() else None

    @property
    def served(self) -> str:
        """The version of the model that is served."""
        return str(self._state.service.model)

    async def activate(self, version: str, *, who: str, why: str, force: bool = False) -> str:
        """Serve a version that is held, and make it the champion; returns it.

        NotHeldError if it is not held, or was judged and did not pass and `force` is not set; UnfitModelError if it is
        altered or cannot be run. Nothing has changed then.
        """
        choose = partial(self._passed, version, force)
        return await self._to_its_end(self._promote(choose, who, f"{why} (forced)" if force else why))

    async def rollback(self, *, who: str, why: str) -> str:
        """As `activate`, with the version that the champion replaced; NotHeldError if there is none."""
        return await self._to_its_end(self._promote(self.registry.previous, who, why, back=True))

    async def watch(self) -> NoReturn:
        """Follow the champion on disk, looking as often as the settings say."""
        while True:
            await self.follow()
            await sleep(self._state.service.settings.reload_seconds)

    async def follow(self) -> None:
        """Serve the champion on disk if the pointer to it was written since the last look.

        One that cannot be followed is tried again, less and less often, since a disk may recover; why is logged once,
        and stays in `failure` until another model is served.
        """
        pointer = await to_thread.run_sync(self._pointer)
        if pointer != self._seen or time.monotonic() >= self._again:
            await self._to_its_end(self._follow(pointer))

    async def stop(self) -> None:
        """Finish the swap that is under way and close what was replaced."""
        while self._tasks:  # a swap leaves another task, which closes what it replaced
            await gather(*self._tasks, return_exceptions=True)

    async def _follow(self, pointer: tuple[int, int] | None) -> None:
        async with self._turn:
            if pointer != self._seen:
                self._seen, self._tries, self.failure = pointer, 0, None
            try:
                with self._in_plain_words():
                    self._take(await self._open(await to_thread.run_sync(self._champion)))
            except Exception as error:  # whatever is on that disk, the present model goes on
                self._again = time.monotonic() + pause(self._tries, first=_PAUSE_SECONDS)
                self._tries += 1
                if str(error) != self.failure:
                    _log.warning("the champion is not served, %s goes on: %s", self.served, error)
                self.failure = str(error)

    async def _promote(self, choose: Callable[[], str], who: str, why: str, *, back: bool = False) -> str:
        async with self._turn:
            with self._in_plain_words():
                champion = await to_thread.run_sync(self.registry.champion)
                version = await to_thread.run_sync(choose)
                new = await self._open(version)
                promote = partial(self.registry.promote, version, who=who, why=why, back=back)
                try:
                    await to_thread.run_sync(partial(promote, instead_of=champion if back else None))
                except BaseException:
                    if new is not self._state.service:
                        await new.close()
                    raise
            self._take(new)
            return version

    async def _open(self, version: str) -> Service:
        """The service of a version, ready for requests: the present one if it is that, else a new one."""
        present: Service = self._state.service
        if present.model == version:
            return present
        new = present.on(await to_thread.run_sync(self._load, version, present.tagger.threads))
        try:
            await new.warm()
        except BaseException:
            await new.close()
            raise
        return new

    def _load(self, version: str, threads: int) -> Tagger:
        tagger = Tagger.load(self.registry.folder(version), threads=threads)
        if tagger.bundle.version != version:
            raise BundleError(version, f"is {tagger.bundle.version} under another name", "Add it to the registry again")
        return tagger

    def _take(self, new: Service) -> None:
        """From here on requests get `new`; the old one is closed when its last request is answered."""
        self.failure, self._again = None, math.inf
        old: Service = self._state.service
        if new is not old:
            self._state.service, self.since = new, datetime.now(UTC)
            new.see()
            self._start(_retire(old))

    def _passed(self, version: str, force: bool) -> str:
        refusal = self.registry.refusal(version)
        if refusal and not force:
            raise RegistryError(version, f"did not pass: {refusal}", "Set force to serve it all the same")
        return version

    def _champion(self) -> str:
        champion = self.registry.champion()
        if not champion:
            raise RegistryError(str(self.registry.path), "has no champion", "Activate one")
        return champion

    def _pointer(self) -> tuple[int, int] | None:
        """What differs whenever the pointer is written; None if there is none to be read."""
        try:
            found = (self.registry.path / "champion").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    @contextmanager
    def _in_plain_words(self) -> Iterator[None]:
        """Errors of bundles and registries as those of this room, without the folders of this machine."""
        try:
            yield
        except RegistryError as error:
            raise NotHeldError(self._short(error.where), error.problem, error.remedy) from error
        except TympanError as error:
            raise UnfitModelError(self._short(error.where), error.problem, error.remedy) from error
        except OSError as error:
            raise NotHeldError("registry", f"cannot be used: {error.strerror}", "See who may write there") from error
        except Exception as error:  # what libraries raise on a file that is whole and yet makes no sense
            raise UnfitModelError("model", f"fails with {type(error).__name__}", "Export it again") from error

    def _short(self, where: str) -> str:
        folder = str(self.registry.path)
        return where.replace(os.path.join(folder, "bundles", ""), "").replace(folder, "registry")  # noqa: PTH118 — a prefix

    def _start(self, work: Coroutine[Any, Any, _Found]) -> Task[_Found]:
        task = create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _to_its_end(self, work: Coroutine[Any, Any, _Found]) -> _Found:
        """The result of work that is not left half done if its caller hangs up."""
        return await shield(self._start(work))


async def _retire(old: Service) -> None:
    await old.close()
    del old  # the last reference but for what refers to itself, and with it the model
    await to_thread.run_sync(give_back)


@asynccontextmanager
async def following(succession: Succession | None) -> AsyncIterator[None]:
    """Watch the registry, if there is one, until the block ends."""
    if succession is None:
        yield
        return
    watcher = create_task(succession.watch())
    try:
        yield
    finally:
        watcher.cancel()
        await succession.stop()
