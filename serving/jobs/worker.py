"""The process that works on jobs: it takes them from the queue, tells of their end, and keeps the folder in order."""

from __future__ import annotations

import logging
import os
import signal
import sys
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Event, Thread

from serving import logs
from serving.jobs import webhook
from serving.jobs.bench import Bench
from serving.jobs.queue import Queue
from serving.jobs.store import Store
from serving.settings import Settings

_NICE = 15  # calls that somebody waits for come first: their workers have nine times the weight
_TIDY_SECONDS = 5.0
_log = logging.getLogger(__name__)


def work(settings: Settings) -> None:
    """Work on jobs until told to stop, or until what started this process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's: the parent's SIGTERM comes then
    logs.configure(settings.log_format, settings.log_level)
    for name in ("Worker", "Scheduler"):  # which cry several times a second while a Redis is away: `_in_order` tells
        logging.getLogger(f"huey.consumer.{name}").setLevel(logging.CRITICAL)
    os.nice(_NICE)
    assert settings.state  # noqa: S101 — without it there are no jobs
    stopping = Event()
    Thread(target=_outlive_none, daemon=True).start()
    Worker(settings, settings.state, stopping).run()
    sys.exit(0)


class Worker:
    """Works on one job at a time, and tells of another meanwhile. It ends once `stopping` is set."""

    def __init__(self, settings: Settings, state: Path, stopping: Event) -> None:
        self._settings, self._stopping = settings, stopping
        self._store = Store(settings, state)
        self._bench = Bench(settings, self._store, stopping)
        self._queue = Queue(settings, self._store, work=self._work, tell=self._tell)

    def run(self) -> None:
        """In the main thread, whose signal SIGTERM stops it."""
        consumers = self._queue.consumers()
        for consumer in consumers:
            consumer.start()
        signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())  # huey's would leave at once
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        while not self._stopping.is_set():
            self._in_order()
            self._stopping.wait(_TIDY_SECONDS)
        for consumer in consumers:
            consumer.stop_flag.set()
        for consumer in consumers:
            consumer.stop(graceful=True)

    def _work(self, job: str) -> None:
        try:
            with self._store.held(job) as found:
                if found is None or found.ended:  # another has it, or it was twice in the queue
                    return
                found = self._bench.work(found)
            if found.open:
                self._queue.put(job)
            elif found.told:
                self._queue.tell(job)
        finally:
            if self._queue.empty:
                self._bench.clear()

    def _tell(self, job: str, *, last: bool) -> None:
        """Call the webhook of a job that has ended."""
        from huey.exceptions import CancelExecution  # noqa: PLC0415 — as in queue.py

        with self._store.held(job) as found:
            if found is None or found.told != "waiting":
                return
            facts = {"job": job, "state": found.state, "request_id": found.request}
            try:
                taken = webhook.call(found, self._settings)
            except webhook.UntoldError as error:
                _log.warning("a webhook was not taken", extra={"facts": {**facts, "why": str(error)}})
                if not last:
                    raise CancelExecution from error
                taken = False
            except Exception as error:  # it would fail again and again
                _log.error("the service failed on a webhook", exc_info=error, extra={"facts": facts})
                taken = False
            self._store.write(found.model_copy(update={"told": "delivered" if taken else "failed"}))

    def _in_order(self) -> None:
        """Remove what has expired, and put in the queue again what got lost."""
        try:
            self._store.tidy()
            waiting = self._queue.waiting()
            for job in reversed(self._store.all()):
                if job.id not in waiting and (job.told == "waiting" or not job.ended):
                    self._put_again(job.id)
        except Exception as error:  # a Redis or a disk that is away now may be back soon
            _log.warning("jobs cannot be put in order", exc_info=error)

    def _put_again(self, job: str) -> None:
        """Put in the queue what got lost of it; one that is held is worked on."""
        with self._store.held(job) as found:
            if found is None:
                return
            if found.state == "running":  # by a process that was killed
                self._store.write(found.model_copy(update={"state": "queued"}))
        if found.ended:
            self._queue.tell(found.id)
        else:
            self._queue.put(found.id)


def _outlive_none() -> None:
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
