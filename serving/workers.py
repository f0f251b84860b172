"""Several processes that serve on one address: started, replaced when they die, and stopped together.

They share the socket that listens, so that a connection which none has taken yet outlives any of them, and files. What
starts them serves nothing itself, and loads neither the model nor what serves it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from socket import socket
from threading import Thread
from typing import NoReturn

from prometheus_client.multiprocess import mark_process_dead

from model.errors import TympanError
from model.processor import processor_limit
from serving import logs
from serving.address import bind
from serving.backoff import pause
from serving.errors import SettingsError, WorkerError
from serving.jobs.keeper import working
from serving.settings import Settings

_COUNTS = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own: a folder in which processes keep their numbers
_STARTS = 5  # in a row of every worker that come to nothing, after which the service ends
_PAUSE_SECONDS = 0.5  # after the first of them
_MEMORY = "/dev/shm"  # noqa: S108 — a folder with a name of its own is made there
_STOP_SECONDS = 40  # more than a worker gives its requests
_log = logging.getLogger(__name__)


def run(settings: Settings, *, say: Callable[[str], None]) -> NoReturn:
    """Serve with several workers until SIGTERM or SIGINT, then have each finish what it accepted and exit with 0.

    Raises SettingsError if the address cannot be had, BundleError if the bundle cannot be run, and WorkerError if
    workers do not start.
    """
    logs.configure(settings.log_format, settings.log_level)
    listener = bind(settings.host, settings.port)
    threads = threads_of(settings, processor_limit())
    with _counted_together() as counts, working(settings):
        _Supervisor(settings.model_copy(update={"threads": threads}), listener, counts, say).run()
    sys.exit(0)


def threads_of(settings: Settings, processors: int) -> int:
    """Threads of the network in each worker: as the settings say, or its share of the processors."""
    return settings.threads or max(1, processors // settings.workers)


@dataclass(eq=False)
class _Worker:
    """A process that serves, and the line on which it says that it is ready, or why it cannot be."""

    process: SpawnProcess
    line: Connection
    failures: int
    """Processes before it, in the same place, that died before they were ready."""
    ready: bool = False
    fault: TympanError | None = None


class _Supervisor:
    """Keeps as many workers as the settings say."""

    def __init__(self, settings: Settings, listener: socket, counts: Path, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._listener = listener
        self._counts = counts
        self._say = say
        self._said = False
        self._workers: list[_Worker] = []
        self._due = [(0.0, 0)] * settings.workers
        """The places to be filled: when, and after how many failures."""
        self._told, telling = Pipe(duplex=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: telling.send(None))

    def run(self) -> None:
        """Returns when it was told to stop and every worker has ended."""
        try:
            while True:
                self._fill()
                pause = max(0.0, min(self._due)[0] - time.monotonic()) if self._due else None
                lines = {worker.line: worker for worker in self._workers}
                heard = wait([self._told, *lines], pause)
                if self._told in heard:
                    return
                for line, worker in lines.items():
                    if line in heard:
                        self._hear(worker)
        finally:
            self._stop()

    def _fill(self) -> None:
        now = time.monotonic()
        for place in [place for place in self._due if place[0] <= now]:
            self._due.remove(place)
            failures = place[1]
            try:
                self._workers.append(self._started(failures))
            except OSError as error:  # the system has no memory, process or file for it
                self._failed(failures, WorkerError("worker", f"cannot be started: {error.strerror}", "Give it room"))

    def _started(self, failures: int) -> _Worker:
        line, end = Pipe()
        with end:  # closed here: the worker alone has it then, and its death is heard
            process = get_context("spawn").Process(target=_work, args=(self._settings, self._listener, end))
            process.start()
        return _Worker(process, line, failures)

    def _hear(self, worker: _Worker) -> None:
        try:
            said: str | TympanError = worker.line.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if isinstance(said, TympanError):
            worker.fault = said
            return
        worker.ready = True
        if not self._said and all(one.ready for one in self._workers):
            self._said = True
            count, threads = self._settings.workers, self._settings.threads
            self._say(f"{said}\nWorkers: {count}; threads of the network in each: {threads}")

    def _replace(self, worker: _Worker) -> None:
        """Have another take the place of a worker that died: at once, or later if it died before it was ready."""
        self._bury(worker)
        code = worker.process.exitcode
        facts = {"process": worker.process.pid, "code": code}
        if worker.ready:
            _log.warning("a worker died and is replaced", extra={"facts": facts})
            self._due.append((0.0, 0))
            return
        why = worker.fault or WorkerError("worker", f"died before it was ready, with code {code}", "See its log")
        self._failed(worker.failures, why, worker.process.pid)

    def _failed(self, failures: int, why: TympanError, process: int | None = None) -> None:
        """A worker did not start, after so many before it: try again later, or end if there is none left."""
        if not self._said:
            raise why
        _log.warning("a worker did not start: %s", why, extra={"facts": {"process": process}})
        self._due.append((time.monotonic() + pause(failures, first=_PAUSE_SECONDS), failures + 1))
        if not self._workers and min(tries for _, tries in self._due) >= _STARTS:
            raise WorkerError("workers", "do not start any more", f"The last one: {why}")

    def _bury(self, worker: _Worker) -> None:
        worker.process.join()
        worker.line.close()
        self._workers.remove(worker)
        mark_process_dead(worker.process.pid, str(self._counts))  # type: ignore[no-untyped-call]
        if not worker.ready:  # it counted nothing that anybody would miss, and many may follow it
            for file in self._counts.glob(f"*_{worker.process.pid}.db"):
                file.unlink(missing_ok=True)

    def _stop(self) -> None:
        self._listener.close()  # the last worker to stop listening is then the end of it
        for worker in self._workers:
            worker.process.terminate()
        end = time.monotonic() + self._settings.drain_seconds + _STOP_SECONDS
        for worker in list(self._workers):
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.is_alive():
                _log.error("a worker did not stop and is killed", extra={"facts": {"process": worker.process.pid}})
                worker.process.kill()
            self._bury(worker)


@contextmanager
def _counted_together() -> Iterator[Path]:
    """A folder for the metrics of all processes: the one that is set, or one that lasts as long as the block."""
    if given := os.environ.get(_COUNTS):
        yield Path(given)
        return
    try:
        folder = _in_memory() or tempfile.TemporaryDirectory(prefix="tympan-")
    except OSError as error:
        raise SettingsError(_COUNTS, f"is not set, and no folder can be made: {error.strerror}", "Set it") from error
    with folder as path:
        os.environ[_COUNTS] = path
        yield Path(path)


def _in_memory() -> tempfile.TemporaryDirectory[str] | None:
    """A folder in memory, if there may be one: numbers are written through a map, and a full disk kills who does so."""
    if "TMPDIR" not in os.environ:
        with suppress(OSError):
            return tempfile.TemporaryDirectory(prefix="tympan-", dir=_MEMORY)
    return None


def _work(settings: Settings, listener: socket, line: Connection) -> None:
    """What a worker does: serve, and stop when it is told to or its supervisor is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's; while this loads, the supervisor's SIGTERM is enough
    from serving.server import serve  # noqa: PLC0415 — the supervisor imports this module and is to stay small

    Thread(target=_outlive_none, args=(line,), daemon=True).start()
    try:
        serve(settings, listener, say=line.send)
    except TympanError as error:
        line.send(error)
        sys.exit(2)


def _outlive_none(line: Connection) -> None:
    try:
        line.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
