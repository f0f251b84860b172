"""Keeps a process that works on jobs beside those that serve: started with them, replaced when it dies, stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.context import SpawnProcess
from threading import Thread

from serving.backoff import pause
from serving.settings import Settings

_PAUSE_SECONDS = 0.5  # after the first death, and twice as long after each other
_LIVED_SECONDS = 60.0  # after which a death is a first one again
_STOP_SECONDS = 20  # for the block under way
_log = logging.getLogger(__name__)


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    """While the block lasts, a process works on jobs; none does if the settings name no folder for them."""
    if settings.state is None:
        yield
        return
    told, telling = Pipe(duplex=False)
    keeper = Thread(target=_keep, args=(settings, told), name="keeper", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        telling.send(None)
        keeper.join()


def _keep(settings: Settings, told: Connection) -> None:
    deaths = 0
    while True:
        began, process = time.monotonic(), _started(settings)
        if process:
            if told in wait([process.sentinel, told]):
                _stop(process)
                return
            process.join()
            facts = {"process": process.pid, "code": process.exitcode}
            _log.warning("the process of jobs died and is replaced", extra={"facts": facts})
        if time.monotonic() - began > _LIVED_SECONDS:
            deaths = 0
        if told.poll(pause(deaths, first=_PAUSE_SECONDS)):
            return
        deaths += 1


def _started(settings: Settings) -> SpawnProcess | None:
    process = get_context("spawn").Process(target=_work, args=(settings,))
    try:
        process.start()
    except OSError as error:  # the system has no memory or process for it
        _log.warning("the process of jobs cannot be started", extra={"facts": {"error": error.strerror}})
        return None
    return process


def _work(settings: Settings) -> None:
    from serving.jobs.worker import work  # noqa: PLC0415 — the supervisor imports this module and is to stay small

    work(settings)


def _stop(process: SpawnProcess) -> None:
    process.terminate()
    process.join(_STOP_SECONDS)
    if process.is_alive():  # the block under way is done again
        process.kill()
        process.join()
